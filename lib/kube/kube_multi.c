/* See kube_multi.h. */
#include "lib/kube/kube_multi.h"

#include <stdlib.h>

#include "lib/base/alloc.h"

/* One, and another when that has as many streams as the server allows, or is ending. */
#define HOST_CONNECTIONS 2L

typedef struct Socket {
  KubeMulti *m;
  LoopFd *fd;
  int number;
} Socket;

static void on_fd(int events, void *arg) {
  Socket *s = arg;
  KubeMulti *m = s->m;
  int flags = (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0);
  int running;
  curl_multi_socket_action(m->curl, s->number, flags, &running);
  m->stepped(m->arg);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_fd) {
  KubeMulti *m = arg;
  Socket *s = of_fd;
  if (what == CURL_POLL_REMOVE) {
    if (s)
      loop_fd_free(s->fd);
    free(s);
    curl_multi_assign(m->curl, fd, NULL);
    return 0;
  }
  int events = (what != CURL_POLL_OUT ? LOOP_READ : 0) | (what != CURL_POLL_IN ? LOOP_WRITE : 0);
  if (s) {
    loop_fd_set(s->fd, events);
    return 0;
  }
  s = xcalloc(1, sizeof *s);
  *s = (Socket){.m = m, .number = fd};
  s->fd = loop_fd_new(m->loop, fd, events, on_fd, s);
  curl_multi_assign(m->curl, fd, s);
  return 0;
}

static int on_timer_wanted(CURLM *curl, long ms, void *arg) {
  KubeMulti *m = arg;
  if (ms < 0)
    loop_timer_stop(m->timer);
  else
    loop_timer_start(m->timer, ms);
  return 0;
}

static void on_timer(void *arg) {
  KubeMulti *m = arg;
  int running;
  curl_multi_socket_action(m->curl, CURL_SOCKET_TIMEOUT, 0, &running);
  m->stepped(m->arg);
}

void kube_multi_share(KubeMulti *m, bool shared) {
  curl_multi_setopt(m->curl, CURLMOPT_MAX_HOST_CONNECTIONS, shared ? HOST_CONNECTIONS : 0L);
}

void kube_multi_init(KubeMulti *m, Loop *loop, void (*stepped)(void *arg), void *arg) {
  *m = (KubeMulti){.loop = loop, .curl = curl_multi_init(), .stepped = stepped, .arg = arg};
  if (!m->curl)
    abort();
  m->timer = loop_timer_new(loop, on_timer, m);
  loop_timer_hold_not(m->timer);
  curl_multi_setopt(m->curl, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(m->curl, CURLMOPT_SOCKETDATA, m);
  curl_multi_setopt(m->curl, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
  curl_multi_setopt(m->curl, CURLMOPT_TIMERDATA, m);
  curl_multi_setopt(m->curl, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
}

void kube_multi_deinit(KubeMulti *m) {
  curl_multi_cleanup(m->curl);
  loop_timer_free(m->timer);
}
