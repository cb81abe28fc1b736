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
  return p;
}

void upstream_pool_free(UpstreamPool *p) {
  if (!p)
    return;
  conn_pool_free(p->conns);
  loop_timer_free(p->timer);
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

/* What another loop's pool is told. */
typedef struct Tiding {
  UpstreamPool *pool;
  char *ns, *id, *uid, *route;
  uint16_t port;
} Tiding;

static void clear(UpstreamPool *p, const ConnKey *key) {
  conn_pool_clear(p->conns, key);
  show_count(p);
}

static void on_tiding(void *arg) {
  Tiding *t = arg;
  ConnKey key = {.ns = t->ns, .id = t->id, .uid = t->uid, .route = t->route, .port = t->port};
  clear(t->pool, &key);
  free(t->ns);
  free(t->id);
  free(t->uid);
  free(t->route);
  free(t);
}

static void tell(UpstreamPool *p, const ConnKey *key) {
  Tiding *t = new0(Tiding);
  *t = (Tiding){.pool = p,
                .ns = str_dup(key->ns),
                .id = str_dup(key->id),
                .uid = str_dup(key->uid),
                .route = str_dup(key->route),
                .port = key->port};
  loop_post(p->router->loop, on_tiding, t);
}

void upstream_pool_yield(UpstreamPool *p, const ConnKey *key) {
  const RouterAll *all = p->router->all;
  clear(p, key);
  for (size_t i = 0; atomic_load(&all->n_idle) > 0 && i < all->n_routers; i++)
    if (all->routers[i] != p->router)
      tell(all->routers[i]->upstreams, key);
}
