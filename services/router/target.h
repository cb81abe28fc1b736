/* Which sandbox an HTTP request is for: its path, its host or the X-Sandbox-* headers, these checked in the order and
 * with the words of the Agent Sandbox router, so that its clients understand a refusal. */
#ifndef SANDPLANE_SERVICES_ROUTER_TARGET_H_
#define SANDPLANE_SERVICES_ROUTER_TARGET_H_

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/compiler.h"
#include "lib/http/http_reader.h"
#include "services/router/route/routing.h"

/* Of the runtime in a sandbox: its HTTP port, and the default of X-Sandbox-Port. In a Pod it takes calls there as well,
 * and tells them by their first byte. */
enum { TARGET_RUNTIME_PORT = 8888 };
/* A name and ":65535". */
enum { TARGET_AUTHORITY_MAX = 259 };

/* Which sandbox of a name a caller may reach; empty: any. */
typedef struct TargetPass {
  char owner[64]; /* tenant; another's is as if it was not there */
  char uid[65];   /* of its claim */
} TargetPass;

typedef struct Target {
  /* A Sandbox object's name is a DNS subdomain; the Agent Sandbox router takes labels alone. */
  char ns[64], id[254];
  uint16_t port;
  int64_t timeout_ms;
  /* The caller named an address or a uid as well. They are checked and not used: the state alone decides
   * where a sandbox is; but a scoped token does not cover such a request. */
  bool names_address;
  /* What the one who let the request in leaves to the sandbox's record. */
  TargetPass pass;
  RoutingWay way;
  /* Not by headers: what the client calls the router, as in a URL; empty: it was not said, or is too long for one. */
  char authority[TARGET_AUTHORITY_MAX + 1];
} Target;

/* Nothing that means "this machine" or "whoever is near": such an address is never that of a sandbox. */
bool target_is_routable(const char *address);
/* routed: what routing_parse took. max_timeout_ms: the default, and the most X-Sandbox-Timeout can ask for. NULL, or
 * the detail of the 400. */
const char *target_parse(const HttpHead *head, const Routed *routed, int64_t max_timeout_ms,
                         Target *ret_target) MUST_CHECK;

#endif
