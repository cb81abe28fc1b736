/* See redis_conn.h. */
#include "lib/redis/redis_conn.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/redis/redis_greeting.h"
#include "lib/redis/redis_reply.h"
#include "lib/redis/redis_socket.h"
#include "lib/redis/redis_stream.h"

/* Reconnecting: fast at first, for a server that restarts; jittered, so that replicas do not come at once. */
#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 1000
/* A connect that hangs is given up. */
#define CONNECT_TIMEOUT_MS 2000
#define READ_CHUNK (64 << 10)

typedef enum ConnState { CONN_WAITING, CONN_CONNECTING, CONN_GREETING, CONN_OPEN } ConnState;

struct RedisConn {
  Loop *loop;
  const RedisConfig *config;
  RedisPeer peer;
  char *addresses;                 /* a list, NULL: none is known yet */
  char address[REDIS_ADDRESS_MAX]; /* of this attempt */
  RedisConnHandlers handlers;
  void *arg;
  ConnState state;
  RedisStream stream;
  LoopFd *watch;    /* NULL: there is no socket */
  LoopTimer *timer; /* the next attempt, or the end of this one */
  LoopTimer *flush_timer;
  int64_t backoff_ms;
  redisReader *reader;
  Arena *arena;
  Buf out;
  RedisGreeting greeting;
  bool looks_later; /* the timer is for another look at its file */
  unsigned attempt; /* names with several addresses: they take turns */
  char trouble[400], logged[400];
};

static void reader_reset(RedisConn *c) {
  if (c->reader)
    redisReaderFree(c->reader);
  c->reader = redis_reply_reader(c->arena);
}

/* ---- connecting ---- */

/* Each new trouble once, not each attempt. */
static void note_trouble(RedisConn *c, const Error *why) {
  snprintf(c->trouble, sizeof c->trouble, "%s", why->message);
  if (strcmp(c->trouble, c->logged) == 0)
    return;
  snprintf(c->logged, sizeof c->logged, "%s", c->trouble);
  log_event(LOG_WARN, "redis_away", LOG_STR("address", c->address), LOG_STR("message", c->trouble));
}

static void drop(RedisConn *c, const Error *why, int64_t delay_ms) {
  bool was_open = c->state == CONN_OPEN;
  loop_fd_free(c->watch);
  c->watch = NULL;
  redis_stream_close(&c->stream);
  c->state = CONN_WAITING;
  c->looks_later = false;
  note_trouble(c, why);
  buf_deinit(&c->out);
  loop_timer_stop(c->flush_timer);
  loop_timer_start(c->timer, delay_ms);
  if (was_open)
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
  const char *why = errno == EPROTO ? redis_stream_trouble(&c->stream) : strerror(errno);
  error_set(&err, ERROR_UNAVAILABLE, "state store: %s: %s", what, why);
  lose(c, &err);
}

static void flush(void *arg) {
  RedisConn *c = arg;
  if (c->state == CONN_OPEN && c->handlers.before_write)
    c->handlers.before_write(c->arg);
  bool blocked = false;
  while (c->out.len && !blocked) {
    ssize_t n = redis_stream_write(&c->stream, c->out.data, c->out.len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno != EAGAIN)
      return lose_errno(c, "write");
    blocked = n < 0;
    if (!blocked)
      buf_consume(&c->out, (size_t)n);
  }
  if (redis_stream_push(&c->stream))
    return lose_errno(c, "write");
  /* a handshake that must read first would make a writable socket turn in circles */
  bool wants = c->stream.ssl ? redis_stream_waits(&c->stream) : c->out.len > 0;
  loop_fd_set(c->watch, LOOP_READ | (wants ? LOOP_WRITE : 0));
}

static void opened(RedisConn *c) {
  c->state = CONN_OPEN;
  c->backoff_ms = BACKOFF_MIN_MS;
  loop_timer_stop(c->timer);
  if (*c->logged)
    log_event(LOG_INFO, "redis_back", LOG_STR("address", c->address));
  *c->logged = 0;
  c->handlers.on_open(c->arg);
}

static void connected(RedisConn *c) {
  int e = 0;
  socklen_t len = sizeof e;
  if (getsockopt(c->stream.fd, SOL_SOCKET, SO_ERROR, &e, &len) || e) {
    errno = e;
    return lose_errno(c, "connect");
  }
  Error err;
  if (redis_greeting_begin(&c->greeting, c->config, c->peer, &c->out, &err))
    return lose(c, &err);
  loop_fd_set(c->watch, LOOP_READ);
  c->state = CONN_GREETING;
  flush(c);
}

/* One more reply before it is open; false: the connection is lost. */
static bool greeted(RedisConn *c, const RedisReply *r) {
  Error err;
  int next = redis_greeting_take(&c->greeting, r, &c->out, &err);
  if (next < 0) {
    lose(c, &err);
    return false;
  }
  if (next == REDIS_GREET_DONE)
    opened(c);
  c->looks_later = next == REDIS_GREET_LATER;
  if (c->looks_later) {
    error_set(&err, ERROR_UNAVAILABLE, "state store: its append-only file is being written anew, as after each start");
    note_trouble(c, &err);
    loop_timer_start(c->timer, REDIS_GREET_LOOK_MS);
  }
  if (next == REDIS_GREET_MORE && c->out.len)
    flush(c);
  return c->watch != NULL;
}

static void look_again(RedisConn *c) {
  c->looks_later = false;
  loop_timer_start(c->timer, CONNECT_TIMEOUT_MS);
  redis_greeting_look(&c->greeting, &c->out);
  flush(c);
}

/* Whether the connection still stands after it. */
static bool take_replies(RedisConn *c) {
  for (;;) {
    void *reply = NULL;
    if (redisReaderGetReply(c->reader, &reply) != REDIS_OK) {
      errno = EPROTO;
      lose_errno(c, c->reader->errstr);
      return false;
    }
    if (!reply)
      return true;
    const RedisReply *r = reply;
    if (c->state != CONN_GREETING)
      c->handlers.on_reply(c->arg, r);
    else if (!greeted(c, r))
      return false;
    if (!c->watch)
      return false;
    arena_reset(c->arena);
  }
}

static void on_io(int events, void *arg) {
  RedisConn *c = arg;
  if (c->state == CONN_CONNECTING) {
    if (events & LOOP_WRITE)
      connected(c);
    return;
  }
  while (events & LOOP_READ) {
    char chunk[READ_CHUNK];
    ssize_t n = redis_stream_read(&c->stream, chunk, sizeof chunk);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
      break;
    if (n == 0)
      errno = ECONNRESET;
    if (n <= 0)
      return lose_errno(c, "read");
    redisReaderFeed(c->reader, chunk, (size_t)n);
    if (!take_replies(c))
      return;
    if (!redis_stream_buffered(&c->stream))
      break;
  }
  /* in TLS, what was read may be what a write waits for */
  if (events & LOOP_WRITE || c->stream.ssl)
    flush(c);
}

static void on_timer(void *arg) {
  RedisConn *c = arg;
  if (c->looks_later)
    return look_again(c);
  if (c->state != CONN_WAITING) {
    errno = ETIMEDOUT;
    return lose_errno(c, "connect");
  }
  if (!c->addresses)
    return;
  Error err;
  unsigned n = (unsigned)redis_addresses_count(c->addresses), attempt = c->attempt++;
  redis_addresses_get(c->addresses, attempt, c->address);
  int fd = redis_socket_open(c->address, n ? attempt / n : 0, &err);
  if (fd < 0)
    return lose(c, &err);
  char host[REDIS_ADDRESS_MAX];
  redis_address_host(c->address, host);
  const char *name = str_empty(c->config->tls_server_name) ? host : c->config->tls_server_name;
  if (redis_stream_open(&c->stream, fd, c->config, name, &err))
    return lose(c, &err);
  c->state = CONN_CONNECTING;
  arena_reset(c->arena);
  reader_reset(c);
  c->watch = loop_fd_new(c->loop, fd, LOOP_WRITE, on_io, c);
  loop_timer_start(c->timer, CONNECT_TIMEOUT_MS);
}

RedisConn *redis_conn_new(Loop *loop, const RedisConfig *config, RedisPeer peer, const char *addresses,
                          const RedisConnHandlers *handlers, void *arg) {
  RedisConn *c = new0(RedisConn);
  *c = (RedisConn){.loop = loop,
                   .config = config,
                   .peer = peer,
                   .addresses = addresses ? str_dup(addresses) : NULL,
                   .handlers = *handlers,
                   .arg = arg,
                   .stream = {.fd = -1},
                   .backoff_ms = BACKOFF_MIN_MS,
                   .arena = arena_new(),
                   .out = BUF_INIT(0),
                   .trouble = "not connected yet"};
  c->timer = loop_timer_new(loop, on_timer, c);
  c->flush_timer = loop_timer_new(loop, flush, c);
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
  loop_fd_free(c->watch);
  redis_stream_close(&c->stream);
  loop_timer_free(c->timer);
  loop_timer_free(c->flush_timer);
  if (c->reader)
    redisReaderFree(c->reader);
  arena_free(c->arena);
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

int redis_conn_send(RedisConn *c, const void *data, size_t len, bool urgent) {
  /* Straight to the socket when nothing waits before it. What is left, and an error, is the timer's: no
   * handler may run inside the caller's call. */
  if (urgent && c->out.len == 0) {
    ssize_t n = redis_stream_write(&c->stream, data, len);
    if (n == (ssize_t)len && !redis_stream_waits(&c->stream))
      return 0;
    if (n > 0) {
      data = (const uint8_t *)data + n;
      len -= (size_t)n;
    }
  }
  bool first = c->out.len == 0;
  if (len && buf_append(&c->out, data, len))
    return -1;
  if (first)
    loop_timer_start(c->flush_timer, 0);
  return 0;
}

void redis_conn_command(RedisConn *c, int argc, const char **argv) {
  char *cmd = NULL;
  int n = redisFormatCommandArgv(&cmd, argc, argv, NULL);
  if (n < 0 || redis_conn_send(c, cmd, (size_t)n, false))
    abort();
  free(cmd);
}
