/* See listener.h. */
#include "runtime/listener.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

#define BACKLOG 128
/* Out of descriptors: wait instead of spinning on the connection that cannot be taken. */
#define RETRY_MS 50

struct Listener {
  Runtime *rt;
  int fd;
  LoopFd *watch;
  LoopTimer *retry;
  ListenerFn accept;
};

static void on_retry(void *arg) {
  loop_fd_set(((Listener *)arg)->watch, LOOP_READ);
}

static void on_incoming(int events, void *arg) {
  Listener *l = arg;
  for (;;) {
    int fd = accept4(l->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd >= 0) {
      l->accept(l->rt, fd);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED)
      continue;
    if (errno != EAGAIN) {
      loop_fd_set(l->watch, 0);
      loop_timer_start(l->retry, RETRY_MS);
    }
    return;
  }
}

static Listener *watch(Runtime *rt, int fd, ListenerFn accept) {
  fcntl(fd, F_SETFD, FD_CLOEXEC);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  Listener *l = new0(Listener);
  *l = (Listener){.rt = rt, .fd = fd, .accept = accept};
  l->watch = loop_fd_new(rt->loop, fd, LOOP_READ, on_incoming, l);
  l->retry = loop_timer_new(rt->loop, on_retry, l);
  return l;
}

Listener *listener_fd(Runtime *rt, int fd, ListenerFn accept, Error *err) {
  int listening = 0;
  socklen_t len = sizeof listening;
  if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &len) == 0 && listening)
    return watch(rt, fd, accept);
  error_set(err, ERROR_INVALID_ARGUMENT, "--listen-fd %d is not a listening socket", fd);
  return NULL;
}

static Listener *bind_and_listen(Runtime *rt, const struct sockaddr *a, socklen_t len, const char *what,
                                 ListenerFn accept, Error *err) {
  int fd = socket(a->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  int one = 1;
  if (fd >= 0 && a->sa_family != AF_UNIX)
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (fd < 0 || bind(fd, a, len) || listen(fd, BACKLOG)) {
    error_set(err, ERROR_UNAVAILABLE, "cannot listen on %s: %s", what, strerror(errno));
    if (fd >= 0)
      close(fd);
    return NULL;
  }
  return watch(rt, fd, accept);
}

Listener *listener_unix(Runtime *rt, const char *path, ListenerFn accept, Error *err) {
  struct sockaddr_un a = {.sun_family = AF_UNIX};
  if (strlen(path) >= sizeof a.sun_path) {
    error_set(err, ERROR_INVALID_ARGUMENT, "--listen-unix: %s is too long", path);
    return NULL;
  }
  snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
  unlink(path);
  return bind_and_listen(rt, (struct sockaddr *)&a, sizeof a, path, accept, err);
}

Listener *listener_tcp(Runtime *rt, const char *address, ListenerFn accept, Error *err) {
  struct sockaddr_in a = {.sin_family = AF_INET};
  const char *colon = strrchr(address, ':');
  int64_t port;
  if (!colon || str_to_int64(colon + 1, 1, 65535, &port)) {
    error_set(err, ERROR_INVALID_ARGUMENT, "'%s' is not host:port", address);
    return NULL;
  }
  CLEANUP(str_freep) char *host = str_ndup(address, (size_t)(colon - address));
  a.sin_port = htons((uint16_t)port);
  if (inet_pton(AF_INET, *host ? host : "0.0.0.0", &a.sin_addr) != 1) {
    error_set(err, ERROR_INVALID_ARGUMENT, "'%s' is not a numeric IPv4 address", host);
    return NULL;
  }
  return bind_and_listen(rt, (struct sockaddr *)&a, sizeof a, address, accept, err);
}

void listener_free(Listener *l) {
  if (!l)
    return;
  loop_fd_free(l->watch);
  loop_timer_free(l->retry);
  close(l->fd);
  free(l);
}
