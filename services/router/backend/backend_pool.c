/* See backend_pool.h. */
#include "services/router/backend/backend_pool.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

enum {
  /* As lib/rpc's channels: our peers are few and near, and a supervisor brings them back within a second. */
  BACKOFF_FIRST_MS = 50,
  BACKOFF_MAX_MS = 250,
  /* Between two lookups of a name, and the longest while it has no answer. */
  LOOKUP_MIN_MS = 1000,
  LOOKUP_MAX_MS = 8000,
  WHY_MAX = ADDRESS_TEXT_MAX + 80,
};

/* As in --claims. */
typedef struct Target {
  ListLink link;
  struct BackendPool *pool;
  Address address;
  char text[ADDRESS_TEXT_MAX]; /* the authority of requests */
  bool is_name;
  BackendLookup *lookup; /* under way */
  LoopTimer *again;
  bool due;           /* the timer runs */
  bool answered;      /* one lookup has ended, somehow */
  int64_t asked_ms;   /* when the last one was started */
  int64_t backoff_ms; /* before the next one */
} Target;

typedef struct Replica {
  ListLink link;
  Target *target;
  Address address;
  BackendConn *conn; /* NULL: between two attempts */
  bool failed;       /* the last attempt did */
  bool found;        /* by the lookup at hand */
  int64_t tried_ms, backoff_ms;
  LoopTimer *again;
} Replica;

struct BackendPool {
  Loop *loop;
  BackendNames names;
  Http2ClientHandlers streams;
  List targets;
  List replicas; /* that which was asked last is the last */
  List leaving;  /* connections of no replica any more */
  List waiters;
  LoopTimer *soon; /* tells the waiters */
  char why[WHY_MAX];
};

static const BackendNames MACHINE = {backend_lookup, backend_lookup_free};

const char *backend_pool_why(const BackendPool *pool) {
  return pool->why;
}

/* ---- Who waits ---- */

/* Those that still cannot have one come again, behind. */
static void on_soon(void *arg) {
  BackendPool *pool = arg;
  List now = LIST_INIT(now);
  for (ListLink *link; (link = list_take_first(&pool->waiters));)
    list_append(&now, link);
  for (ListLink *link; (link = list_take_first(&now));) {
    BackendWaiter *waiter = CONTAINER_OF(link, BackendWaiter, link);
    waiter->ready(waiter);
  }
}

static void wake(BackendPool *pool) {
  if (!list_is_empty(&pool->waiters))
    loop_timer_start(pool->soon, 0);
}

void backend_pool_wait(BackendPool *pool, BackendWaiter *waiter) {
  list_append(&pool->waiters, &waiter->link);
}

/* ---- Names ---- */

static void replica_new(Target *target, const Address *address);
static void replica_free(Replica *replica);

static void look_up_soon(Target *target);

static Replica *replica_of(Target *target, const Address *address) {
  LIST_EACH(Replica, r, &target->pool->replicas, link) {
    if (r->target == target && str_equal(r->address.host, address->host))
      return r;
  }
  return NULL;
}

static void take_found(Target *target, const Address *found, size_t n) {
  BackendPool *pool = target->pool;
  LIST_EACH(Replica, r, &pool->replicas, link) r->found = r->target != target;
  for (size_t i = 0; i < n; i++) {
    if (!replica_of(target, &found[i]))
      replica_new(target, &found[i]);
    replica_of(target, &found[i])->found = true;
  }
  LIST_EACH(Replica, r, &pool->replicas, link) {
    if (!r->found)
      replica_free(r);
  }
}

static void on_found(void *arg, const Address *found, size_t n, const char *why) {
  Target *target = arg;
  BackendPool *pool = target->pool;
  target->lookup = NULL;
  target->answered = true;
  if (n > 0) {
    target->backoff_ms = LOOKUP_MIN_MS;
    take_found(target, found, n);
  } else {
    snprintf(pool->why, sizeof pool->why, "%s: %s", target->text, why);
    target->backoff_ms = target->backoff_ms < LOOKUP_MAX_MS / 2 ? 2 * target->backoff_ms : LOOKUP_MAX_MS;
    look_up_soon(target);
  }
  wake(pool);
}

static void on_look_up(void *arg) {
  Target *target = arg;
  BackendPool *pool = target->pool;
  target->due = false;
  target->asked_ms = loop_now_ms(pool->loop);
  target->lookup = pool->names.start(pool->loop, &target->address, on_found, target);
}

static void look_up_soon(Target *target) {
  if (!target->is_name || target->lookup || target->due)
    return;
  int64_t wait = target->asked_ms + target->backoff_ms - loop_now_ms(target->pool->loop);
  target->due = true;
  loop_timer_start(target->again, wait > 0 ? wait : 0);
}

/* ---- Replicas ---- */

static void on_conn(void *arg, BackendConn *conn);

static void on_attempt(void *arg) {
  Replica *r = arg;
  BackendPool *pool = r->target->pool;
  r->tried_ms = loop_now_ms(pool->loop);
  r->conn = backend_conn_new(pool->loop, &r->address, &pool->streams, on_conn, r);
}

/* A replica that takes connections and ends them at once is not asked without a pause either. */
static void attempt_soon(Replica *r) {
  int64_t wait = r->tried_ms + r->backoff_ms - loop_now_ms(r->target->pool->loop);
  loop_timer_start(r->again, wait > 0 ? wait : 0);
}

static void on_left(void *arg, BackendConn *conn) {
  if (conn->state != BACKEND_CONN_OVER)
    return;
  list_remove(&conn->link);
  backend_conn_free(conn);
}

/* The replica is no longer the connection's. */
static void let_go(BackendPool *pool, BackendConn *conn) {
  if (!conn)
    return;
  conn->fn = on_left;
  if (conn->state == BACKEND_CONN_CONNECTING || conn->state == BACKEND_CONN_OVER) {
    backend_conn_free(conn);
    return;
  }
  list_append(&pool->leaving, &conn->link);
  if (conn->state == BACKEND_CONN_READY)
    backend_conn_retire(conn);
}

static void say_why(Replica *r, const char *why) {
  char text[ADDRESS_TEXT_MAX];
  address_format(&r->address, text);
  snprintf(r->target->pool->why, WHY_MAX, "%s: %s", text, why);
}

static void on_conn(void *arg, BackendConn *conn) {
  Replica *r = arg;
  BackendPool *pool = r->target->pool;
  if (conn->state == BACKEND_CONN_READY) {
    r->failed = false;
    r->backoff_ms = BACKOFF_FIRST_MS;
  } else if (conn->state != BACKEND_CONN_CONNECTING) {
    /* the first attempt after a connection that worked is made at once */
    if (!conn->was_ready) {
      say_why(r, conn->why);
      r->failed = true;
      r->backoff_ms = r->backoff_ms < BACKOFF_MAX_MS / 2 ? 2 * r->backoff_ms : BACKOFF_MAX_MS;
    }
    r->conn = NULL;
    let_go(pool, conn);
    attempt_soon(r);
    look_up_soon(r->target);
  }
  wake(pool);
}

static void replica_new(Target *target, const Address *address) {
  BackendPool *pool = target->pool;
  Replica *r = new0(Replica);
  *r = (Replica){.target = target, .address = *address, .backoff_ms = BACKOFF_FIRST_MS};
  r->again = loop_timer_new(pool->loop, on_attempt, r);
  r->tried_ms = loop_now_ms(pool->loop) - BACKOFF_FIRST_MS;
  list_append(&pool->replicas, &r->link);
  attempt_soon(r);
}

static void replica_free(Replica *r) {
  let_go(r->target->pool, r->conn);
  list_remove(&r->link);
  loop_timer_free(r->again);
  free(r);
}

/* ---- Picking ---- */

BackendPick backend_pool_pick(BackendPool *pool, Http2Session **ret_session, const char **ret_authority) {
  Replica *best = NULL;
  bool hope = false;
  LIST_EACH(Target, t, &pool->targets, link) hope |= t->is_name && !t->answered;
  LIST_EACH(Replica, r, &pool->replicas, link) {
    hope |= !r->failed;
    if (!r->conn || !backend_conn_has_room(r->conn))
      continue;
    if (!best || http2_session_streams(r->conn->session) < http2_session_streams(best->conn->session))
      best = r;
  }
  if (!best)
    return hope ? BACKEND_WAIT : BACKEND_AWAY;
  /* among equals in turn */
  list_remove(&best->link);
  list_append(&pool->replicas, &best->link);
  *ret_session = best->conn->session;
  *ret_authority = best->target->text;
  return BACKEND_PICKED;
}

/* ---- The pool ---- */

static void target_new(BackendPool *pool, const char *text) {
  Address address;
  struct sockaddr_storage number;
  if (address_parse(text, &address, NULL) != 0)
    return;
  Target *t = new0(Target);
  *t = (Target){.pool = pool, .backoff_ms = LOOKUP_MIN_MS};
  if (address.kind == ADDRESS_TCP && (!*address.host || str_equal(address.host, "localhost")))
    strcpy(address.host, "127.0.0.1");
  t->address = address;
  t->is_name = address.kind == ADDRESS_TCP && address_sockaddr(&address, &number) == 0;
  if (address.kind == ADDRESS_UNIX)
    strcpy(t->text, "localhost");
  else
    address_format(&address, t->text);
  t->again = loop_timer_new(pool->loop, on_look_up, t);
  list_append(&pool->targets, &t->link);
  t->asked_ms = loop_now_ms(pool->loop) - LOOKUP_MIN_MS;
  if (t->is_name)
    look_up_soon(t);
  else
    replica_new(t, &address);
}

BackendPool *backend_pool_new(Loop *loop, const char *targets, const BackendNames *names,
                              const Http2ClientHandlers *streams) {
  BackendPool *pool = new0(BackendPool);
  pool->loop = loop;
  pool->names = names ? *names : MACHINE;
  pool->streams = *streams;
  list_init(&pool->targets);
  list_init(&pool->replicas);
  list_init(&pool->leaving);
  list_init(&pool->waiters);
  pool->soon = loop_timer_new(loop, on_soon, pool);
  CLEANUP(str_freep) char *copy = str_dup(targets);
  char *rest = copy;
  for (char *part; (part = strsep(&rest, ","));)
    target_new(pool, part);
  return pool;
}

void backend_pool_free(BackendPool *pool) {
  if (!pool)
    return;
  LIST_EACH(Replica, r, &pool->replicas, link) {
    backend_conn_free(r->conn);
    r->conn = NULL;
    replica_free(r);
  }
  LIST_EACH(BackendConn, conn, &pool->leaving, link) {
    list_remove(&conn->link);
    backend_conn_free(conn);
  }
  LIST_EACH(Target, t, &pool->targets, link) {
    pool->names.free(t->lookup);
    loop_timer_free(t->again);
    list_remove(&t->link);
    free(t);
  }
  loop_timer_free(pool->soon);
  free(pool);
}
