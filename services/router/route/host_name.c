/* See host_name.h. */
#include "services/router/route/host_name.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <string.h>
#include <strings.h>

#include "lib/base/str.h"

/* What is never delegated in public DNS, or is the resolver's own (RFC 6761, 6762; ICANN's "internal"). */
static const char *const PRIVATE[] = {"localhost", "svc", "cluster.local", "internal", "local"};

static bool is_below(const char *name, size_t len, const char *domain, size_t domain_len) {
  return len > domain_len && name[len - domain_len - 1] == '.' &&
         strncasecmp(name + len - domain_len, domain, domain_len) == 0;
}

static bool is_ipv6(const char *text, size_t len) {
  struct in6_addr v6;
  char bare[INET6_ADDRSTRLEN];
  if (len < 3 || len - 2 >= sizeof bare || text[len - 1] != ']')
    return false;
  memcpy(bare, text + 1, len - 2);
  bare[len - 2] = 0;
  return inet_pton(AF_INET6, bare, &v6) == 1;
}

/* Underscores are in names of containers, and no label of a sandbox. */
static bool is_name(const char *text, size_t len) {
  bool in_label = false;
  for (size_t i = 0; i < len; i++) {
    if (text[i] == '.' ? !in_label : !isalnum((unsigned char)text[i]) && text[i] != '-' && text[i] != '_')
      return false;
    in_label = text[i] != '.';
  }
  return in_label;
}

int host_name_of(const char *field, size_t len, char ret_name[HOST_NAME_MAX_LEN + 1]) {
  bool v6 = len > 0 && field[0] == '[';
  const char *close = v6 ? memchr(field, ']', len) : NULL;
  if (v6 && !close)
    return -1;
  size_t n = v6 ? (size_t)(close - field) + 1 : len;
  const char *colon = v6 ? NULL : memchr(field, ':', len);
  if (colon)
    n = (size_t)(colon - field);
  if (n < len && field[n] != ':')
    return -1;
  for (size_t i = n + 1; i < len; i++)
    if (!isdigit((unsigned char)field[i]))
      return -1;
  if (!v6 && n > 1 && field[n - 1] == '.')
    n--;
  if (n == 0 || n > HOST_NAME_MAX_LEN || !(v6 ? is_ipv6(field, n) : is_name(field, n)))
    return -1;
  for (size_t i = 0; i < n; i++)
    ret_name[i] = (char)tolower((unsigned char)field[i]);
  ret_name[n] = 0;
  return 0;
}

/* The next entry of a list by commas, without blanks; false: there is none. */
static bool next_entry(const char **at, const char **ret_entry, size_t *ret_len) {
  *at += strspn(*at, ", ");
  *ret_entry = *at;
  *ret_len = strcspn(*at, ", ");
  *at += *ret_len;
  return *ret_len > 0;
}

int host_name_check_list(const char *list, Error *err) {
  const char *entry;
  size_t n;
  char name[HOST_NAME_MAX_LEN + 1];
  for (const char *at = list; next_entry(&at, &entry, &n);) {
    size_t skip = n > 2 && strncmp(entry, "*.", 2) == 0 ? 2 : 0;
    bool any = n == 1 && *entry == '*';
    if (!any && (memchr(entry, ':', n) || host_name_of(entry + skip, n - skip, name) != 0))
      return error_set(err, ERROR_INVALID_ARGUMENT,
                       "--allowed-hosts: \"%.*s\" is neither a name, *.NAME nor *; ports do not count", (int)n, entry);
  }
  return 0;
}

bool host_name_is_listed(const char *list, const char *name) {
  const char *entry;
  size_t n, len = strlen(name);
  for (const char *at = list; next_entry(&at, &entry, &n);) {
    if (n == 1 && *entry == '*')
      return true;
    if (n > 2 && strncmp(entry, "*.", 2) == 0 ? is_below(name, len, entry + 2, n - 2)
                                              : n == len && strncasecmp(entry, name, n) == 0)
      return true;
  }
  return false;
}

bool host_name_is_private(const char *name) {
  struct in_addr v4;
  size_t len = strlen(name);
  if (name[0] == '[' || !strchr(name, '.') || inet_pton(AF_INET, name, &v4) == 1)
    return true;
  for (size_t i = 0; i < ARRAY_LEN(PRIVATE); i++)
    if (is_below(name, len, PRIVATE[i], strlen(PRIVATE[i])))
      return true;
  return false;
}
