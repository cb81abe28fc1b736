/* See wire_connect.h. */
#include "lib/wire/wire_connect.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/address.h"
#include "lib/base/str.h"

static void close_fd(int *fd) {
  if (*fd >= 0)
    close(*fd);
}

static int unreachable(Error *err, const char *route) {
  return error_set(err, ERROR_UNAVAILABLE, "%s: %s", route, strerror(errno));
}

static int connect_to(int family, const void *address, socklen_t len, const char *route, Error *err) {
  int fd = socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return unreachable(err, route);
  if (connect(fd, address, len) != 0 && errno != EINPROGRESS) {
    unreachable(err, route);
    close(fd);
    return -1;
  }
  return fd;
}

static int connect_unix(const char *path, const char *route, Error *err) {
  CLEANUP(close_fd) int at = open(path, O_PATH | O_NOFOLLOW | O_CLOEXEC);
  struct stat st;
  if (at < 0 || fstat(at, &st) != 0)
    return unreachable(err, route);
  if (!S_ISSOCK(st.st_mode))
    return error_set(err, ERROR_UNAVAILABLE, "%s: not a socket", route);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "/proc/self/fd/%d", at);
  return connect_to(AF_UNIX, &address, sizeof address, route, err);
}

static int connect_tcp(const char *host_port, const char *route, Error *err) {
  Address address;
  struct sockaddr_storage at;
  socklen_t len;
  if (address_parse_peer(host_port, &address, NULL) || address.kind != ADDRESS_TCP ||
      !(len = address_sockaddr(&address, &at)))
    return error_set(err, ERROR_INTERNAL, "malformed route \"%s\"", route);
  int fd = connect_to(at.ss_family, &at, len, route, err);
  int one = 1;
  if (fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) {
    unreachable(err, route);
    close(fd);
    return -1;
  }
  return fd;
}

int wire_connect(const char *route, Error *err) {
  if (str_starts_with(route, "unix:"))
    return connect_unix(route + 5, route, err);
  if (str_starts_with(route, "tcp:"))
    return connect_tcp(route + 4, route, err);
  return error_set(err, ERROR_INTERNAL, "malformed route \"%s\"", route);
}
