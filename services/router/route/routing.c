/* See routing.h. A path goes before a host, a host before headers; what they say of two different sandboxes is refused,
 * because somebody between may have looked at the other one. */
#include "services/router/route/routing.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/address.h"
#include "lib/base/str.h"
#include "services/router/route/host_name.h"
#include "services/router/route/host_route.h"
#include "services/router/route/path_route.h"

#define TWO_SANDBOXES "The request names two different sandboxes."

/* Where only this machine's programs connect, and so its browsers. */
static bool is_loopback(const char *text) {
  Address address;
  Error err;
  struct in_addr v4;
  if (address_parse(text, &address, &err) != 0 || address.kind != ADDRESS_TCP)
    return false;
  return str_equal(address.host, "localhost") || str_equal(address.host, "::1") ||
         (inet_pton(AF_INET, address.host, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127);
}

int routing_init(Routing *ret, const RoutingFlags *flags, Error *err) {
  if (path_route_check_prefix(flags->prefix, err) != 0 || host_route_check_domain(flags->domain, err) != 0 ||
      host_name_check_list(flags->allowed_hosts, err) != 0)
    return -1;
  bool local = (!*flags->http_address || is_loopback(flags->http_address)) &&
               (!*flags->https_address || is_loopback(flags->https_address));
  *ret = (Routing){.prefix = flags->prefix,
                   .keeps_answers = !flags->rewrites,
                   .domain = flags->domain,
                   .allowed_hosts = *flags->allowed_hosts || local ? flags->allowed_hosts : NULL};
  return 0;
}

static bool is_in_domain(const char *domain, const char *name) {
  size_t n = strlen(name), d = str_empty(domain) ? 0 : strlen(domain);
  if (d == 0 || n < d || !str_equal(name + n - d, domain))
    return false;
  return n == d || name[n - d - 1] == '.';
}

/* Of an absolute-form target the authority in it counts, which Host repeats (RFC 9112, 3.2.2). */
static const char *find_authority(const HttpHead *head, Routed *r) {
  const char *host = http_head_get(head, "Host");
  const char *absolute = *head->target != '/' ? strstr(head->target, "://") : NULL;
  r->authority = host ? host : "";
  r->authority_len = strlen(r->authority);
  if (!absolute)
    return NULL;
  size_t n = strcspn(absolute + 3, "/?");
  if (host && (n != r->authority_len || strncasecmp(absolute + 3, host, n) != 0))
    return "Host does not match the request target.";
  r->authority = absolute + 3;
  r->authority_len = n;
  return NULL;
}

/* A field that is there says the same; "" and none say nothing. */
static bool agrees(const HttpHead *head, const char *field, const char *value) {
  for (size_t i = 0; i < head->n_headers; i++)
    if (strcasecmp(head->headers[i].name, field) == 0 && *head->headers[i].value &&
        !str_equal(head->headers[i].value, value))
      return false;
  return true;
}

static bool headers_agree(const HttpHead *head, const RouteName *name) {
  char port[8];
  snprintf(port, sizeof port, "%u", (unsigned)name->port);
  return agrees(head, "X-Sandbox-ID", name->id) && agrees(head, "X-Sandbox-Namespace", name->ns) &&
         agrees(head, "X-Sandbox-Port", port);
}

static bool same(const RouteName *a, const RouteName *b) {
  return a->port == b->port && str_equal(a->id, b->id) && str_equal(a->ns, b->ns);
}

const char *routing_parse(const Routing *routing, const HttpHead *head, const char *path, Routed *r) {
  char host[HOST_NAME_MAX_LEN + 1] = "";
  RouteName by_host;
  const char *detail = NULL;
  *r = (Routed){.path = path};
  const char *mismatch = find_authority(head, r);
  bool is_name = r->authority_len > 0 && host_name_of(r->authority, r->authority_len, host) == 0;
  r->is_allowed = !routing->allowed_hosts || r->authority_len == 0 ||
                  (is_name && (host_name_is_private(host) || is_in_domain(routing->domain, host) ||
                               host_name_is_listed(routing->allowed_hosts, host)));
  if (mismatch)
    return mismatch;
  int in_path =
      str_empty(routing->prefix) ? ROUTE_NONE : path_route_parse(routing->prefix, path, &r->name, &r->path, &detail);
  int in_host = str_empty(routing->domain) ? ROUTE_NONE : host_route_parse(routing->domain, host, &by_host, &detail);
  if (in_path < 0 || in_host < 0)
    return detail;
  if (in_path == ROUTE_NONE && in_host == ROUTE_NONE)
    return NULL;
  r->way = in_path == ROUTE_NONE ? ROUTING_BY_HOST : ROUTING_BY_PATH;
  r->lacks_slash = in_path == ROUTE_FOLDER;
  if (in_path == ROUTE_NONE)
    r->name = by_host;
  else if (in_host != ROUTE_NONE && !same(&r->name, &by_host))
    return TWO_SANDBOXES;
  return headers_agree(head, &r->name) ? NULL : TWO_SANDBOXES;
}
