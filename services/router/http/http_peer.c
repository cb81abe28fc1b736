/* See http_peer.h. */
#include "services/router/http/http_peer.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

void http_peer_name(const char *ip, int fd, char out[HTTP_PEER_SIZE]) {
  struct sockaddr_storage at = {0};
  socklen_t len = sizeof at;
  unsigned port = 0;
  if (getpeername(fd, (struct sockaddr *)&at, &len) == 0 && at.ss_family == AF_INET)
    port = ntohs(((const struct sockaddr_in *)&at)->sin_port);
  else if (at.ss_family == AF_INET6)
    port = ntohs(((const struct sockaddr_in6 *)&at)->sin6_port);
  bool v6 = strchr(ip, ':');
  snprintf(out, HTTP_PEER_SIZE, v6 ? "ipv6:[%s]:%u" : "ipv4:%s:%u", ip, port);
}
