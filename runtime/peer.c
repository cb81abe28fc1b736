/* See peer.h. Questions of which every kernel answers one, rather than EPOLLRDHUP, which gVisor's of 2022 never
 * reports. */
#include "runtime/peer.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

static bool tcp_has_ended(int fd) {
  struct tcp_info info = {0};
  socklen_t len = sizeof info;
  if (getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &len))
    return false;
  return info.tcpi_state == TCP_CLOSE_WAIT || info.tcpi_state == TCP_LAST_ACK || info.tcpi_state == TCP_CLOSING ||
         info.tcpi_state == TCP_CLOSE;
}

bool peer_is_gone(int fd) {
  int domain = 0;
  socklen_t len = sizeof domain;
  struct pollfd p = {.fd = fd};
  if (poll(&p, 1, 0) == 1 && p.revents & (POLLERR | POLLHUP))
    return true;
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &len) == 0 && domain != AF_UNIX)
    return tcp_has_ended(fd);
  /* Nothing is sent, but whether it could be is checked: by Linux in send, by gVisor (of a socket of the host's) in
   * write. SIGPIPE comes of the latter, and has a handler that does nothing. */
  return (send(fd, "", 0, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 || write(fd, "", 0) < 0) &&
         (errno == EPIPE || errno == ECONNRESET);
}
