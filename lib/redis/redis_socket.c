/* See redis_socket.h. */
#include "lib/redis/redis_socket.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/address.h"
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

void redis_address_host(const char *text, char out[REDIS_ADDRESS_MAX]) {
  Address address;
  bool tcp = address_parse(text, &address, NULL) == 0;
  snprintf(out, REDIS_ADDRESS_MAX, "%s", tcp ? address.host : "");
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

static int connect_to(const struct sockaddr *at, socklen_t len, const char *text, Error *err) {
  int fd = socket(at->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return error_set(err, ERROR_UNAVAILABLE, "socket: %s", strerror(errno));
  if (at->sa_family != AF_UNIX)
    find_dead_peers(fd);
  if (connect(fd, at, len) == 0 || errno == EINPROGRESS)
    return fd;
  error_set(err, ERROR_UNAVAILABLE, "connect to %s: %s", text, strerror(errno));
  close(fd);
  return -1;
}

/* The look-up blocks, which is bearable for the names Redis has: numbers or an entry of /etc/hosts or cluster
 * DNS, once a reconnect. */
static int open_by_name(const Address *address, const char *text, unsigned attempt, Error *err) {
  char port[8];
  snprintf(port, sizeof port, "%u", (unsigned)address->port);
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
  int rc = getaddrinfo(*address->host ? address->host : "127.0.0.1", port, &hints, &list);
  if (rc)
    return error_set(err, ERROR_UNAVAILABLE, "look up %s: %s", address->host, gai_strerror(rc));
  unsigned n = 1; /* that there is none is an error (getaddrinfo(3)) */
  for (const struct addrinfo *a = list->ai_next; a; a = a->ai_next)
    n++;
  const struct addrinfo *a = list;
  for (unsigned i = attempt % n; i > 0; i--)
    a = a->ai_next;
  int fd = connect_to(a->ai_addr, a->ai_addrlen, text, err);
  freeaddrinfo(list);
  return fd;
}

int redis_socket_open(const char *text, unsigned attempt, Error *err) {
  Address address;
  struct sockaddr_storage at;
  if (address_parse_peer(text, &address, err))
    return -1;
  socklen_t len = address_sockaddr(&address, &at);
  return len ? connect_to((struct sockaddr *)&at, len, text, err) : open_by_name(&address, text, attempt, err);
}
