/* See redis_node.h.
 *
 * NOSCRIPT means that nothing has run, so that request goes again, behind what is under way. It follows only
 * on a SCRIPT FLUSH by hand, the one case in which pipelined scripts may change places.
 *
 * Each second the server is asked who it is: one that was made a replica, or was one in between, is left, so that no
 * fenced script goes out under an old name.
 */
#include "lib/redis/redis_node.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/redis/redis_conn.h"
#include "lib/redis/redis_info.h"
#include "lib/redis/redis_resp.h"

/* Bytes of all commands without a reply. Half of what a connection's buffer holds (BUF_MAX_DEFAULT), so that
 * the texts of scripts sent beside them always fit. */
#define BYTES_MAX (BUF_MAX_DEFAULT / 2)
#define IDENTIFY_MS 1000

/* A script that this server was asked for. A list of them: a service uses some twenty, found by comparing pointers. */
typedef struct Script {
  struct Script *next;
  const char *source;
  char digest[REDIS_DIGEST_LEN + 1];
  uint64_t loaded_at; /* number of the request on this connection that carried the text; 0: none did */
} Script;

struct RedisNode {
  RedisShared *shared;
  RedisNodeHandlers handlers;
  void *arg;
  RedisConn *conn;
  List sent, unsent;          /* without a reply; without a connection */
  List kept;                  /* answered, but not yet by replicas */
  size_t n_requests, n_bytes; /* of all three; what is kept has none on the line */
  uint64_t last_number;
  bool wait_owed; /* something durable was sent since the last WAIT */
  bool identifying, ending;
  Script *scripts;
  LoopTimer *deadline; /* of those that wait for a connection */
  LoopTimer *identify;
};

/* ---- lists of requests ---- */

static void push(RedisNode *n, List *list, RedisRequest *r) {
  list_append(list, &r->link);
  n->n_requests++;
  n->n_bytes += r->bytes;
}

static RedisRequest *pop(RedisNode *n, List *list) {
  RedisRequest *r = redis_request_take(list);
  n->n_requests -= r ? 1 : 0;
  n->n_bytes -= r ? r->bytes : 0;
  return r;
}

static void fail_all(RedisNode *n, List *list, const Error *err) {
  for (RedisRequest *r; (r = pop(n, list));)
    redis_request_fail_later(r, n->shared, err);
}

/* ---- scripts ---- */

static Script *find_script(RedisNode *n, const RedisScript *script) {
  for (Script *s = n->scripts; s; s = s->next)
    if (s->source == script->source)
      return s;
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned len;
  /* SHA-1 is Redis' name for a script, not a protection */
  if (!EVP_Digest(script->source, script->source_len, digest, &len, EVP_sha1(), NULL) || len * 2 != REDIS_DIGEST_LEN)
    abort();
  Script *s = new0(Script);
  *s = (Script){.next = n->scripts, .source = script->source};
  str_hex(digest, len, s->digest);
  n->scripts = s;
  return s;
}

/* Its text, or its digest when the connection has had that; and which server this is, for one that is fenced. */
static void fill_in(RedisNode *n, RedisRequest *r) {
  Script *s = r->known;
  if (s->loaded_at) {
    redis_request_set(r, 0, "EVALSHA", strlen("EVALSHA"));
    redis_request_set(r, 1, s->digest, REDIS_DIGEST_LEN);
  } else {
    s->loaded_at = r->number;
    redis_request_set(r, 0, "EVAL", strlen("EVAL"));
    redis_request_set(r, 1, s->source, r->script.source_len);
  }
  if (r->script.fenced)
    redis_request_set(r, r->argc - 1, redis_conn_lineage(n->conn), REDIS_LINEAGE_LEN);
}

/* ---- sending ---- */

static bool is_durable(const RedisNode *n, const RedisRequest *r) {
  return r->script.durable && n->shared->config.min_replicas > 0;
}

static void send_one(RedisNode *n, RedisRequest *r) {
  bool durable = is_durable(n, r);
  /* alone on the line, it goes at once; with others under way, or a WAIT to come, it shares their write */
  bool urgent = list_is_empty(&n->sent) && !durable;
  push(n, &n->sent, r);
  n->wait_owed |= durable;
  r->number = ++n->last_number;
  if (r->known)
    fill_in(n, r);
  redis_conn_send(n->conn, r->argc, r->argv, r->lens, urgent);
}

static void before_write(void *arg) {
  RedisNode *n = arg;
  if (!n->wait_owed)
    return;
  n->wait_owed = false;
  char replicas[24], ms[24];
  snprintf(replicas, sizeof replicas, "%lld", (long long)n->shared->config.min_replicas);
  snprintf(ms, sizeof ms, "%lld", (long long)n->shared->config.wait_ms);
  RedisRequest *r = redis_request_new(NULL, NULL, 3, (const char *[]){"WAIT", replicas, ms}, NULL);
  r->wait = true;
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
  if (redis_info_lineage(reply, lineage, &why))
    redis_conn_drop(n->conn, "the server is no master any more");
  else if (strcmp(lineage, redis_conn_lineage(n->conn)) != 0)
    redis_conn_drop(n->conn, "the server has changed its replication id");
}

static void on_identify(void *arg) {
  RedisNode *n = arg;
  if (n->identifying || !redis_conn_open(n->conn))
    return;
  n->identifying = true;
  send_one(n, redis_request_new(on_identity, n, 2, (const char *[]){"INFO", "replication"}, NULL));
}

static void on_open(void *arg) {
  RedisNode *n = arg;
  n->last_number = 0;
  n->wait_owed = false;
  for (Script *s = n->scripts; s; s = s->next)
    s->loaded_at = 0;
  loop_timer_stop(n->deadline);
  loop_timer_start(n->identify, IDENTIFY_MS);
  for (RedisRequest *r; (r = pop(n, &n->unsent));)
    send_one(n, r);
  n->handlers.on_state(n->arg, n, true);
}

static void on_close(void *arg, const Error *why) {
  RedisNode *n = arg;
  Error err = *why;
  err.retry_after_ms = REDIS_RETRY_AFTER_MS;
  fail_all(n, &n->kept, &err);
  fail_all(n, &n->sent, &err);
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
  fail_all(n, &n->unsent, &err);
}

/* ---- replies ---- */

static bool is_kept_before(const RedisNode *n, uint64_t number) {
  const ListLink *first = list_first(&n->kept);
  return first && CONTAINER_OF(first, RedisRequest, link)->number < number;
}

/* Replicas have what was sent before the WAIT, or do not. */
static void on_waited(RedisNode *n, uint64_t number, const RedisReply *reply) {
  Error err;
  int64_t wanted = n->shared->config.min_replicas;
  bool enough = reply->type == REDIS_INTEGER && reply->integer >= wanted;
  if (reply->type == REDIS_INTEGER)
    error_set(&err, ERROR_UNAVAILABLE, "state store: %lld of %lld replicas have it", (long long)reply->integer,
              (long long)wanted);
  else
    error_set(&err, ERROR_UNAVAILABLE, "state store: %s", reply->str ? reply->str : "no answer to WAIT");
  err.retry_after_ms = REDIS_RETRY_AFTER_MS;
  while (is_kept_before(n, number)) {
    RedisRequest *r = pop(n, &n->kept);
    redis_request_finish(r, enough ? r->kept_reply : NULL, enough ? NULL : &err);
  }
}

static void on_error(RedisNode *n, RedisRequest *r, const char *text) {
  if (r->known && r->number != r->known->loaded_at && str_starts_with(text, "NOSCRIPT")) {
    /* sent after the text: it was flushed since; sent before: the text is on its way again already */
    if (r->number > r->known->loaded_at)
      r->known->loaded_at = 0;
    return send_one(n, r);
  }
  if (n->handlers.on_elsewhere && (str_starts_with(text, "MOVED ") || str_starts_with(text, "ASK ")))
    return n->handlers.on_elsewhere(n->arg, n, r, text);
  Error err;
  redis_resp_error(text, &err);
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
  RedisRequest *r = pop(n, &n->sent);
  if (!r)
    return; /* no request asked for it: a broken server, whose connection ends soon */
  if (r->wait) {
    uint64_t number = r->number;
    redis_request_finish(r, NULL, NULL);
    return on_waited(n, number, reply);
  }
  if (reply->type == REDIS_ERROR)
    return on_error(n, r, reply->str);
  if (!is_durable(n, r))
    return redis_request_finish(r, reply, NULL);
  r->kept = redis_conn_keep_reply(n->conn);
  r->kept_reply = reply;
  r->bytes = 0;
  push(n, &n->kept, r);
}

static const RedisConnHandlers CONN_HANDLERS = {on_open, on_close, on_reply, before_write};

/* ---- for the client ---- */

void redis_node_submit(RedisNode *n, RedisRequest *r) {
  Error err;
  if (n->ending) {
    error_set(&err, ERROR_CANCELLED, "shutting down");
    return redis_request_fail_later(r, n->shared, &err);
  }
  if (n->n_requests >= n->shared->config.max_in_flight || n->n_bytes + r->bytes > BYTES_MAX) {
    error_set(&err, ERROR_RESOURCE_EXHAUSTED, "%zu commands (%zu bytes) to the state store are under way",
              n->n_requests, n->n_bytes);
    err.retry_after_ms = REDIS_RETRY_AFTER_MS;
    return redis_request_fail_later(r, n->shared, &err);
  }
  if (r->script.source)
    r->known = find_script(n, &r->script);
  bool is_first = list_is_empty(&n->unsent);
  if (is_first && redis_conn_open(n->conn))
    return send_one(n, r);
  if (is_first)
    loop_timer_start(n->deadline, n->shared->config.connect_wait_ms);
  push(n, &n->unsent, r);
}

RedisNode *redis_node_new(RedisShared *shared, const char *address, const RedisNodeHandlers *handlers, void *arg) {
  RedisNode *n = new0(RedisNode);
  *n = (RedisNode){.shared = shared, .handlers = *handlers, .arg = arg};
  list_init(&n->sent);
  list_init(&n->unsent);
  list_init(&n->kept);
  n->deadline = loop_timer_new(shared->loop, on_deadline, n);
  n->identify = loop_timer_new(shared->loop, on_identify, n);
  n->conn = redis_conn_new(shared, REDIS_PEER_MASTER, address, &CONN_HANDLERS, n);
  return n;
}

void redis_node_cancel(RedisNode *n) {
  n->ending = true;
  redis_conn_free(n->conn);
  n->conn = NULL;
  Error err;
  error_set(&err, ERROR_CANCELLED, "shutting down");
  List *lists[] = {&n->kept, &n->sent, &n->unsent};
  /* their callbacks may ask for more, which then fails as well */
  for (size_t i = 0; i < ARRAY_LEN(lists); i++)
    for (RedisRequest *r; (r = pop(n, lists[i]));)
      redis_request_finish(r, NULL, &err);
}

void redis_node_free(RedisNode *n) {
  if (!n)
    return;
  loop_timer_free(n->deadline);
  loop_timer_free(n->identify);
  for (Script *s = n->scripts, *next; s; s = next) {
    next = s->next;
    free(s);
  }
  free(n);
}

void redis_node_redirect(RedisNode *n, const char *address) {
  redis_conn_redirect(n->conn, address);
}

RedisRequest *redis_node_take_unsent(RedisNode *n) {
  loop_timer_stop(n->deadline);
  return pop(n, &n->unsent);
}

bool redis_node_idle(const RedisNode *n) {
  return n->n_requests == 0 && !n->identifying;
}

bool redis_node_connected(const RedisNode *n) {
  return n->conn && redis_conn_open(n->conn);
}
