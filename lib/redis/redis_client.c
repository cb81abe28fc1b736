/* See redis.h. A queue of requests in the order of their replies; those behind `sent` wait for a connection.
 *
 * NOSCRIPT means that nothing has run, so that request goes again, behind what is under way. It follows only
 * on a SCRIPT FLUSH by hand (see redis_scripts.h), the one case in which pipelined scripts may change places.
 */
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/redis/redis.h"
#include "lib/redis/redis_conn.h"
#include "lib/redis/redis_scripts.h"
#include "lib/redis/redis_subscriber.h"

#define DEFAULT_CONNECT_WAIT_MS 3000
#define DEFAULT_MAX_IN_FLIGHT 65536
/* What a client should wait before it tries again when Redis is away: about a restart. */
#define RETRY_AFTER_MS 500
/* Bytes of all commands without a reply. Half of what a connection's buffer holds (BUF_MAX_DEFAULT), so that
 * the texts of scripts sent beside them always fit. */
#define BYTES_MAX (BUF_MAX_DEFAULT / 2)

typedef struct Request {
  struct Request *next;
  RedisFn fn;
  void *arg;
  int64_t since_ms;
  RedisKnownScript *script; /* NULL: a plain command */
  size_t tail;              /* scripts: where the part behind the digest begins */
  uint64_t number;          /* on this connection, in the order of sending */
  size_t argc;
  size_t len;
  char bytes[];
} Request;

/* A callback owed a failure, which it gets from the loop and never inside its caller's call. */
typedef struct Failed {
  struct Failed *next;
  RedisFn fn;
  void *arg;
  Error err;
} Failed;

struct RedisClient {
  Loop *loop;
  RedisConfig config;
  char *address, *password;
  RedisConn *conn;
  RedisSubscriber *subscriber;
  Request *head, **tail; /* oldest first */
  Request *unsent;       /* first one without a connection, or NULL */
  size_t n_requests, n_in_flight, n_bytes;
  uint64_t last_number;
  RedisKnownScript *scripts;
  LoopTimer *deadline; /* of those that wait for a connection */
  LoopTimer *fail_timer;
  Failed *failed, **failed_tail;
  void (*on_state)(void *arg, bool connected);
  void *state_arg;
};

static void queue_push(RedisClient *c, Request *r) {
  r->next = NULL;
  *c->tail = r;
  c->tail = &r->next;
  c->n_requests++;
  c->n_bytes += r->len;
}

static Request *queue_pop(RedisClient *c) {
  Request *r = c->head;
  c->head = r->next;
  if (!c->head)
    c->tail = &c->head;
  c->n_requests--;
  c->n_bytes -= r->len;
  return r;
}

static void finish(Request *r, const RedisReply *reply, const Error *err) {
  if (r->fn)
    r->fn(r->arg, reply, err);
  free(r);
}

void redis_fail_later(RedisClient *c, RedisFn fn, void *arg, const Error *err) {
  Failed *f = calloc(1, sizeof *f);
  if (!f)
    abort();
  *f = (Failed){.fn = fn, .arg = arg, .err = *err};
  *c->failed_tail = f;
  c->failed_tail = &f->next;
  loop_timer_start(c->fail_timer, 0);
}

static void fail_later(RedisClient *c, Request *r, const Error *why) {
  if (r->fn)
    redis_fail_later(c, r->fn, r->arg, why);
  free(r);
}

static void on_fail(void *arg) {
  RedisClient *c = arg;
  Failed *f = c->failed;
  c->failed = NULL;
  c->failed_tail = &c->failed;
  while (f) {
    Failed *next = f->next;
    f->fn(f->arg, NULL, &f->err);
    free(f);
    f = next;
  }
}

static void send_bytes(RedisClient *c, const char *data, size_t len, bool urgent) {
  if (redis_conn_send(c->conn, data, len, urgent))
    abort(); /* never: BYTES_MAX */
}

static void send_text(RedisClient *c, const Request *r) {
  char head[96];
  const RedisKnownScript *k = r->script;
  int n = snprintf(head, sizeof head, "*%zu\r\n$4\r\nEVAL\r\n$%zu\r\n", r->argc, k->source_len);
  send_bytes(c, head, (size_t)n, false);
  send_bytes(c, k->source, k->source_len, false);
  send_bytes(c, "\r\n", 2, false);
  send_bytes(c, r->bytes + r->tail, r->len - r->tail, false);
}

static void send_one(RedisClient *c, Request *r) {
  /* alone on the line, it goes at once; with others under way it shares their write */
  bool urgent = c->n_in_flight == 0;
  c->n_in_flight++;
  r->number = ++c->last_number;
  if (!r->script || r->script->loaded_at)
    return send_bytes(c, r->bytes, r->len, urgent);
  r->script->loaded_at = r->number;
  send_text(c, r);
}

static void on_open(void *arg) {
  RedisClient *c = arg;
  Request *r = c->unsent;
  c->unsent = NULL;
  c->last_number = 0;
  redis_scripts_forget(c->scripts);
  loop_timer_stop(c->deadline);
  for (; r; r = r->next)
    send_one(c, r);
  if (c->on_state)
    c->on_state(c->state_arg, true);
}

static void on_close(void *arg, const Error *why) {
  RedisClient *c = arg;
  Error err = *why;
  err.retry_after_ms = RETRY_AFTER_MS;
  while (c->n_in_flight > 0) {
    c->n_in_flight--;
    fail_later(c, queue_pop(c), &err);
  }
  c->unsent = c->head;
  if (c->on_state)
    c->on_state(c->state_arg, false);
}

static void on_deadline(void *arg) {
  RedisClient *c = arg;
  Error err;
  error_set(&err, ERROR_UNAVAILABLE, "the state store (Redis at %s) does not answer: %s", c->address,
            redis_conn_trouble(c->conn));
  err.retry_after_ms = RETRY_AFTER_MS;
  c->unsent = NULL;
  while (c->head)
    fail_later(c, queue_pop(c), &err);
}

/* ---- replies ---- */

static ErrorKind error_kind_of(const char *text) {
  static const char *const AWAY[] = {"LOADING",  "READONLY", "MASTERDOWN", "CLUSTERDOWN",
                                     "TRYAGAIN", "BUSY",     "MISCONF",    "NOREPLICAS"};
  for (size_t i = 0; i < ARRAY_LEN(AWAY); i++)
    if (str_starts_with(text, AWAY[i]))
      return ERROR_UNAVAILABLE;
  /* a script's own call to Redis that failed carries the same words further on */
  if (str_starts_with(text, "OOM") || strstr(text, "-OOM"))
    return ERROR_RESOURCE_EXHAUSTED;
  return ERROR_INTERNAL;
}

static void on_reply(void *arg, const RedisReply *reply) {
  RedisClient *c = arg;
  if (c->n_in_flight == 0)
    return; /* no request asked for it: a broken server, whose connection ends soon */
  c->n_in_flight--;
  Request *r = queue_pop(c);
  if (reply->type != REDIS_ERROR)
    return finish(r, reply, NULL);
  if (r->script && r->number != r->script->loaded_at && str_starts_with(reply->str, "NOSCRIPT")) {
    /* sent after the text: it was flushed since; sent before: the text is on its way again already */
    if (r->number > r->script->loaded_at)
      r->script->loaded_at = 0;
    queue_push(c, r);
    return send_one(c, r);
  }
  Error err;
  error_set(&err, error_kind_of(reply->str), "state store: %s", reply->str);
  if (err.kind != ERROR_INTERNAL)
    err.retry_after_ms = RETRY_AFTER_MS;
  finish(r, NULL, &err);
}

static const RedisConnHandlers CONN_HANDLERS = {on_open, on_close, on_reply};

/* ---- commands ---- */

static void submit(RedisClient *c, Request *r) {
  Error err;
  if (c->n_requests >= c->config.max_in_flight || c->n_bytes + r->len > BYTES_MAX) {
    error_set(&err, ERROR_RESOURCE_EXHAUSTED, "%zu commands (%zu bytes) to the state store are under way",
              c->n_requests, c->n_bytes);
    err.retry_after_ms = RETRY_AFTER_MS;
    return fail_later(c, r, &err);
  }
  queue_push(c, r);
  if (redis_conn_open(c->conn) && !c->unsent)
    return send_one(c, r);
  if (!c->unsent) {
    c->unsent = r;
    loop_timer_start(c->deadline, c->config.connect_wait_ms);
  }
}

static Request *request_new(RedisFn fn, void *arg, size_t argc, const char *const *argv, const size_t *lens) {
  char *bytes = NULL;
  int n = redisFormatCommandArgv(&bytes, (int)argc, (const char **)argv, lens);
  if (n < 0)
    abort();
  Request *r = calloc(1, sizeof *r + (size_t)n);
  if (!r)
    abort();
  r->fn = fn;
  r->arg = arg;
  r->argc = argc;
  r->len = (size_t)n;
  memcpy(r->bytes, bytes, (size_t)n);
  free(bytes);
  return r;
}

void redis_command(RedisClient *c, RedisFn fn, void *arg, size_t argc, const char *const *argv,
                   const size_t *lens) {
  submit(c, request_new(fn, arg, argc, argv, lens));
}

void redis_script(RedisClient *c, RedisFn fn, void *arg, const RedisScript *script, size_t n_keys,
                  size_t argc, const char *const *argv, const size_t *lens) {
  RedisKnownScript *known = redis_scripts_find(&c->scripts, script);
  char keys[24];
  snprintf(keys, sizeof keys, "%zu", n_keys);
  const char **all = calloc(argc + 3, sizeof *all);
  size_t *all_lens = calloc(argc + 3, sizeof *all_lens);
  if (!all || !all_lens)
    abort();
  all[0] = "EVALSHA";
  all[1] = known->digest;
  all[2] = keys;
  for (size_t i = 0; i < argc; i++)
    all[3 + i] = argv[i];
  for (size_t i = 0; i < argc + 3; i++)
    all_lens[i] = lens && i >= 3 ? lens[i - 3] : strlen(all[i]);
  Request *r = request_new(fn, arg, argc + 3, all, all_lens);
  char head[160];
  r->script = known;
  r->tail = (size_t)snprintf(head, sizeof head, "*%zu\r\n$7\r\nEVALSHA\r\n$%zu\r\n%s\r\n", argc + 3,
                             strlen(known->digest), known->digest);
  free(all);
  free(all_lens);
  submit(c, r);
}

RedisClient *redis_client_new(Loop *loop, const RedisConfig *config) {
  RedisClient *c = calloc(1, sizeof *c);
  if (!c)
    abort();
  c->loop = loop;
  c->config = *config;
  if (!c->config.connect_wait_ms)
    c->config.connect_wait_ms = DEFAULT_CONNECT_WAIT_MS;
  if (!c->config.max_in_flight)
    c->config.max_in_flight = DEFAULT_MAX_IN_FLIGHT;
  c->address = str_dup(config->address);
  c->password = str_dup(config->password ? config->password : "");
  c->tail = &c->head;
  c->failed_tail = &c->failed;
  c->deadline = loop_timer_new(loop, on_deadline, c);
  c->fail_timer = loop_timer_new(loop, on_fail, c);
  c->conn = redis_conn_new(loop, c->address, c->password, &CONN_HANDLERS, c);
  return c;
}

void redis_client_free(RedisClient *c) {
  if (!c)
    return;
  redis_conn_free(c->conn);
  redis_subscriber_free(c->subscriber);
  Error err;
  error_set(&err, ERROR_CANCELLED, "shutting down");
  /* their callbacks may ask for more, which then fails as well */
  for (c->config.max_in_flight = 0; c->head;)
    finish(queue_pop(c), NULL, &err);
  while (c->failed)
    on_fail(c);
  loop_timer_free(c->deadline);
  loop_timer_free(c->fail_timer);
  redis_scripts_free(c->scripts);
  free(c->address);
  free(c->password);
  free(c);
}

bool redis_client_connected(const RedisClient *c) {
  return redis_conn_open(c->conn);
}

void redis_client_on_state(RedisClient *c, void (*fn)(void *arg, bool connected), void *arg) {
  c->on_state = fn;
  c->state_arg = arg;
}

void redis_subscribe(RedisClient *c, const char *channel,
                     void (*fn)(void *arg, const char *message, size_t len), void *arg) {
  if (!c->subscriber)
    c->subscriber = redis_subscriber_new(c->loop, c->address, c->password);
  redis_subscriber_add(c->subscriber, channel, fn, arg);
}
