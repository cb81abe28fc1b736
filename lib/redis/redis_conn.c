/* See redis_conn.h. */
#include "lib/redis/redis_conn.h"

#include <errno.h>
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/crypto/tls_stream.h"
#include "lib/redis/redis_config.h"
#include "lib/redis/redis_greeting.h"
#include "lib/redis/redis_reply.h"
#include "lib/redis/redis_socket.h"

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
  int fd;           /* that connects; -1: none does */
  LoopFd *watch;    /* of fd */
  Stream *stream;   /* NULL: there is no connection */
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

static void hang_up(RedisConn *c) {
  loop_fd_free(c->watch);
  c->watch = NULL;
  if (c->fd >= 0)
    close(c->fd);
  c->fd = -1;
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
  if (*c->logged)
    log_event(LOG_INFO, "redis_back", LOG_STR("address", c->address));
  *c->logged = 0;
  c->handlers.on_open(c->arg);
}

static const StreamHandlers STREAM_HANDLERS;

/* NULL and err: the files of TLS cannot be used. */
static Stream *new_stream(RedisConn *c, Error *err) {
  if (!c->config->tls)
    return stream_new(c->loop, c->fd, READ_CHUNK, &STREAM_HANDLERS, c);
  char host[REDIS_ADDRESS_MAX];
  redis_address_host(c->address, host);
  Tls *tls = redis_config_tls(c->config, err);
  const char *name = str_empty(c->config->tls_server_name) ? host : c->config->tls_server_name;
  struct ssl_st *ssl = tls ? tls_connection(tls, name, err) : NULL;
  tls_free(tls); /* the connection keeps what it needs of it */
  return ssl ? tls_stream_new(c->loop, c->fd, ssl, READ_CHUNK, &STREAM_HANDLERS, c) : NULL;
}

static void on_connected(int events, void *arg) {
  RedisConn *c = arg;
  Error err;
  int e = 0;
  socklen_t len = sizeof e;
  if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &len) || e) {
    errno = e;
    return lose_errno(c, "connect");
  }
  loop_fd_free(c->watch);
  c->watch = NULL;
  c->stream = new_stream(c, &err);
  if (!c->stream)
    return lose(c, &err);
  c->fd = -1; /* the stream's */
  if (redis_greeting_begin(&c->greeting, c->config, c->peer, &c->out, &err))
    return lose(c, &err);
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
  return c->stream != NULL;
}

static void look_again(RedisConn *c) {
  c->looks_later = false;
  loop_timer_start(c->timer, CONNECT_TIMEOUT_MS);
  redis_greeting_look(&c->greeting, &c->out);
  flush(c);
}

static void take_replies(RedisConn *c) {
  while (c->stream) {
    void *reply = NULL;
    if (redisReaderGetReply(c->reader, &reply) != REDIS_OK) {
      errno = EPROTO;
      return lose_errno(c, c->reader->errstr);
    }
    if (!reply)
      return;
    if (c->state != CONN_GREETING)
      c->handlers.on_reply(c->arg, reply);
    else if (!greeted(c, reply))
      return;
    arena_reset(c->arena);
  }
}

static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  RedisConn *c = arg;
  redisReaderFeed(c->reader, (const char *)data, len);
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
  c->fd = redis_socket_open(c->address, n ? attempt / n : 0, &err);
  if (c->fd < 0)
    return lose(c, &err);
  c->state = CONN_CONNECTING;
  arena_reset(c->arena);
  reader_reset(c);
  c->watch = loop_fd_new(c->loop, c->fd, LOOP_WRITE, on_connected, c);
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
                   .fd = -1,
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
  hang_up(c);
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
  if (c->out.len + stream_pending(c->stream) + len > BUF_MAX_DEFAULT)
    return -1;
  /* straight to the socket when nothing waits before it */
  if (urgent && c->out.len == 0) {
    stream_write(c->stream, data, len);
    return 0;
  }
  if (c->out.len == 0)
    loop_timer_start(c->flush_timer, 0);
  return buf_append(&c->out, data, len);
}

void redis_conn_command(RedisConn *c, int argc, const char **argv) {
  char *cmd = NULL;
  int n = redisFormatCommandArgv(&cmd, argc, argv, NULL);
  if (n < 0 || redis_conn_send(c, cmd, (size_t)n, false))
    abort();
  free(cmd);
}
