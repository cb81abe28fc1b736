/* See listener.h. */
#include "runtime/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/address.h"
#include "lib/base/alloc.h"

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

static Listener *listen_at(Runtime *rt, const Address *address, const char *text, ListenerFn accept, Error *err) {
  struct sockaddr_storage at;
  socklen_t len = address_sockaddr(address, &at);
  int one = 1;
  int fd = socket(at.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd >= 0 && address->kind == ADDRESS_TCP)
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, len) || listen(fd, BACKLOG)) {
    error_set(err, ERROR_UNAVAILABLE, "cannot listen on %s: %s", text, strerror(errno));
    if (fd >= 0)
      close(fd);
    return NULL;
  }
  return watch(rt, fd, accept);
}

Listener *listener_unix(Runtime *rt, const char *path, ListenerFn accept, Error *err) {
  Address address = {.kind = ADDRESS_UNIX};
  if (strlen(path) >= sizeof address.path) {
    error_set(err, ERROR_INVALID_ARGUMENT, "--listen-unix: %s is too long", path);
    return NULL;
  }
  snprintf(address.path, sizeof address.path, "%s", path);
  unlink(path);
  return listen_at(rt, &address, path, accept, err);
}

Listener *listener_tcp(Runtime *rt, const char *text, ListenerFn accept, Error *err) {
  Address address;
  struct sockaddr_storage at;
  if (address_parse(text, &address, err))
    return NULL;
  if (address.kind == ADDRESS_TCP && !*address.host)
    snprintf(address.host, sizeof address.host, "0.0.0.0");
  if (address.kind != ADDRESS_TCP || !address_sockaddr(&address, &at)) {
    error_set(err, ERROR_INVALID_ARGUMENT, "'%s' is not a numeric address and a port", text);
    return NULL;
  }
  return listen_at(rt, &address, text, accept, err);
}

void listener_free(Listener *l) {
  if (!l)
    return;
  loop_fd_free(l->watch);
  loop_timer_free(l->retry);
  close(l->fd);
  free(l);
}
