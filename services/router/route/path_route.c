/* See path_route.h. */
#include "services/router/route/path_route.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/str.h"

static bool is_prefix_segment(const char *s, size_t n) {
  if (n == 0 || s[0] == '.' || s[n - 1] == '.')
    return false;
  for (size_t i = 0; i < n; i++)
    if (!isalnum((unsigned char)s[i]) && !strchr("-_.~", s[i]))
      return false;
  return true;
}

int path_route_check_prefix(const char *text, Error *err) {
  if (!*text)
    return 0;
  const char *at = text;
  while (*at == '/') {
    size_t n = strcspn(at + 1, "/");
    if (!is_prefix_segment(at + 1, n))
      break;
    at += 1 + n;
  }
  if (*at || strlen(text) > PATH_ROUTE_PREFIX_MAX || str_equal(text, "/healthz"))
    return error_set(
        err, ERROR_INVALID_ARGUMENT,
        "--path-routing-prefix: \"%s\" is no path like /sandboxes: letters, digits, - _ ~ and dots within, "
        "no slash at the end, not /healthz",
        text);
  return 0;
}

/* The next segment, of "/segment...": 0 and *at behind it; -1: there is none, or it has no room. */
static int segment(const char **at, char *out, size_t size) {
  if (**at != '/')
    return -1;
  const char *s = *at + 1;
  size_t n = strcspn(s, "/?");
  if (n >= size)
    return -1;
  memcpy(out, s, n);
  out[n] = 0;
  *at = s + n;
  return 0;
}

/* What somebody on the way may take for the end of a segment, once decoded: its length, or 0. */
static size_t separator(const char *s) {
  if (*s == '/' || *s == '\\')
    return 1;
  return strncasecmp(s, "%2f", 3) == 0 || strncasecmp(s, "%5c", 3) == 0 ? 3 : 0;
}

static size_t dot(const char *s) {
  if (*s == '.')
    return 1;
  return strncasecmp(s, "%2e", 3) == 0 ? 3 : 0;
}

static bool ends_segment(const char *s) {
  return !*s || *s == '?' || separator(s);
}

/* Behind ";" some keep parameters of a segment. */
static bool ends_dots(const char *s) {
  return ends_segment(s) || *s == ';';
}

/* Whether dot segments, decoded or not, lead above where rest begins. Empty segments hold nothing that could be left
 * again: some merge them. */
static bool leaves_folder(const char *rest) {
  int depth = 0;
  while (separator(rest)) {
    const char *s = rest + separator(rest);
    size_t one = dot(s), two = one ? dot(s + one) : 0;
    if (two && ends_dots(s + one + two)) {
      if (--depth < 0)
        return true;
    } else if (!ends_segment(s) && !(one && ends_dots(s + one))) {
      depth++;
    }
    while (!ends_segment(s))
      s++;
    rest = s;
  }
  return false;
}

/* One spelling each: it is compared, and part of a cookie's path. */
static int port_of(const char *text, uint16_t *ret_port) {
  int64_t number;
  if (*text == '0' || str_to_int64(text, 1, 65535, &number) != 0)
    return -1;
  *ret_port = (uint16_t)number;
  return 0;
}

static int refuse(const char **ret_detail, const char *detail) {
  *ret_detail = detail;
  return -1;
}

int path_route_parse(const char *prefix, const char *path, RouteName *ret_name, const char **ret_rest,
                     const char **ret_detail) {
  char port[8];
  const char *at = path + strlen(prefix);
  if (!*prefix || !str_starts_with(path, prefix) || (*at && *at != '/' && *at != '?'))
    return ROUTE_NONE;
  *ret_name = (RouteName){0};
  if (segment(&at, ret_name->ns, sizeof ret_name->ns) != 0 || !str_is_dns_label(ret_name->ns))
    return refuse(ret_detail, "Invalid namespace format.");
  if (segment(&at, ret_name->id, sizeof ret_name->id) != 0 || !str_is_object_name(ret_name->id))
    return refuse(ret_detail, "Invalid sandbox ID format.");
  if (segment(&at, port, sizeof port) != 0 || port_of(port, &ret_name->port) != 0)
    return refuse(ret_detail, "Invalid port format.");
  if (leaves_folder(at))
    return refuse(ret_detail, "The path leaves the sandbox.");
  *ret_rest = at;
  return *at == '/' ? ROUTE_FOUND : ROUTE_FOLDER;
}

void path_route_folder(Buf *out, const char *prefix, const RouteName *name) {
  if (buf_printf(out, "%s/%s/%s", prefix, name->ns, name->id) != 0 ||
      (name->port && buf_printf(out, "/%u", (unsigned)name->port) != 0))
    abort(); /* a prefix and two names */
}
