/* A port of a sandbox, as a path or a host name says it. */
#ifndef SANDPLANE_SERVICES_ROUTER_ROUTE_ROUTE_NAME_H_
#define SANDPLANE_SERVICES_ROUTER_ROUTE_ROUTE_NAME_H_

#include <stdint.h>

typedef struct RouteName {
  char ns[64], id[254];
  uint16_t port;
} RouteName;

/* How the parsers of route/ answer; below 0: it looks like one and is none. */
enum {
  ROUTE_NONE = 0,   /* nothing of the kind */
  ROUTE_FOUND = 1,  /* a name, and all of it */
  ROUTE_FOLDER = 2, /* a path that ends with the port: its page's links would lead elsewhere */
};

#endif
