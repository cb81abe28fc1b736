/* See redis_cluster.h. */
#include "lib/redis/redis_cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/redis/redis_conn.h"
#include "lib/redis/redis_slots.h"

#define ASK_MS 1000
/* A request that goes round for longer waits for another try of its caller. */
#define HOPS_MAX 8

typedef struct Member {
  struct Member *next;
  RedisCluster *cluster;
  RedisNode *node;
  char address[REDIS_ADDRESS_MAX];
  bool used; /* by the map as it is */
} Member;

struct RedisCluster {
  RedisShared *shared;
  RedisConn *guide; /* to any server, for the map */
  LoopTimer *timer, *deadline;
  Member *members;
  Member *slots[REDIS_SLOTS];
  bool asked, up, ending;
  List waiting; /* requests whose slot has no member yet */
  size_t n_waiting;
  void (*on_state)(void *arg, bool connected);
  void *arg;
};

static void ask(RedisCluster *c) {
  if (c->ending || c->asked || !redis_conn_open(c->guide))
    return;
  c->asked = true;
  redis_conn_send(c->guide, 2, (const char *[]){"CLUSTER", "SLOTS"}, NULL, false);
}

static bool is_up(const RedisCluster *c) {
  const Member *last = NULL;
  for (int i = 0; i < REDIS_SLOTS; i++) {
    if (c->slots[i] == last && last)
      continue;
    last = c->slots[i];
    if (!last || !redis_node_connected(last->node))
      return false;
  }
  return true;
}

static void tell(RedisCluster *c) {
  bool up = !c->ending && is_up(c);
  if (up == c->up)
    return;
  c->up = up;
  c->on_state(c->arg, up);
}

/* ---- members ---- */

static void on_node_state(void *arg, RedisNode *node, bool connected) {
  Member *m = arg;
  if (!connected)
    ask(m->cluster);
  tell(m->cluster);
}

static void on_elsewhere(void *arg, RedisNode *node, RedisRequest *r, const char *text);

static const RedisNodeHandlers NODE_HANDLERS = {.on_state = on_node_state, .on_elsewhere = on_elsewhere};

static Member *member_at(RedisCluster *c, const char *address) {
  for (Member *m = c->members; m; m = m->next)
    if (strcmp(m->address, address) == 0)
      return m;
  Member *m = new0(Member);
  *m = (Member){.next = c->members, .cluster = c};
  snprintf(m->address, sizeof m->address, "%s", address);
  m->node = redis_node_new(c->shared, m->address, &NODE_HANDLERS, m);
  c->members = m;
  return m;
}

/* "MOVED 3999 127.0.0.1:6381", "ASK 3999 127.0.0.1:6381" */
static void on_elsewhere(void *arg, RedisNode *node, RedisRequest *r, const char *text) {
  Member *from = arg;
  RedisCluster *c = from->cluster;
  Error err;
  bool once = str_starts_with(text, "ASK ");
  char address[REDIS_ADDRESS_MAX];
  int slot = redis_slot_elsewhere(text, from->address, address);
  if (c->ending || slot < 0 || ++r->hops > HOPS_MAX) {
    error_set(&err, ERROR_UNAVAILABLE, "state store: %s", text);
    err.retry_after_ms = REDIS_RETRY_AFTER_MS;
    return redis_request_finish(r, NULL, &err);
  }
  Member *to = member_at(c, address);
  if (once)
    redis_node_submit(to->node, redis_request_new(NULL, NULL, 1, (const char *[]){"ASKING"}, NULL));
  else
    c->slots[slot] = to;
  redis_node_submit(to->node, r);
  ask(c);
}

/* ---- requests ---- */

static RedisRequest *take_waiting(RedisCluster *c) {
  RedisRequest *r = redis_request_take(&c->waiting);
  c->n_waiting -= r ? 1 : 0;
  return r;
}

static void on_deadline(void *arg) {
  RedisCluster *c = arg;
  Error err;
  error_set(&err, ERROR_UNAVAILABLE, "the state store (Redis Cluster at %s) has no server for it: %s",
            c->shared->config.address, redis_conn_trouble(c->guide));
  err.retry_after_ms = REDIS_RETRY_AFTER_MS;
  for (RedisRequest *r; (r = take_waiting(c));)
    redis_request_fail_later(r, c->shared, &err);
}

void redis_cluster_submit(RedisCluster *c, RedisRequest *r) {
  int slot = redis_slot_of_command(r->argc, r->argv, r->lens);
  Member *m = c->slots[slot == REDIS_SLOT_ANY ? 0 : slot];
  if (m)
    return redis_node_submit(m->node, r);
  Error err;
  bool full = c->n_waiting >= c->shared->config.max_in_flight;
  if (full || c->ending) {
    error_set(&err, full ? ERROR_RESOURCE_EXHAUSTED : ERROR_CANCELLED,
              full ? "%zu commands wait for the state store" : "shutting down", c->n_waiting);
    return redis_request_fail_later(r, c->shared, &err);
  }
  if (c->n_waiting++ == 0)
    loop_timer_start(c->deadline, c->shared->config.connect_wait_ms);
  list_append(&c->waiting, &r->link);
}

/* ---- the map ---- */

static void take_range(void *arg, int first, int last, const char *address) {
  RedisCluster *c = arg;
  Member *m = member_at(c, address);
  m->used = true;
  for (int i = first; i <= last; i++)
    c->slots[i] = m;
}

/* Those that are no masters any more: what they did not get goes to others, and they go when they owe nothing. */
static void leave_unused(RedisCluster *c) {
  for (Member **at = &c->members; *at;) {
    Member *m = *at;
    for (RedisRequest *r; !m->used && (r = redis_node_take_unsent(m->node));)
      redis_cluster_submit(c, r);
    if (m->used || !redis_node_idle(m->node)) {
      at = &m->next;
      continue;
    }
    *at = m->next;
    redis_node_cancel(m->node);
    redis_node_free(m->node);
    free(m);
  }
}

static void on_reply(void *arg, const RedisReply *r) {
  RedisCluster *c = arg;
  c->asked = false;
  if (r->type == REDIS_ERROR)
    return redis_conn_drop(c->guide, r->str);
  if (!redis_slots_check(r))
    return redis_conn_drop(c->guide, "a map of slots that cannot be read");
  if (r->n_items == 0)
    return; /* no server has slots yet */
  for (Member *m = c->members; m; m = m->next)
    m->used = false;
  memset(c->slots, 0, sizeof c->slots);
  redis_slots_each(r, redis_conn_address(c->guide), take_range, c);
  leave_unused(c);
  /* each once: those that still have no server wait on, and not for longer because a map came */
  for (size_t n = c->n_waiting; n > 0; n--)
    redis_cluster_submit(c, take_waiting(c));
  if (c->n_waiting == 0)
    loop_timer_stop(c->deadline);
  tell(c);
}

static void on_open(void *arg) {
  RedisCluster *c = arg;
  c->asked = false;
  ask(c);
}

static void on_timer(void *arg) {
  RedisCluster *c = arg;
  loop_timer_start(c->timer, ASK_MS);
  /* one that hangs keeps its connection */
  if (c->asked)
    redis_conn_drop(c->guide, "a server of the cluster does not answer");
  ask(c);
}

static const RedisConnHandlers GUIDE_HANDLERS = {.on_open = on_open, .on_reply = on_reply};

RedisCluster *redis_cluster_new(RedisShared *shared, void (*on_state)(void *arg, bool connected), void *arg) {
  RedisCluster *c = new0(RedisCluster);
  *c = (RedisCluster){.shared = shared, .on_state = on_state, .arg = arg};
  list_init(&c->waiting);
  c->timer = loop_timer_new(shared->loop, on_timer, c);
  c->deadline = loop_timer_new(shared->loop, on_deadline, c);
  c->guide = redis_conn_new(shared, REDIS_PEER_ANY, shared->config.address, &GUIDE_HANDLERS, c);
  loop_timer_start(c->timer, ASK_MS);
  return c;
}

void redis_cluster_cancel(RedisCluster *c) {
  c->ending = true;
  loop_timer_stop(c->timer);
  redis_conn_free(c->guide);
  c->guide = NULL;
  for (Member *m = c->members; m; m = m->next)
    redis_node_cancel(m->node);
  Error err;
  error_set(&err, ERROR_CANCELLED, "shutting down");
  for (RedisRequest *r; (r = take_waiting(c));)
    redis_request_finish(r, NULL, &err);
}

void redis_cluster_free(RedisCluster *c) {
  if (!c)
    return;
  while (c->members) {
    Member *m = c->members;
    c->members = m->next;
    redis_node_free(m->node);
    free(m);
  }
  loop_timer_free(c->timer);
  loop_timer_free(c->deadline);
  free(c);
}

bool redis_cluster_connected(const RedisCluster *c) {
  return c->up;
}
