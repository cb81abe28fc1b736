/* See redis_socket.h. */
#include "lib/redis/redis_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/str.h"

size_t redis_addresses_count(const char *list) {
  size_t n = *list ? 1 : 0;
  for (; *list; list++)
    n += *list == ',';
  return n;
}

void redis_addresses_get(const char *list, size_t index, char out[REDIS_ADDRESS_MAX]) {
  size_t n = redis_addresses_count(list);
  for (index = n ? index % n : 0; index > 0; index--)
    list = strchr(list, ',') + 1;
  list += strspn(list, " ");
  snprintf(out, REDIS_ADDRESS_MAX, "%.*s", (int)strcspn(list, ", "), list);
}

void redis_address_host(const char *address, char out[REDIS_ADDRESS_MAX]) {
  *out = 0;
  const char *colon = strrchr(address, ':');
  if (!colon || str_starts_with(address, "unix:"))
    return;
  bool bracket = *address == '[' && colon[-1] == ']';
  snprintf(out, REDIS_ADDRESS_MAX, "%.*s", (int)(colon - address) - 2 * bracket, address + bracket);
}

static int open_unix(const char *path, Error *err) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof a.sun_path)
    return error_set(err, ERROR_INVALID_ARGUMENT, "socket path is too long: %s", path);
  strcpy(a.sun_path, path);
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && connect(fd, (struct sockaddr *)&a, sizeof a) && errno != EINPROGRESS) {
    error_set(err, ERROR_UNAVAILABLE, "connect to %s: %s", path, strerror(errno));
    close(fd);
    return -1;
  }
  return fd >= 0 ? fd : error_set(err, ERROR_UNAVAILABLE, "socket: %s", strerror(errno));
}

/* A machine that is cut off sends no reset: the kernel gives up on it, sent bytes or not. */
static void find_dead_peers(int fd) {
  int one = 1, idle_s = 5, interval_s = 2, count = 3, unacked_ms = 10000;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &one, sizeof one);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &idle_s, sizeof idle_s);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &interval_s, sizeof interval_s);
  setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &unacked_ms, sizeof unacked_ms);
}

/* The look-up blocks, which is bearable for the names Redis has: numbers or an entry of /etc/hosts or cluster
 * DNS, once a reconnect. */
static int open_tcp(const char *address, unsigned attempt, Error *err) {
  char host[REDIS_ADDRESS_MAX];
  const char *colon = strrchr(address, ':');
  if (!colon)
    return error_set(err, ERROR_INVALID_ARGUMENT, "not an address: %s", address);
  redis_address_host(address, host);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
  int rc = getaddrinfo(*host ? host : "127.0.0.1", colon + 1, &hints, &list);
  if (rc)
    return error_set(err, ERROR_UNAVAILABLE, "look up %s: %s", host, gai_strerror(rc));
  unsigned n = 0;
  for (const struct addrinfo *a = list; a; a = a->ai_next)
    n++;
  const struct addrinfo *a = list;
  for (unsigned i = attempt % n; i > 0; i--)
    a = a->ai_next;
  int fd = socket(a->ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0)
    find_dead_peers(fd);
  if (fd >= 0 && connect(fd, a->ai_addr, a->ai_addrlen) && errno != EINPROGRESS) {
    close(fd);
    fd = -1;
  }
  if (fd < 0)
    error_set(err, ERROR_UNAVAILABLE, "connect to %s: %s", address, strerror(errno));
  freeaddrinfo(list);
  return fd;
}

int redis_socket_open(const char *address, unsigned attempt, Error *err) {
  return str_starts_with(address, "unix:") ? open_unix(address + 5, err) : open_tcp(address, attempt, err);
}
