/* See upstream_pool.h. */
#include "services/router/http/upstream_pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

/* Any byte is one too many. */
#define IN_MAX 1

/* A new connection whose answer does not begin may wait for the idle ones to end: first after so long, and then after
 * twice as long each time, up to the second. An answer that comes as soon after that was waited for it. */
#define YIELD_FIRST_MS 100
#define YIELD_MAX_MS 1000
/* Until that. */
enum { WAIT_LOOKS = 5 };

typedef struct Idle {
  PooledConn pooled;
  UpstreamPool *pool;
  Stream *stream;
} Idle;

struct UpstreamPool {
  Router *router;
  ConnPool *conns;
  LoopTimer *timer; /* runs while one waits */
  bool timed, shut;
  size_t shown;
  List waits[WAIT_LOOKS]; /* by how often they were looked at, the earliest due first */
  LoopTimer *look;        /* at those that are due */
  int64_t look_ms;        /* when; INT64_MAX: it does not run */
};

static void show_count(UpstreamPool *p) {
  size_t count = conn_pool_count(p->conns);
  if (count != p->shown)
    metrics_add(p->router->service->metrics, ROUTER_UPSTREAM_IDLE, (double)count - (double)p->shown, NULL, NULL, NULL);
  p->shown = count;
}

static void on_dropped(void *arg, PooledConn *conn) {
  Idle *idle = CONTAINER_OF(conn, Idle, pooled);
  stream_free(idle->stream);
  free(idle);
}

static void on_look(void *arg);

static void on_time(void *arg) {
  UpstreamPool *p = arg;
  int64_t left = conn_pool_expire(p->conns, clock_mono_ms());
  p->timed = left >= 0;
  if (p->timed)
    loop_timer_start(p->timer, left);
  show_count(p);
}

UpstreamPool *upstream_pool_new(Router *router) {
  UpstreamPool *p = new0(UpstreamPool);
  const RouterConfig *config = router->config;
  p->router = router;
  /* connections of clients are spread evenly, so a port's into a sandbox are as well */
  int64_t loops = (int64_t)router->all->n_routers;
  p->conns = conn_pool_new((ConnPoolLimits){.per_port = (config->upstream_max_idle_per_port + loops - 1) / loops,
                                            .in_all = config->upstream_max_idle,
                                            .count = &router->all->n_idle,
                                            .idle_ms = config->upstream_idle_timeout_ms,
                                            .quiet_ms = config->upstream_quiet_time_ms},
                           on_dropped, p);
  p->timer = loop_timer_new(router->loop, on_time, p);
  p->look = loop_timer_new(router->loop, on_look, p);
  p->look_ms = INT64_MAX;
  for (size_t i = 0; i < WAIT_LOOKS; i++)
    list_init(&p->waits[i]);
  return p;
}

void upstream_pool_free(UpstreamPool *p) {
  if (!p)
    return;
  conn_pool_free(p->conns);
  loop_timer_free(p->timer);
  loop_timer_free(p->look);
  free(p);
}

void upstream_pool_shut(UpstreamPool *p) {
  p->shut = true;
  conn_pool_expire(p->conns, INT64_MAX);
  show_count(p);
}

/* ---- while one waits ---- */

static void ended(Idle *idle) {
  UpstreamPool *p = idle->pool;
  conn_pool_remove(p->conns, &idle->pooled);
  on_dropped(p, &idle->pooled);
  show_count(p);
}

static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  ended(arg);
  return len;
}

static void on_eof(void *arg) {
  ended(arg);
}

static void on_error(void *arg, int errnum) {
  ended(arg);
}

static const StreamHandlers HANDLERS = {.on_data = on_data, .on_eof = on_eof, .on_error = on_error};

/* Neither closed nor spoken, as the kernel knows now: the loop may not have come to it yet. */
static bool is_silent(const Stream *stream) {
  char byte;
  return recv(stream_fd(stream), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

static Stream *take_silent(UpstreamPool *p, const ConnKey *key) {
  Stream *stream = NULL;
  for (PooledConn *conn; !stream && (conn = conn_pool_take(p->conns, key, clock_mono_ms()));) {
    Idle *idle = CONTAINER_OF(conn, Idle, pooled);
    stream = idle->stream;
    free(idle);
    if (is_silent(stream))
      break;
    stream_free(stream);
    stream = NULL;
  }
  return stream;
}

Stream *upstream_pool_take(UpstreamPool *p, const ConnKey *key, bool wanted) {
  conn_pool_settle(p->conns, key);
  Stream *stream = wanted ? take_silent(p, key) : NULL;
  show_count(p);
  return stream;
}

void upstream_pool_give(UpstreamPool *p, const ConnKey *key, Stream *stream) {
  if (p->shut) {
    stream_free(stream);
    return;
  }
  Idle *idle = new0(Idle);
  *idle = (Idle){.pool = p, .stream = stream};
  stream_hand_over(stream, IN_MAX, &HANDLERS, idle);
  conn_pool_put(p->conns, key, &idle->pooled, clock_mono_ms());
  if (!p->timed && conn_pool_count(p->conns) > 0) {
    p->timed = true;
    loop_timer_start(p->timer, p->router->config->upstream_idle_timeout_ms);
  }
  show_count(p);
}

void upstream_pool_forget(UpstreamPool *p, const char *ns, const char *id) {
  conn_pool_forget(p->conns, ns, id);
  show_count(p);
}

/* ---- programs that serve one connection at a time ---- */

typedef enum Tidings {
  MAKE_WAY, /* somebody waits for your idle connections to this port, perhaps */
  MADE_WAY, /* some have ended */
  IS_SERIAL /* it was they that he waited for */
} Tidings;

/* What one loop's pool tells another's. */
typedef struct Message {
  Tidings tidings;
  UpstreamPool *from, *to;
  char *ns, *id, *uid, *route;
  uint16_t port;
} Message;

static void on_message(void *arg);

static void tell(UpstreamPool *from, UpstreamPool *to, Tidings tidings, const ConnKey *key) {
  Message *m = new0(Message);
  *m = (Message){.tidings = tidings,
                 .from = from,
                 .to = to,
                 .ns = str_dup(key->ns),
                 .id = str_dup(key->id),
                 .uid = str_dup(key->uid),
                 .route = str_dup(key->route),
                 .port = key->port};
  loop_post(to->router->loop, on_message, m);
}

static void tell_all(UpstreamPool *p, Tidings tidings, const ConnKey *key) {
  const RouterAll *all = p->router->all;
  for (size_t i = 0; i < all->n_routers; i++)
    if (all->routers[i] != p->router)
      tell(p, all->routers[i]->upstreams, tidings, key);
}

static size_t clear(UpstreamPool *p, const ConnKey *key) {
  size_t n = conn_pool_clear(p->conns, key);
  show_count(p);
  return n;
}

static void note_serial(UpstreamPool *p, const ConnKey *key) {
  conn_pool_note_serial(p->conns, key, clock_mono_ms());
  show_count(p);
}

static bool same_port(const ConnKey *a, const ConnKey *b) {
  return a->port == b->port && str_equal(a->id, b->id) && str_equal(a->ns, b->ns) && str_equal(a->uid, b->uid);
}

static void note_way(UpstreamPool *p, const ConnKey *key) {
  for (size_t i = 0; i < WAIT_LOOKS; i++)
    LIST_EACH(UpstreamWait, wait, &p->waits[i], link) {
      if (same_port(&wait->key, key))
        wait->made_way_ms = clock_mono_ms();
    }
}

static void on_message(void *arg) {
  Message *m = arg;
  ConnKey key = {.ns = m->ns, .id = m->id, .uid = m->uid, .route = m->route, .port = m->port};
  if (m->tidings == MAKE_WAY && clear(m->to, &key) > 0)
    tell(m->to, m->from, MADE_WAY, &key);
  else if (m->tidings == MADE_WAY)
    note_way(m->to, &key);
  else if (m->tidings == IS_SERIAL)
    note_serial(m->to, &key);
  free(m->ns);
  free(m->id);
  free(m->uid);
  free(m->route);
  free(m);
}

static void make_way(UpstreamPool *p, UpstreamWait *wait) {
  if (clear(p, &wait->key) > 0)
    wait->made_way_ms = clock_mono_ms();
  if (atomic_load(&p->router->all->n_idle) > 0)
    tell_all(p, MAKE_WAY, &wait->key);
}

/* All of one list wait for the same pause, so they are due in the order in which they came. */
static void enqueue(UpstreamPool *p, UpstreamWait *wait, int64_t now_ms) {
  size_t nth = wait->n_looks < WAIT_LOOKS ? wait->n_looks : WAIT_LOOKS - 1;
  int64_t pause = (int64_t)YIELD_FIRST_MS << nth;
  wait->due_ms = now_ms + (pause < YIELD_MAX_MS ? pause : YIELD_MAX_MS);
  list_append(&p->waits[nth], &wait->link);
  if (wait->due_ms >= p->look_ms)
    return;
  p->look_ms = wait->due_ms;
  loop_timer_start(p->look, wait->due_ms - now_ms);
}

static UpstreamWait *first_of(const List *waits) {
  ListLink *link = list_first(waits);
  return link ? CONTAINER_OF(link, UpstreamWait, link) : NULL;
}

static void on_look(void *arg) {
  UpstreamPool *p = arg;
  int64_t now_ms = clock_mono_ms(), next_ms = INT64_MAX;
  p->look_ms = INT64_MAX;
  for (size_t i = 0; i < WAIT_LOOKS; i++) {
    UpstreamWait *wait;
    while ((wait = first_of(&p->waits[i])) && wait->due_ms <= now_ms) {
      list_remove(&wait->link);
      wait->n_looks++;
      make_way(p, wait);
      enqueue(p, wait, now_ms);
    }
    if (wait && wait->due_ms < next_ms)
      next_ms = wait->due_ms;
  }
  if (next_ms >= p->look_ms)
    return;
  p->look_ms = next_ms;
  loop_timer_start(p->look, next_ms - now_ms);
}

void upstream_pool_wait(UpstreamPool *p, UpstreamWait *wait, const ConnKey *key) {
  *wait = (UpstreamWait){.pool = p, .key = *key};
  enqueue(p, wait, clock_mono_ms());
}

void upstream_pool_waited(UpstreamWait *wait, bool answered) {
  UpstreamPool *p = wait->pool;
  if (!p)
    return;
  list_remove(&wait->link);
  wait->pool = NULL;
  if (!answered || !wait->made_way_ms || clock_mono_ms() - wait->made_way_ms > YIELD_FIRST_MS)
    return;
  note_serial(p, &wait->key);
  tell_all(p, IS_SERIAL, &wait->key);
}
