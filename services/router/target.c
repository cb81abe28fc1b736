/* See target.h. */
#include "services/router/target.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"

/* An empty field counts as none. Two fields of a name: the next hop might take the other one. */
static int field(const HttpHead *head, const char *name, const char **ret_value) {
  const char *value = http_head_get(head, name);
  *ret_value = str_empty(value) ? NULL : value;
  return http_head_count(head, name) > 1 ? -1 : 0;
}

bool target_is_routable(const char *s) {
  struct in_addr v4;
  struct in6_addr v6;
  char bare[64];
  size_t n = strlen(s);
  if (n > 2 && n < sizeof bare && s[0] == '[' && s[n - 1] == ']') {
    snprintf(bare, sizeof bare, "%.*s", (int)n - 2, s + 1);
    s = bare;
  }
  if (inet_pton(AF_INET6, s, &v6) == 1) {
    if (!IN6_IS_ADDR_V4MAPPED(&v6))
      return !IN6_IS_ADDR_UNSPECIFIED(&v6) && !IN6_IS_ADDR_LOOPBACK(&v6) && !IN6_IS_ADDR_LINKLOCAL(&v6) &&
             !IN6_IS_ADDR_MULTICAST(&v6);
    memcpy(&v4, v6.s6_addr + 12, sizeof v4);
  } else if (inet_pton(AF_INET, s, &v4) != 1) {
    return false;
  }
  uint32_t a = ntohl(v4.s_addr);
  /* 0.0.0.0, 127.0.0.0/8, 169.254.0.0/16, 224.0.0.0/4 */
  return a != 0 && a >> 24 != 127 && a >> 16 != 0xa9fe && a >> 28 != 0xe;
}

/* Seconds, a fraction allowed; anything else is as if it was not there. */
static int64_t timeout_of(const char *s, int64_t max_ms) {
  if (!s)
    return max_ms;
  char *end;
  double seconds = strtod(s, &end);
  if (end == s || *end || !isfinite(seconds) || seconds <= 0 || seconds * 1000 >= (double)max_ms)
    return max_ms;
  int64_t ms = (int64_t)(seconds * 1000);
  return ms > 0 ? ms : 1;
}

static const char *parse_name(const HttpHead *head, Target *ret_target) {
  const char *id, *ns, *port;
  int64_t number = TARGET_RUNTIME_PORT;
  int twice = field(head, "X-Sandbox-ID", &id);
  if (!id)
    return "X-Sandbox-ID header is required.";
  if (twice || !str_is_object_name(id))
    return "Invalid sandbox ID format.";
  twice = field(head, "X-Sandbox-Namespace", &ns);
  if (!ns)
    ns = "default";
  if (twice || !str_is_dns_label(ns))
    return "Invalid namespace format.";
  twice = field(head, "X-Sandbox-Port", &port);
  if (twice || (port && str_to_int64(port, 1, 65535, &number) != 0))
    return "Invalid port format.";
  snprintf(ret_target->id, sizeof ret_target->id, "%s", id);
  snprintf(ret_target->ns, sizeof ret_target->ns, "%s", ns);
  ret_target->port = (uint16_t)number;
  return NULL;
}

static void take_name(const Routed *routed, Target *ret_target) {
  snprintf(ret_target->id, sizeof ret_target->id, "%s", routed->name.id);
  snprintf(ret_target->ns, sizeof ret_target->ns, "%s", routed->name.ns);
  ret_target->port = routed->name.port;
  if (routed->authority_len <= TARGET_AUTHORITY_MAX)
    snprintf(ret_target->authority, sizeof ret_target->authority, "%.*s", (int)routed->authority_len,
             routed->authority);
}

const char *target_parse(const HttpHead *head, const Routed *routed, int64_t max_timeout_ms, Target *ret_target) {
  const char *address, *timeout;
  Target target = {.way = routed->way};
  memset(ret_target, 0, sizeof *ret_target);
  const char *detail = NULL;
  if (routed->way == ROUTING_BY_HEADERS)
    detail = parse_name(head, &target);
  else
    take_name(routed, &target);
  if (detail)
    return detail;
  int twice = field(head, "X-Sandbox-Pod-IP", &address);
  if (twice || (address && !target_is_routable(address)))
    return "Invalid target IP address.";
  /* one that is unclear is no reason to refuse: the default applies */
  if (field(head, "X-Sandbox-Timeout", &timeout) != 0)
    timeout = NULL;
  target.timeout_ms = timeout_of(timeout, max_timeout_ms);
  target.names_address = address || !str_empty(http_head_get(head, "X-Sandbox-UID"));
  *ret_target = target;
  return NULL;
}
