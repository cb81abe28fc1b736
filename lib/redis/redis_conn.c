/* See redis_conn.h. */
#include "lib/redis/redis_conn.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/crypto/tls_stream.h"
#include "lib/loop/stream_connect.h"
#include "lib/redis/redis_config.h"
#include "lib/redis/redis_greeting.h"
#include "lib/redis/redis_resp.h"

/* Reconnecting: fast at first, for a server that restarts; jittered, so that replicas do not come at once. */
#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 1000
/* A connect that hangs is given up, and so is a greeting. */
#define ANSWER_TIMEOUT_MS 2000
#define READ_CHUNK (64 << 10)

typedef enum ConnState { CONN_WAITING, CONN_CONNECTING, CONN_GREETING, CONN_OPEN } ConnState;

struct RedisConn {
  RedisShared *shared;
  RedisPeer peer;
  char *addresses;                 /* a list, NULL: none is known yet */
  char address[REDIS_ADDRESS_MAX]; /* of this attempt */
  RedisConnHandlers handlers;
  void *arg;
  ConnState state;
  StreamConnect *connect; /* while CONN_CONNECTING */
  Stream *stream;         /* from CONN_GREETING on */
  LoopTimer *timer;       /* the next attempt, or the end of the greeting */
  LoopTimer *flush_timer;
  int64_t backoff_ms;
  RedisReader *reader; /* of this connection */
  Buf out;
  RedisGreeting greeting;
  bool looks_later; /* the timer is for another look at its file */
  unsigned attempt; /* names with several addresses: they take turns */
  char trouble[400], told[400];
};

/* ---- connecting ---- */

/* Each new trouble once, not each attempt. */
static void note_trouble(RedisConn *c, const Error *why) {
  snprintf(c->trouble, sizeof c->trouble, "%s", why->message);
  if (strcmp(c->trouble, c->told) == 0)
    return;
  snprintf(c->told, sizeof c->told, "%s", c->trouble);
  if (c->shared->events.on_trouble)
    c->shared->events.on_trouble(c->shared->events_arg, c->address, c->trouble);
}

static void hang_up(RedisConn *c) {
  stream_connect_free(c->connect);
  c->connect = NULL;
  stream_free(c->stream);
  c->stream = NULL;
}

static void drop(RedisConn *c, const Error *why, int64_t delay_ms) {
  bool was_open = c->state == CONN_OPEN;
  hang_up(c);
  c->state = CONN_WAITING;
  c->looks_later = false;
  note_trouble(c, why);
  buf_deinit(&c->out);
  loop_timer_stop(c->flush_timer);
  loop_timer_start(c->timer, delay_ms);
  if (was_open && c->handlers.on_close)
    c->handlers.on_close(c->arg, why);
}

static void lose(RedisConn *c, const Error *why) {
  uint8_t jitter;
  random_bytes(&jitter, 1);
  int64_t delay_ms = c->backoff_ms / 2 + c->backoff_ms * jitter / 512;
  c->backoff_ms = c->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : c->backoff_ms * 2;
  drop(c, why, delay_ms);
}

static void lose_errno(RedisConn *c, const char *what) {
  Error err;
  const char *tls = errno == EPROTO && c->stream ? stream_trouble(c->stream) : "";
  error_set(&err, ERROR_UNAVAILABLE, "state store: %s: %s", what, *tls ? tls : strerror(errno));
  lose(c, &err);
}

static void flush(void *arg) {
  RedisConn *c = arg;
  if (c->state == CONN_OPEN && c->handlers.before_write)
    c->handlers.before_write(c->arg);
  stream_write(c->stream, c->out.data, c->out.len);
  c->out.len = 0;
}

static void opened(RedisConn *c) {
  c->state = CONN_OPEN;
  c->backoff_ms = BACKOFF_MIN_MS;
  loop_timer_stop(c->timer);
  if (*c->told && c->shared->events.on_back)
    c->shared->events.on_back(c->shared->events_arg, c->address);
  *c->told = 0;
  c->handlers.on_open(c->arg);
}

static const StreamHandlers STREAM_HANDLERS;

/* Owns fd. NULL and err: the files of TLS cannot be used. */
static Stream *new_stream(RedisConn *c, int fd, Error *err) {
  RedisShared *s = c->shared;
  if (!s->config.tls)
    return stream_new(s->loop, fd, READ_CHUNK, &STREAM_HANDLERS, c);
  char host[REDIS_ADDRESS_MAX];
  redis_address_host(c->address, host);
  const char *name = str_empty(s->config.tls_server_name) ? host : s->config.tls_server_name;
  struct ssl_st *ssl = redis_config_tls(&s->config, &s->tls, err) ? NULL : tls_connection(s->tls, name, err);
  if (ssl)
    return tls_stream_new(s->loop, fd, ssl, READ_CHUNK, &STREAM_HANDLERS, c);
  close(fd);
  return NULL;
}

static void on_connected(void *arg, int fd, int errnum) {
  RedisConn *c = arg;
  Error err;
  c->connect = NULL;
  if (errnum) {
    errno = errnum;
    return lose_errno(c, "connect");
  }
  c->stream = new_stream(c, fd, &err);
  if (!c->stream || redis_greeting_begin(&c->greeting, &c->shared->config, c->peer, &c->out, &err))
    return lose(c, &err);
  c->state = CONN_GREETING;
  loop_timer_start(c->timer, ANSWER_TIMEOUT_MS);
  flush(c);
}

/* One more reply before it is open. */
static void take_greeting(RedisConn *c, const RedisReply *r) {
  Error err;
  int next = redis_greeting_take(&c->greeting, r, &c->out, &err);
  if (next < 0)
    return lose(c, &err);
  if (next == REDIS_GREET_DONE)
    return opened(c);
  c->looks_later = next == REDIS_GREET_LATER;
  if (c->looks_later) {
    error_set(&err, ERROR_UNAVAILABLE, "state store: its append-only file is being written anew, as after each start");
    note_trouble(c, &err);
    loop_timer_start(c->timer, REDIS_GREET_LOOK_MS);
  }
  if (next == REDIS_GREET_MORE && c->out.len)
    flush(c);
}

static void look_again(RedisConn *c) {
  c->looks_later = false;
  loop_timer_start(c->timer, ANSWER_TIMEOUT_MS);
  redis_greeting_look(&c->greeting, &c->out);
  flush(c);
}

static void take_replies(RedisConn *c) {
  const RedisReply *reply;
  Error err;
  while (c->stream) {
    if (redis_reader_next(c->reader, &reply, &err))
      return lose(c, &err);
    if (!reply)
      return;
    if (c->state == CONN_GREETING)
      take_greeting(c, reply);
    else
      c->handlers.on_reply(c->arg, reply);
  }
}

static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  RedisConn *c = arg;
  redis_reader_feed(c->reader, data, len);
  take_replies(c);
  return len;
}

static void on_error(void *arg, int errnum) {
  errno = errnum;
  lose_errno(arg, "read");
}

static void on_eof(void *arg) {
  on_error(arg, ECONNRESET);
}

/* That writing fails, reading tells as well. */
static const StreamHandlers STREAM_HANDLERS = {.on_data = on_data, .on_eof = on_eof, .on_error = on_error};

/* A machine that is cut off sends no reset: the kernel gives up on it, sent bytes or not. */
static const StreamKeepalive KEEPALIVE = {.idle_s = 5, .interval_s = 2, .count = 3, .unacked_ms = 10000};

static void try_next(RedisConn *c) {
  Error err;
  Address to;
  unsigned n = (unsigned)redis_addresses_count(c->addresses), attempt = c->attempt++;
  redis_addresses_get(c->addresses, attempt, c->address);
  if (redis_address_look_up(c->address, n ? attempt / n : 0, &to, &err))
    return lose(c, &err);
  c->state = CONN_CONNECTING;
  redis_reader_free(c->reader);
  c->reader = redis_reader_new();
  c->connect = stream_connect(c->shared->loop, &to, ANSWER_TIMEOUT_MS, &KEEPALIVE, on_connected, c);
}

static void on_timer(void *arg) {
  RedisConn *c = arg;
  if (c->looks_later)
    return look_again(c);
  if (c->state == CONN_WAITING && c->addresses)
    return try_next(c);
  if (c->state == CONN_WAITING)
    return;
  errno = ETIMEDOUT;
  lose_errno(c, "connect");
}

/* ---- for its owner ---- */

RedisConn *redis_conn_new(RedisShared *shared, RedisPeer peer, const char *addresses, const RedisConnHandlers *handlers,
                          void *arg) {
  RedisConn *c = new0(RedisConn);
  *c = (RedisConn){.shared = shared,
                   .peer = peer,
                   .addresses = addresses ? str_dup(addresses) : NULL,
                   .handlers = *handlers,
                   .arg = arg,
                   .backoff_ms = BACKOFF_MIN_MS,
                   .out = BUF_INIT(0),
                   .trouble = "not connected yet"};
  c->timer = loop_timer_new(shared->loop, on_timer, c);
  c->flush_timer = loop_timer_new(shared->loop, flush, c);
  loop_timer_start(c->timer, 0);
  return c;
}

void redis_conn_redirect(RedisConn *c, const char *addresses) {
  if (c->addresses && strcmp(c->addresses, addresses) == 0)
    return;
  free(c->addresses);
  c->addresses = str_dup(addresses);
  c->backoff_ms = BACKOFF_MIN_MS;
  Error err;
  error_set(&err, ERROR_UNAVAILABLE, "the master is now %s", addresses);
  if (c->state == CONN_WAITING)
    loop_timer_start(c->timer, 0);
  else
    drop(c, &err, 0);
}

void redis_conn_drop(RedisConn *c, const char *why) {
  Error err;
  error_set(&err, ERROR_UNAVAILABLE, "state store: %s", why);
  if (c->state != CONN_WAITING)
    lose(c, &err);
}

void redis_conn_free(RedisConn *c) {
  if (!c)
    return;
  hang_up(c);
  loop_timer_free(c->timer);
  loop_timer_free(c->flush_timer);
  redis_reader_free(c->reader);
  buf_deinit(&c->out);
  free(c->addresses);
  free(c);
}

const char *redis_conn_lineage(const RedisConn *c) {
  return c->greeting.lineage;
}

const char *redis_conn_address(const RedisConn *c) {
  return c->address;
}

bool redis_conn_open(const RedisConn *c) {
  return c->state == CONN_OPEN;
}

const char *redis_conn_trouble(const RedisConn *c) {
  return c->trouble;
}

void redis_conn_send(RedisConn *c, size_t argc, const char *const *argv, const size_t *lens, bool urgent) {
  bool first = c->out.len == 0;
  redis_resp_command(&c->out, argc, argv, lens);
  /* straight to the socket when nothing waits before it */
  if (urgent && first)
    flush(c);
  else if (first)
    loop_timer_start(c->flush_timer, 0);
}

Arena *redis_conn_keep_reply(RedisConn *c) {
  return redis_reader_keep(c->reader);
}
