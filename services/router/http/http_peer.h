/* Who is at the other end of a connection. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_HTTP_PEER_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_HTTP_PEER_H_

#include <stddef.h>

enum { HTTP_PEER_SIZE = 96 };

/* As gRPC writes it, "ipv4:127.0.0.1:1234". ip: of the peer; fd: the connection's. */
void http_peer_name(const char *ip, int fd, char out[HTTP_PEER_SIZE]);

#endif
