/* See http2_fixture.h. */
#include "lib/http2/http2_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"

/* Turns without a byte from either, after which nothing will come: a full socket takes the server five to read. */
enum { QUIET_TURNS = 10 };

static void must(int rc) {
  if (rc != 0)
    abort();
}

/* ---- The server's owner ---- */

static void on_request(void *arg, Http2Stream *stream, const Http2Request *in) {
  Fixture *f = arg;
  Request *r = new0(Request);
  r->f = f;
  r->stream = stream;
  r->id = http2_stream_id(stream);
  r->ended = in->ended;
  must(buf_printf(&r->head, "%s %s %s %s\n", in->method, in->scheme ? in->scheme : "-",
                  in->authority ? in->authority : "-", in->path ? in->path : "-"));
  for (size_t i = 0; i < in->n_fields; i++)
    must(buf_printf(&r->head, "%s: %s\n", in->fields[i].name, in->fields[i].value));
  list_append(&f->requests, &r->link);
  f->n_requests++;
  http2_stream_set_owner(stream, r);
  if (f->free_inside) {
    http2_session_free(f->server);
    f->server = NULL;
  } else if (f->answers && in->ended) {
    http2_stream_respond(stream, 200, NULL, 0, false);
    http2_stream_write(stream, "ok", 2);
    http2_stream_finish(stream, NULL, 0);
  }
}

static void on_body(void *owner, const uint8_t *data, size_t len) {
  Request *r = owner;
  must(buf_append(&r->body, data, len));
  r->shown += len;
  if (r->f->takes)
    http2_stream_took(r->stream, len);
}

static void on_end(void *owner, const Http2Field *trailers, size_t n_trailers) {
  Request *r = owner;
  r->ended = true;
  for (size_t i = 0; i < n_trailers; i++)
    must(buf_printf(&r->body, "|%s: %s", trailers[i].name, trailers[i].value));
  if (!r->f->answers)
    return;
  http2_stream_respond(r->stream, 200, NULL, 0, false);
  http2_stream_write(r->stream, "ok", 2);
  http2_stream_finish(r->stream, NULL, 0);
}

static void on_drain(void *owner) {
  ((Request *)owner)->drains++;
}

static void on_close(void *owner, uint32_t code) {
  Request *r = owner;
  r->closes++;
  r->code = code;
  r->stream = NULL;
}

static void on_refused(void *arg, Http2Why why) {
  ((Fixture *)arg)->refused[why]++;
}

static void on_over(void *arg, Http2Why why) {
  Fixture *f = arg;
  f->overs++;
  f->why = why;
  http2_session_free(f->server);
  f->server = NULL;
}

static const Http2Handlers HANDLERS = {on_request, on_body, on_end, on_drain, on_close, on_refused, on_over};

Request *fixture_request(Fixture *f, int32_t id) {
  LIST_EACH(Request, r, &f->requests, link) {
    if (r->id == id)
      return r;
  }
  abort();
}

/* ---- Bytes ---- */

static size_t client_say(Fixture *f) {
  const uint8_t *data;
  size_t all = 0;
  ssize_t n;
  while (f->client && !f->ended && (n = nghttp2_session_mem_send(f->client, &data)) > 0) {
    raw_send(f, data, (size_t)n);
    all += (size_t)n;
  }
  return all;
}

static size_t client_hear(Fixture *f) {
  uint8_t block[64 << 10];
  size_t all = 0;
  ssize_t n;
  if (f->deaf)
    return 0;
  while ((n = recv(f->far, block, sizeof block, MSG_DONTWAIT)) > 0) {
    all += (size_t)n;
    if (!f->client)
      must(buf_append(&f->in, block, (size_t)n));
    else if (nghttp2_session_mem_recv(f->client, block, (size_t)n) < 0)
      abort();
  }
  if (n == 0 || errno == ECONNRESET)
    f->ended = true;
  return all;
}

static void stop(void *arg) {
  loop_stop(arg);
}

/* With what is due at once, which a loop that holds time leaves to itself. */
static void turn(Fixture *f) {
  loop_timer_start(f->turn, 0);
  loop_run(f->loop);
  loop_pass_time(f->loop, 0);
}

void fixture_settle(Fixture *f) {
  for (int quiet = 0; quiet < QUIET_TURNS; quiet++) {
    size_t moved = client_say(f);
    turn(f);
    moved += client_hear(f);
    if (moved > 0)
      quiet = 0;
  }
}

void fixture_pass_time(Fixture *f, int64_t ms) {
  loop_pass_time(f->loop, ms);
  fixture_settle(f);
}

/* ---- The client's owner ---- */

static void on_response(void *owner, const Http2Response *response) {
  Ask *a = owner;
  a->status = response->status;
  a->ended = response->ended;
  for (size_t i = 0; i < response->n_fields; i++)
    must(buf_printf(&a->head, "%s: %s\n", response->fields[i].name, response->fields[i].value));
  if (a->f->free_inside) {
    http2_session_free(a->f->server);
    a->f->server = NULL;
    a->stream = NULL;
  }
}

static void on_answer_body(void *owner, const uint8_t *data, size_t len) {
  Ask *a = owner;
  must(buf_append(&a->body, data, len));
  if (a->f->takes)
    http2_stream_took(a->stream, len);
}

static void on_answer_end(void *owner, const Http2Field *trailers, size_t n_trailers) {
  Ask *a = owner;
  a->ended = true;
  for (size_t i = 0; i < n_trailers; i++)
    must(buf_printf(&a->body, "|%s: %s", trailers[i].name, trailers[i].value));
}

static void on_ask_drain(void *owner) {
  ((Ask *)owner)->drains++;
}

static void on_ask_close(void *owner, uint32_t code) {
  Ask *a = owner;
  a->closes++;
  a->code = code;
  a->lost = http2_client_lost(a->stream);
  a->stream = NULL;
}

static void on_change(void *arg) {
  ((Fixture *)arg)->changes++;
}

static const Http2ClientHandlers CLIENT_HANDLERS = {on_response,  on_answer_body, on_answer_end, on_ask_drain,
                                                    on_ask_close, on_change,      on_over};

Ask *fixture_ask(Fixture *f, const char *path, const char *body) {
  const Http2Field te = {"TE", "trailers"};
  const Http2Request request = {"POST", "http", "a.test", path, &te, 1, body == NULL};
  Ask *a = new0(Ask);
  a->f = f;
  a->stream = http2_client_request(f->server, &request, a);
  if (body)
    http2_stream_write(a->stream, body, strlen(body));
  list_append(&f->asks, &a->link);
  return a;
}

/* ---- Both ---- */

static Fixture *begin(Stream **ret_near) {
  Fixture *f = new0(Fixture);
  int fds[2];
  must(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds));
  f->loop = loop_new();
  loop_hold_time(f->loop);
  f->turn = loop_timer_new(f->loop, stop, f->loop);
  list_init(&f->requests);
  f->far = fds[1];
  f->takes = true;
  list_init(&f->asks);
  *ret_near = stream_new(f->loop, fds[0], 1, &(StreamHandlers){0}, NULL);
  return f;
}

Fixture *fixture_new_client(const Http2Config *config) {
  Stream *stream;
  Fixture *f = begin(&stream);
  f->server = http2_client_new(f->loop, stream, config ? config : &HTTP2_CLIENT_DEFAULTS, &CLIENT_HANDLERS, f);
  return f;
}

Fixture *fixture_new(const Http2Config *config) {
  Stream *stream;
  Fixture *f = begin(&stream);
  f->server = http2_session_new(f->loop, stream, config ? config : &HTTP2_DEFAULTS, &HANDLERS, f);
  return f;
}

void fixture_free(Fixture *f) {
  http2_session_free(f->server);
  nghttp2_session_del(f->client);
  close(f->far);
  loop_timer_free(f->turn);
  loop_free(f->loop);
  LIST_EACH(Request, r, &f->requests, link) {
    buf_deinit(&r->head);
    buf_deinit(&r->body);
    free(r);
  }
  LIST_EACH(Ask, a, &f->asks, link) {
    buf_deinit(&a->head);
    buf_deinit(&a->body);
    free(a);
  }
  for (int i = 0; i < FIXTURE_STREAMS; i++) {
    buf_deinit(&f->answers_of[i].heads);
    buf_deinit(&f->answers_of[i].body);
  }
  buf_deinit(&f->in);
  free(f);
}

/* What the socket does not take waits until the server has read. */
void raw_send(Fixture *f, const void *data, size_t len) {
  const uint8_t *at = data;
  while (len > 0) {
    ssize_t n = send(f->far, at, len, MSG_NOSIGNAL);
    if (n < 0 && errno == EAGAIN) {
      turn(f);
      client_hear(f);
      if (!f->server)
        return;
      continue;
    }
    if (n < 0)
      return; /* the server has closed */
    at += n;
    len -= (size_t)n;
  }
}
