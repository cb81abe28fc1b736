/* See host_route.h. */
#include "services/router/route/host_route.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

#define DIGITS "0123456789"
enum { LABEL_MAX = 63 };

int host_route_check_domain(const char *text, Error *err) {
  if (!*text)
    return 0;
  /* a label and its dot come before it */
  if (!str_is_dns_subdomain(text) || strlen(text) > 253 - LABEL_MAX - 1)
    return error_set(err, ERROR_INVALID_ARGUMENT,
                     "--host-routing-domain: \"%s\" is no domain of lower-case labels, at most %d characters", text,
                     253 - LABEL_MAX - 1);
  return 0;
}

static int refuse(const char **ret_detail, const char *detail) {
  *ret_detail = detail;
  return -1;
}

/* Of a label its last "--"; NULL: none. */
static char *last_separator(char *label) {
  char *found = NULL;
  for (char *at = strstr(label, "--"); at; at = strstr(at + 1, "--"))
    found = at;
  return found;
}

int host_route_parse(const char *domain, const char *host, RouteName *ret_name, const char **ret_detail) {
  size_t n = strlen(host), d = strlen(domain), digits = strspn(host, DIGITS);
  if (!*domain || n <= d + 1 || host[n - d - 1] != '.' || !str_equal(host + n - d, domain) || digits == 0 ||
      host[digits] != '-')
    return ROUTE_NONE;
  char label[LABEL_MAX + 1];
  n -= d + 1;
  if (n > LABEL_MAX)
    return refuse(ret_detail, "Invalid sandbox ID format.");
  memcpy(label, host, n);
  label[n] = label[digits] = 0;
  int64_t port;
  if (*label == '0' || str_to_int64(label, 1, 65535, &port) != 0)
    return refuse(ret_detail, "Invalid port format.");
  char *id = label + digits + 1, *separator = last_separator(id);
  const char *ns = separator ? separator + 2 : "default";
  if (separator)
    *separator = 0;
  if (!str_is_dns_label(id))
    return refuse(ret_detail, "Invalid sandbox ID format.");
  if (!str_is_dns_label(ns))
    return refuse(ret_detail, "Invalid namespace format.");
  *ret_name = (RouteName){.port = (uint16_t)port};
  snprintf(ret_name->id, sizeof ret_name->id, "%s", id);
  snprintf(ret_name->ns, sizeof ret_name->ns, "%s", ns);
  return ROUTE_FOUND;
}
