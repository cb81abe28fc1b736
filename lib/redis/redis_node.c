/* See redis_node.h.
 *
 * NOSCRIPT means that nothing has run, so that request goes again, behind what is under way. It follows only
 * on a SCRIPT FLUSH by hand (see redis_scripts.h), the one case in which pipelined scripts may change places.
 *
 * Each second the server is asked who it is: one that was made a replica, or was one in between, is left, so that no
 * fenced script goes out under an old name.
 */
#include "lib/redis/redis_node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/redis/redis_conn.h"
#include "lib/redis/redis_lineage.h"

/* Bytes of all commands without a reply. Half of what a connection's buffer holds (BUF_MAX_DEFAULT), so that
 * the texts of scripts sent beside them always fit. */
#define BYTES_MAX (BUF_MAX_DEFAULT / 2)
#define IDENTIFY_MS 1000

struct RedisNode {
  Loop *loop;
  const RedisConfig *config;
  RedisLater *later;
  RedisNodeHandlers handlers;
  void *arg;
  RedisConn *conn;
  RedisRequest *head, **tail;      /* oldest first */
  RedisRequest *unsent;            /* first one without a connection, or NULL */
  RedisRequest *kept, **kept_tail; /* answered, but not yet by replicas */
  size_t n_requests, n_in_flight, n_kept, n_bytes;
  uint64_t last_number;
  bool wait_owed; /* something durable was sent since the last WAIT */
  bool identifying, ending;
  RedisKnownScript *scripts;
  LoopTimer *deadline; /* of those that wait for a connection */
  LoopTimer *identify;
};

static void queue_push(RedisNode *n, RedisRequest *r) {
  r->next = NULL;
  *n->tail = r;
  n->tail = &r->next;
  n->n_requests++;
  n->n_bytes += r->len;
}

static RedisRequest *queue_pop(RedisNode *n) {
  RedisRequest *r = n->head;
  n->head = r->next;
  if (!n->head)
    n->tail = &n->head;
  n->n_requests--;
  n->n_bytes -= r->len;
  return r;
}

static void keep(RedisNode *n, RedisRequest *r, const RedisReply *reply) {
  redis_request_keep(r, reply);
  r->next = NULL;
  *n->kept_tail = r;
  n->kept_tail = &r->next;
  n->n_kept++;
}

static RedisRequest *kept_pop(RedisNode *n) {
  RedisRequest *r = n->kept;
  n->kept = r->next;
  if (!n->kept)
    n->kept_tail = &n->kept;
  n->n_kept--;
  return r;
}

static void fail_later(RedisNode *n, RedisRequest *r, const Error *why) {
  redis_later_add(n->later, r->fn, r->arg, why);
  redis_request_free(r);
}

/* ---- sending ---- */

static void send_bytes(RedisNode *n, const char *data, size_t len, bool urgent) {
  if (redis_conn_send(n->conn, data, len, urgent))
    abort(); /* never: BYTES_MAX */
}

static void send_text(RedisNode *n, const RedisRequest *r) {
  char head[96];
  const RedisKnownScript *k = r->known;
  int len = snprintf(head, sizeof head, "*%zu\r\n$4\r\nEVAL\r\n$%zu\r\n", r->argc, k->source_len);
  send_bytes(n, head, (size_t)len, false);
  send_bytes(n, k->source, k->source_len, false);
  send_bytes(n, "\r\n", 2, false);
  send_bytes(n, r->bytes + r->tail, r->len - r->tail, false);
}

static bool is_durable(const RedisNode *n, const RedisRequest *r) {
  return r->script.durable && n->config->min_replicas > 0;
}

static void send_one(RedisNode *n, RedisRequest *r) {
  bool durable = is_durable(n, r);
  /* alone on the line, it goes at once; with others under way, or a WAIT to come, it shares their write */
  bool urgent = n->n_in_flight == 0 && !durable;
  n->n_in_flight++;
  n->wait_owed |= durable;
  r->number = ++n->last_number;
  if (r->script.fenced)
    redis_request_fence(r, redis_conn_lineage(n->conn));
  if (!r->known || r->known->loaded_at)
    return send_bytes(n, r->bytes, r->len, urgent);
  r->known->loaded_at = r->number;
  send_text(n, r);
}

static void before_write(void *arg) {
  RedisNode *n = arg;
  if (!n->wait_owed)
    return;
  n->wait_owed = false;
  char replicas[24], ms[24];
  snprintf(replicas, sizeof replicas, "%lld", (long long)n->config->min_replicas);
  snprintf(ms, sizeof ms, "%lld", (long long)n->config->wait_ms);
  RedisRequest *r = redis_request_command(NULL, NULL, 3, (const char *[]){"WAIT", replicas, ms}, NULL);
  r->wait = true;
  queue_push(n, r);
  send_one(n, r);
}

static void on_identity(void *arg, const RedisReply *reply, const Error *err) {
  RedisNode *n = arg;
  n->identifying = false;
  if (n->ending)
    return;
  loop_timer_start(n->identify, IDENTIFY_MS);
  char lineage[REDIS_LINEAGE_LEN + 1];
  Error why;
  if (err || !redis_conn_open(n->conn))
    return;
  if (redis_lineage_parse(reply, lineage, &why))
    redis_conn_drop(n->conn, "the server is no master any more");
  else if (strcmp(lineage, redis_conn_lineage(n->conn)) != 0)
    redis_conn_drop(n->conn, "the server has changed its replication id");
}

static void on_identify(void *arg) {
  RedisNode *n = arg;
  if (n->identifying || !redis_conn_open(n->conn))
    return;
  n->identifying = true;
  RedisRequest *r = redis_request_command(on_identity, n, 2, (const char *[]){"INFO", "replication"}, NULL);
  queue_push(n, r);
  send_one(n, r);
}

static void on_open(void *arg) {
  RedisNode *n = arg;
  RedisRequest *r = n->unsent;
  n->unsent = NULL;
  n->last_number = 0;
  n->wait_owed = false;
  redis_scripts_forget(n->scripts);
  loop_timer_stop(n->deadline);
  loop_timer_start(n->identify, IDENTIFY_MS);
  for (; r; r = r->next)
    send_one(n, r);
  n->handlers.on_state(n->arg, n, true);
}

static void on_close(void *arg, const Error *why) {
  RedisNode *n = arg;
  Error err = *why;
  err.retry_after_ms = REDIS_RETRY_AFTER_MS;
  while (n->kept)
    fail_later(n, kept_pop(n), &err);
  while (n->n_in_flight > 0) {
    n->n_in_flight--;
    fail_later(n, queue_pop(n), &err);
  }
  n->unsent = n->head;
  n->handlers.on_state(n->arg, n, false);
}

static void on_deadline(void *arg) {
  RedisNode *n = arg;
  Error err;
  const char *address = redis_conn_address(n->conn);
  if (*address || !n->handlers.why)
    error_set(&err, ERROR_UNAVAILABLE, "the state store (Redis at %s) does not answer: %s", address,
              redis_conn_trouble(n->conn));
  else
    error_set(&err, ERROR_UNAVAILABLE, "the state store: no Sentinel has named the master: %s",
              n->handlers.why(n->arg));
  err.retry_after_ms = REDIS_RETRY_AFTER_MS;
  n->unsent = NULL;
  while (n->head)
    fail_later(n, queue_pop(n), &err);
}

/* ---- replies ---- */

static ErrorKind error_kind_of(const char *text) {
  static const char *const AWAY[] = {"LOADING", "READONLY", "MASTERDOWN", "CLUSTERDOWN", "TRYAGAIN",
                                     "BUSY",    "MISCONF",  "NOREPLICAS", "MOVED",       "ASK"};
  for (size_t i = 0; i < ARRAY_LEN(AWAY); i++)
    if (str_starts_with(text, AWAY[i]))
      return ERROR_UNAVAILABLE;
  /* a script's own call to Redis that failed carries the same words further on */
  if (str_starts_with(text, "OOM") || strstr(text, "-OOM"))
    return ERROR_RESOURCE_EXHAUSTED;
  return ERROR_INTERNAL;
}

/* Replicas have what was sent before the WAIT, or do not. */
static void on_waited(RedisNode *n, uint64_t number, const RedisReply *reply) {
  Error err;
  bool enough = reply->type == REDIS_INTEGER && reply->integer >= n->config->min_replicas;
  if (reply->type == REDIS_INTEGER)
    error_set(&err, ERROR_UNAVAILABLE, "state store: %lld of %lld replicas have it", (long long)reply->integer,
              (long long)n->config->min_replicas);
  else
    error_set(&err, ERROR_UNAVAILABLE, "state store: %s", reply->str ? reply->str : "no answer to WAIT");
  err.retry_after_ms = REDIS_RETRY_AFTER_MS;
  while (n->kept && n->kept->number < number) {
    RedisRequest *r = kept_pop(n);
    redis_request_finish(r, enough ? r->kept_reply : NULL, enough ? NULL : &err);
  }
}

static void on_error(RedisNode *n, RedisRequest *r, const char *text) {
  if (r->known && r->number != r->known->loaded_at && str_starts_with(text, "NOSCRIPT")) {
    /* sent after the text: it was flushed since; sent before: the text is on its way again already */
    if (r->number > r->known->loaded_at)
      r->known->loaded_at = 0;
    queue_push(n, r);
    return send_one(n, r);
  }
  if (n->handlers.on_elsewhere && (str_starts_with(text, "MOVED ") || str_starts_with(text, "ASK ")))
    return n->handlers.on_elsewhere(n->arg, n, r, text);
  Error err;
  error_set(&err, error_kind_of(text), "state store: %s", text);
  if (err.kind != ERROR_INTERNAL)
    err.retry_after_ms = REDIS_RETRY_AFTER_MS;
  bool read_only = str_starts_with(text, "READONLY");
  redis_request_finish(r, NULL, &err);
  /* the master is another now; its name, or a Sentinel, leads there */
  if (read_only)
    redis_conn_drop(n->conn, "the server is no master any more");
}

static void on_reply(void *arg, const RedisReply *reply) {
  RedisNode *n = arg;
  if (n->n_in_flight == 0)
    return; /* no request asked for it: a broken server, whose connection ends soon */
  n->n_in_flight--;
  RedisRequest *r = queue_pop(n);
  if (r->wait) {
    uint64_t number = r->number;
    redis_request_free(r);
    return on_waited(n, number, reply);
  }
  if (reply->type == REDIS_ERROR)
    return on_error(n, r, reply->str);
  if (is_durable(n, r))
    return keep(n, r, reply);
  redis_request_finish(r, reply, NULL);
}

static const RedisConnHandlers CONN_HANDLERS = {on_open, on_close, on_reply, before_write};

/* ---- for the client ---- */

void redis_node_submit(RedisNode *n, RedisRequest *r) {
  Error err;
  if (n->ending) {
    error_set(&err, ERROR_CANCELLED, "shutting down");
    return fail_later(n, r, &err);
  }
  if (n->n_requests + n->n_kept >= n->config->max_in_flight || n->n_bytes + r->len > BYTES_MAX) {
    error_set(&err, ERROR_RESOURCE_EXHAUSTED, "%zu commands (%zu bytes) to the state store are under way",
              n->n_requests + n->n_kept, n->n_bytes);
    err.retry_after_ms = REDIS_RETRY_AFTER_MS;
    return fail_later(n, r, &err);
  }
  if (r->script.source)
    r->known = redis_scripts_find(&n->scripts, &r->script);
  queue_push(n, r);
  if (redis_conn_open(n->conn) && !n->unsent)
    return send_one(n, r);
  if (!n->unsent) {
    n->unsent = r;
    loop_timer_start(n->deadline, n->config->connect_wait_ms);
  }
}

RedisNode *redis_node_new(Loop *loop, const RedisConfig *config, const char *address, RedisLater *later,
                          const RedisNodeHandlers *handlers, void *arg) {
  RedisNode *n = new0(RedisNode);
  *n = (RedisNode){.loop = loop, .config = config, .later = later, .handlers = *handlers, .arg = arg};
  n->tail = &n->head;
  n->kept_tail = &n->kept;
  n->deadline = loop_timer_new(loop, on_deadline, n);
  n->identify = loop_timer_new(loop, on_identify, n);
  n->conn = redis_conn_new(loop, config, REDIS_PEER_MASTER, address, &CONN_HANDLERS, n);
  return n;
}

void redis_node_cancel(RedisNode *n) {
  n->ending = true;
  redis_conn_free(n->conn);
  n->conn = NULL;
  Error err;
  error_set(&err, ERROR_CANCELLED, "shutting down");
  while (n->kept)
    redis_request_finish(kept_pop(n), NULL, &err);
  /* their callbacks may ask for more, which then fails as well */
  while (n->head)
    redis_request_finish(queue_pop(n), NULL, &err);
}

void redis_node_free(RedisNode *n) {
  if (!n)
    return;
  loop_timer_free(n->deadline);
  loop_timer_free(n->identify);
  redis_scripts_free(n->scripts);
  free(n);
}

void redis_node_redirect(RedisNode *n, const char *address) {
  redis_conn_redirect(n->conn, address);
}

RedisRequest *redis_node_take_unsent(RedisNode *n) {
  RedisRequest *first = n->unsent, *last = NULL;
  if (!first)
    return NULL;
  /* none is sent while one waits, so they are all there is */
  while (n->head) {
    last = queue_pop(n);
    last->next = n->head;
  }
  n->unsent = NULL;
  loop_timer_stop(n->deadline);
  return first;
}

bool redis_node_idle(const RedisNode *n) {
  return !n->head && !n->kept && !n->identifying;
}

bool redis_node_connected(const RedisNode *n) {
  return n->conn && redis_conn_open(n->conn);
}
