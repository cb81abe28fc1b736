/* The settings of how a request may name its sandbox, and which hosts are served at all. Strings are the caller's. */
#ifndef SANDPLANE_SERVICES_ROUTER_ROUTE_ROUTING_H_
#define SANDPLANE_SERVICES_ROUTER_ROUTE_ROUTING_H_

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/compiler.h"
#include "lib/base/error.h"
#include "lib/http/http_reader.h"
#include "services/router/route/route_name.h"

/* All zero: by headers alone, any host. */
typedef struct Routing {
  const char *prefix;        /* of paths; NULL or "": off */
  bool keeps_answers;        /* Set-Cookie and Location of answers by path stay as they are */
  const char *domain;        /* of host names; NULL or "": off */
  const char *allowed_hosts; /* beside private names and the domain's; NULL: any host */
} Routing;

typedef enum RoutingWay { ROUTING_BY_HEADERS, ROUTING_BY_PATH, ROUTING_BY_HOST } RoutingWay;

/* What a request's path and host say of it, before its headers are asked. */
typedef struct Routed {
  RoutingWay way;
  RouteName name;        /* not by headers */
  const char *path;      /* for the program: what of the path is its own, or all; begins with "/", "?" or nothing */
  bool lacks_slash;      /* by path, which ends with the port */
  const char *authority; /* what the client calls the router, with a port if it has one; perhaps not NUL-terminated */
  size_t authority_len;  /* 0: none was said, in HTTP/1.0 */
  bool is_allowed;       /* the host is served */
} Routed;

typedef struct RoutingFlags {
  const char *prefix, *domain, *allowed_hosts;
  bool rewrites;
  const char *http_address, *https_address; /* the listeners'; "": there is none */
} RoutingFlags;

/* allowed_hosts "" is no bound unless all listeners are loopback. 0 or -1, err names the flag. */
int routing_init(Routing *ret, const RoutingFlags *flags, Error *err) MUST_CHECK;

/* path: forward_path's. NULL, or the detail of a 400; ret_routed is then only good for is_allowed. */
const char *routing_parse(const Routing *routing, const HttpHead *head, const char *path,
                          Routed *ret_routed) MUST_CHECK;

#endif
