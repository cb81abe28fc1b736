/* See redis_conn.h. Replies are built in an arena by hiredis' reader and live until their callback returns.
 */
#include "lib/redis/redis_conn.h"

#include <errno.h>
#include <fcntl.h>
#include <hiredis/hiredis.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/str.h"

/* Reconnecting: fast at first, for a server that restarts; jittered, so that replicas do not come at once. */
#define BACKOFF_MIN_MS 20
#define BACKOFF_MAX_MS 1000
/* A connect that hangs is given up. */
#define CONNECT_TIMEOUT_MS 2000
#define READ_CHUNK (64 << 10)
/* Of one array in a reply; ours have a thousand, and a pool's ids at most. */
#define MAX_ELEMENTS (1 << 20)

typedef enum ConnState { CONN_WAITING, CONN_CONNECTING, CONN_GREETING, CONN_OPEN } ConnState;

struct RedisConn {
  Loop *loop;
  const char *address, *password;
  RedisConnHandlers handlers;
  void *arg;
  ConnState state;
  int fd;
  LoopFd *watch;
  LoopTimer *timer; /* the next attempt, or the end of this one */
  LoopTimer *flush_timer;
  int64_t backoff_ms;
  redisReader *reader;
  Arena *arena;
  Buf out;
  int greetings;    /* replies still to come before it is open */
  unsigned attempt; /* names with several addresses: they take turns */
  char trouble[200];
};

/* ---- replies into the arena; hiredis hands us the place through the task's privdata ---- */

static RedisReply *reply_new(const redisReadTask *task, RedisType type) {
  RedisReply *r = arena_alloc(task->privdata, sizeof *r);
  r->type = type;
  if (task->parent)
    ((const RedisReply **)((RedisReply *)task->parent->obj)->items)[task->idx] = r;
  return r;
}

static void *create_string(const redisReadTask *task, char *s, size_t len) {
  RedisType type = task->type == REDIS_REPLY_ERROR    ? REDIS_ERROR
                   : task->type == REDIS_REPLY_STATUS ? REDIS_STATUS
                                                      : REDIS_STRING;
  RedisReply *r = reply_new(task, type);
  r->str = arena_strndup(task->privdata, s, len);
  r->len = len;
  return r;
}

static void *create_array(const redisReadTask *task, int n) {
  /* Before any of them has come: the place for them must not be what a length alone asks for. */
  if (n > MAX_ELEMENTS)
    return NULL;
  RedisReply *r = reply_new(task, REDIS_ARRAY);
  r->n_items = (size_t)n;
  r->items = arena_alloc(task->privdata, (size_t)n * sizeof *r->items);
  return r;
}

static void *create_integer(const redisReadTask *task, long long v) {
  RedisReply *r = reply_new(task, REDIS_INTEGER);
  r->integer = v;
  return r;
}

static void *create_nil(const redisReadTask *task) {
  return reply_new(task, REDIS_NIL);
}
static void free_object(void *r) {
  (void)r;
}

static redisReplyObjectFunctions REPLY_FUNCTIONS = {
    .createString = create_string,
    .createArray = create_array,
    .createInteger = create_integer,
    .createNil = create_nil,
    .freeObject = free_object,
};

static void reader_reset(RedisConn *c) {
  if (c->reader)
    redisReaderFree(c->reader);
  c->reader = redisReaderCreateWithFunctions(&REPLY_FUNCTIONS);
  if (!c->reader)
    abort();
  c->reader->privdata = c->arena;
}

/* ---- connecting ---- */

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
  char host[256];
  const char *colon = strrchr(address, ':');
  if (!colon || (size_t)(colon - address) >= sizeof host)
    return error_set(err, ERROR_INVALID_ARGUMENT, "not an address: %s", address);
  const char *begin = *address == '[' ? address + 1 : address;
  size_t len = (size_t)(colon - begin) - (*address == '[');
  memcpy(host, begin, len);
  host[len] = 0;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
  int rc = getaddrinfo(len ? host : "127.0.0.1", colon + 1, &hints, &list);
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

static void lose(RedisConn *c, const Error *why) {
  bool was_open = c->state == CONN_OPEN;
  loop_fd_free(c->watch);
  c->watch = NULL;
  if (c->fd >= 0)
    close(c->fd);
  c->fd = -1;
  c->state = CONN_WAITING;
  snprintf(c->trouble, sizeof c->trouble, "%s", why->message);
  buf_deinit(&c->out);
  loop_timer_stop(c->flush_timer);
  uint8_t jitter;
  random_bytes(&jitter, 1);
  loop_timer_start(c->timer, c->backoff_ms / 2 + c->backoff_ms * jitter / 512);
  c->backoff_ms = c->backoff_ms * 2 > BACKOFF_MAX_MS ? BACKOFF_MAX_MS : c->backoff_ms * 2;
  if (was_open)
    c->handlers.on_close(c->arg, why);
}

static void lose_errno(RedisConn *c, const char *what) {
  Error err;
  error_set(&err, ERROR_UNAVAILABLE, "state store: %s: %s", what, strerror(errno));
  lose(c, &err);
}

static void flush(void *arg) {
  RedisConn *c = arg;
  while (c->out.len) {
    ssize_t n = send(c->fd, c->out.data, c->out.len, MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      break;
    if (n < 0)
      return lose_errno(c, "write");
    buf_consume(&c->out, (size_t)n);
  }
  loop_fd_set(c->watch, LOOP_READ | (c->out.len ? LOOP_WRITE : 0));
}

static void opened(RedisConn *c) {
  c->state = CONN_OPEN;
  c->backoff_ms = BACKOFF_MIN_MS;
  loop_timer_stop(c->timer);
  c->handlers.on_open(c->arg);
}

static void greet(RedisConn *c, int argc, const char **argv) {
  char *cmd = NULL;
  int n = redisFormatCommandArgv(&cmd, argc, argv, NULL);
  if (n < 0 || buf_append(&c->out, cmd, (size_t)n))
    abort();
  free(cmd);
  c->greetings++;
}

static void connected(RedisConn *c) {
  int e = 0;
  socklen_t len = sizeof e;
  if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &len) || e) {
    errno = e;
    return lose_errno(c, "connect");
  }
  loop_fd_set(c->watch, LOOP_READ);
  c->state = CONN_GREETING;
  c->greetings = 0;
  if (!str_empty(c->password))
    greet(c, 2, (const char *[]){"AUTH", c->password});
  greet(c, 1, (const char *[]){"PING"});
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
    if (c->state == CONN_GREETING) {
      if (r->type == REDIS_ERROR) {
        Error err;
        error_set(&err, ERROR_UNAVAILABLE, "%s", r->str);
        lose(c, &err);
        return false;
      }
      if (--c->greetings == 0)
        opened(c);
    } else {
      c->handlers.on_reply(c->arg, r);
    }
    if (c->fd < 0)
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
  if (events & LOOP_WRITE) {
    flush(c);
    if (c->fd < 0)
      return;
  }
  if (!(events & LOOP_READ))
    return;
  char chunk[READ_CHUNK];
  ssize_t n = recv(c->fd, chunk, sizeof chunk, 0);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n == 0)
    errno = ECONNRESET;
  if (n <= 0)
    return lose_errno(c, "read");
  redisReaderFeed(c->reader, chunk, (size_t)n);
  take_replies(c);
}

static void on_timer(void *arg) {
  RedisConn *c = arg;
  if (c->state != CONN_WAITING) {
    errno = ETIMEDOUT;
    return lose_errno(c, "connect");
  }
  Error err;
  c->fd = str_starts_with(c->address, "unix:") ? open_unix(c->address + 5, &err)
                                               : open_tcp(c->address, c->attempt++, &err);
  if (c->fd < 0)
    return lose(c, &err);
  c->state = CONN_CONNECTING;
  arena_reset(c->arena);
  reader_reset(c);
  c->watch = loop_fd_new(c->loop, c->fd, LOOP_WRITE, on_io, c);
  loop_timer_start(c->timer, CONNECT_TIMEOUT_MS);
}

RedisConn *redis_conn_new(Loop *loop, const char *address, const char *password,
                          const RedisConnHandlers *handlers, void *arg) {
  RedisConn *c = calloc(1, sizeof *c);
  if (!c)
    abort();
  *c = (RedisConn){.loop = loop,
                   .address = address,
                   .password = password,
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

void redis_conn_free(RedisConn *c) {
  if (!c)
    return;
  loop_fd_free(c->watch);
  if (c->fd >= 0)
    close(c->fd);
  loop_timer_free(c->timer);
  loop_timer_free(c->flush_timer);
  if (c->reader)
    redisReaderFree(c->reader);
  arena_free(c->arena);
  buf_deinit(&c->out);
  free(c);
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
    ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);
    if (n == (ssize_t)len)
      return 0;
    if (n > 0) {
      data = (const uint8_t *)data + n;
      len -= (size_t)n;
    }
  }
  bool first = c->out.len == 0;
  if (buf_append(&c->out, data, len))
    return -1;
  if (first)
    loop_timer_start(c->flush_timer, 0);
  return 0;
}
