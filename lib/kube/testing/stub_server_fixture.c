/* See stub_server_fixture.h. */
#include "lib/kube/testing/stub_server_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"

struct StubServer {
  Loop *loop;
  int fd;
  LoopFd *watch;
  StubRequest *requests, **end; /* in the order of connecting; whole once they have a method */
  StubRequest **arrived;
  size_t n_arrived;
  KubeConfig config;
  const KubeClient *held; /* stub_hold_time */
};

static void request_free(StubRequest *r) {
  StubServer *s = r->server;
  StubRequest **at = &s->requests;
  while (*at != r)
    at = &(*at)->next;
  *at = r->next;
  if (s->end == &r->next)
    s->end = at;
  loop_fd_free(r->watch);
  close(r->fd);
  buf_deinit(&r->in);
  buf_deinit(&r->out);
  free(r->method);
  free(r->path);
  free(r->head);
  free(r->body);
  free(r);
}

static bool parse(StubRequest *r) {
  if (r->method || !r->in.data)
    return false;
  const char *text = buf_str(&r->in), *end = strstr(text, "\r\n\r\n");
  if (!end)
    return false;
  const char *length = strcasestr(text, "\r\nContent-Length: ");
  size_t n = length && length < end ? strtoull(length + strlen("\r\nContent-Length: "), NULL, 10) : 0;
  size_t head = (size_t)(end - text) + 4;
  if (r->in.len < head + n)
    return false;
  size_t method = strcspn(text, " "), path = strcspn(text + method + 1, " ");
  r->method = str_ndup(text, method);
  r->path = str_ndup(text + method + 1, path);
  r->head = str_ndup(text, head);
  r->body = str_ndup(text + head, n);
  return true;
}

static void flush(StubRequest *r) {
  while (r->out.len) {
    ssize_t n = send(r->fd, r->out.data, r->out.len, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN)
      break;
    if (n < 0) {
      r->closed = true;
      r->out.len = 0;
      break;
    }
    buf_consume(&r->out, (size_t)n);
  }
  if (r->ending && !r->out.len)
    return request_free(r);
  loop_fd_set(r->watch, r->closed ? 0 : LOOP_READ | (r->out.len ? LOOP_WRITE : 0));
}

static void on_request(int events, void *arg) {
  StubRequest *r = arg;
  StubServer *s = r->server;
  if (events & LOOP_READ) {
    uint8_t *room = buf_reserve(&r->in, 65536);
    assert_non_null(room);
    ssize_t n = recv(r->fd, room, 65536, 0);
    if (n > 0) {
      r->in.len += (size_t)n;
      r->in.data[r->in.len] = 0;
    } else if (n == 0 || errno != EAGAIN) {
      r->closed = true;
      loop_stop(s->loop);
    }
  }
  if (parse(r)) {
    s->arrived = realloc(s->arrived, (s->n_arrived + 1) * sizeof(StubRequest *));
    s->arrived[s->n_arrived++] = r;
    loop_stop(s->loop);
  }
  flush(r);
}

static void on_connection(int events, void *arg) {
  StubServer *s = arg;
  int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (fd < 0)
    return;
  int one = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
  StubRequest *r = calloc(1, sizeof *r);
  *r = (StubRequest){.server = s, .fd = fd};
  r->watch = loop_fd_new(s->loop, fd, LOOP_READ, on_request, r);
  *s->end = r;
  s->end = &r->next;
}

StubServer *stub_server_new(Loop *loop) {
  StubServer *s = calloc(1, sizeof *s);
  *s = (StubServer){.loop = loop, .end = &s->requests};
  s->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  assert_int_equal(bind(s->fd, (struct sockaddr *)&at, len), 0);
  assert_int_equal(listen(s->fd, 1000), 0);
  assert_int_equal(getsockname(s->fd, (struct sockaddr *)&at, &len), 0);
  s->watch = loop_fd_new(loop, s->fd, LOOP_READ, on_connection, s);
  s->config = (KubeConfig){.server = str_printf("http://127.0.0.1:%d", ntohs(at.sin_port)),
                           .ns = "default",
                           .ca_pem = "",
                           .cert_pem = "",
                           .key_pem = "",
                           .token = "t0k",
                           .token_file = "",
                           .server_name = ""};
  return s;
}

void stub_server_free(StubServer *s) {
  while (s->requests)
    request_free(s->requests);
  loop_fd_free(s->watch);
  close(s->fd);
  free(s->config.server);
  free(s->arrived);
  free(s);
}

Loop *stub_server_loop(StubServer *s) {
  return s->loop;
}
KubeConfig *stub_server_config(StubServer *s) {
  return &s->config;
}

StubRequest *stub_next(StubServer *s) {
  STUB_UNTIL(s, s->n_arrived > 0);
  StubRequest *r = s->arrived[0];
  memmove(s->arrived, s->arrived + 1, --s->n_arrived * sizeof(StubRequest *));
  return r;
}

StubRequest *stub_expect(StubServer *s, const char *method, const char *path) {
  StubRequest *r = stub_next(s);
  assert_string_equal(r->method, method);
  if (!str_starts_with(r->path, path))
    fail_msg("%s does not begin with %s", r->path, path);
  return r;
}

int stub_waiting(StubServer *s) {
  return (int)s->n_arrived;
}

static void put(StubRequest *r, const char *text) {
  assert_int_equal(buf_append_str(&r->out, text), 0);
}

void stub_answer(StubRequest *r, int status, const char *headers, const char *body) {
  assert_int_equal(buf_printf(&r->out, "HTTP/1.1 %d X\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n", status,
                              strlen(body), headers ? headers : ""),
                   0);
  put(r, body);
  stub_end(r);
}

void stub_answer_and_keep(StubRequest *r, const char *body) {
  assert_int_equal(buf_printf(&r->out, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n%s", strlen(body), body), 0);
  buf_deinit(&r->in);
  free(r->method);
  free(r->path);
  free(r->head);
  free(r->body);
  r->method = r->path = r->head = r->body = NULL;
  flush(r);
}

void stub_begin(StubRequest *r, int status) {
  assert_int_equal(buf_printf(&r->out, "HTTP/1.1 %d X\r\nConnection: close\r\n\r\n", status), 0);
  flush(r);
}

void stub_send(StubRequest *r, const char *text) {
  put(r, text);
  flush(r);
}

void stub_end(StubRequest *r) {
  r->ending = true;
  flush(r);
}

void stub_break(StubRequest *r) {
  put(r, "HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{\"a\":");
  stub_end(r);
}

void stub_wake(StubServer *s) {
  loop_stop(s->loop);
}

typedef struct Pause {
  StubServer *server;
  bool over;
} Pause;

static void on_pause_over(void *arg) {
  Pause *p = arg;
  p->over = true;
  loop_stop(p->server->loop);
}

/* Runs the loop until this is over or, if wakes, something wakes it before; false then. */
static bool run(StubServer *s, int64_t ms, bool wakes) {
  Pause p = {.server = s};
  LoopTimer *t = loop_timer_new(s->loop, on_pause_over, &p);
  loop_timer_hold_not(t);
  loop_timer_start(t, ms);
  do
    loop_run(s->loop);
  while (!p.over && !wakes);
  loop_timer_free(t);
  return p.over;
}

void stub_hold_time(StubServer *s, const KubeClient *client) {
  s->held = client;
  loop_hold_time(s->loop);
}

void stub_turn(StubServer *s) {
  if (!s->held)
    loop_run(s->loop);
  else if (run(s, 1, true) && !s->n_arrived && kube_client_is_idle(s->held))
    loop_pass_to_next(s->loop);
}

void stub_run_for(StubServer *s, int64_t ms) {
  if (!s->held) {
    run(s, ms, false);
    return;
  }
  /* of a millisecond each: nothing says that nothing comes any more */
  int64_t turns = ms < 20 ? ms : 20;
  for (int64_t i = 0; i < turns && !kube_client_is_idle(s->held); i++)
    run(s, 1, false);
  loop_pass_time(s->loop, ms);
  run(s, turns, false);
}
