/* See router_loop.h. What one loop has is made before its thread runs and freed after it has ended, so both happen on
 * the first loop's thread; in between each loop is told by postings. */
#include "services/router/router_loop.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/list.h"
#include "lib/base/str.h"
#include "services/router/backend/backend.h"
#include "services/router/http/http_listener.h"
#include "services/router/http/https_tls.h"
#include "services/router/http/upstream_pool.h"

typedef struct Member {
  Router router;
  pthread_t thread;
  bool runs;
} Member;

typedef struct RouterLoops {
  RouterAll all;
  Member *members;
  size_t n_busy; /* listeners, and calls of loops, that the drain waits for */
  void (*done)(void *arg);
  void *arg;
} RouterLoops;

static RouterLoops *loops_of(Router *first) {
  return CONTAINER_OF(first->all, RouterLoops, all);
}

/* What a container's limit of processor time comes to in cores, rounded up: "QUOTA PERIOD", or "max PERIOD". */
static int64_t cores_of_limit(void) {
  char line[64] = "", *end = line;
  FILE *f = fopen("/sys/fs/cgroup/cpu.max", "re");
  if (!f)
    return INT64_MAX;
  int64_t quota = fgets(line, sizeof line, f) ? strtoll(line, &end, 10) : 0;
  int64_t period = strtoll(end, NULL, 10);
  fclose(f);
  return quota > 0 && period > 0 ? (quota + period - 1) / period : INT64_MAX;
}

/* The cores that this process may use, which may be fewer than the machine has. */
static size_t cores(void) {
  cpu_set_t set;
  CPU_ZERO(&set);
  /* fails where there are more than the set has room for */
  int64_t n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1, limit = cores_of_limit();
  n = n < limit ? n : limit;
  return n < 1 ? 1 : n < LOOPS_MAX ? (size_t)n : LOOPS_MAX;
}

/* Its calls count together with those of the other loops. */
static RpcHttp *rpc_new(Router *r, Error *err) {
  RpcServerConfig config = service_rpc_config(r->service, r);
  config.n_calls = &r->all->n_calls;
  config.n_held = &r->all->n_held;
  return rpc_http_new(r->loop, &config, r->config->grpc_web_origins, err);
}

/* first: of another loop, or NULL. *ret is NULL where there is no address. */
static int listen_at(Router *r, HttpDoor door, const HttpListener *first, HttpListener **ret, Error *err) {
  if (str_empty(door.address))
    return 0;
  *ret = http_listener_new(r, &door, first, err);
  return *ret ? 0 : -1;
}

static int listen_all(Router *r, const Router *first, Error *err) {
  const RouterConfig *c = r->config;
  const HttpDoor plain = {.flag = "http-address", .address = c->http_address};
  const HttpDoor tls = {.flag = "https-address", .address = c->https_address, .tls = true};
  const HttpDoor grpc = {.flag = "grpc-address", .address = c->service.grpc_address, .is_grpc = true};
  if (listen_at(r, plain, first->http, &r->http, err) != 0 || listen_at(r, tls, first->https, &r->https, err) != 0)
    return -1;
  return listen_at(r, grpc, first->grpc, &r->grpc, err);
}

static int member_init(Router *r, Router *first, Error *err) {
  const RouterConfig *config = r->config;
  if (router_rules(config, r->all->access, &r->admission, err) != 0)
    return -1;
  r->shared = r == first ? service_state_new(r->service, &config->redis, "router")
                         : service_state_new_beside(first->shared, r->loop, &config->redis);
  r->state = service_state_of(r->shared);
  r->claims = backend_new(r->loop, config->claims, NULL);
  r->pools = backend_new(r->loop, config->pools, NULL);
  r->reconciler = backend_new(r->loop, config->reconciler, NULL);
  r->upstreams = upstream_pool_new(r);
  r->rpc = rpc_new(r, err);
  return r->rpc ? listen_all(r, first, err) : -1;
}

/* Who has to show who he is to the one listener, is not let in by the other without. */
static bool grpc_by_http(const Access *access) {
  return access_http_is_open(access) || !access_grpc_is_open(access);
}

static int all_init(RouterAll *all, Service *service, Error *err) {
  const RouterConfig *config = service->config;
  all->grpc_by_http = grpc_by_http(all->access);
  if (!str_empty(config->https_address)) {
    all->tls = https_tls_new(service, err);
    if (!all->tls)
      return -1;
  }
  return 0;
}

int router_loops_new(Service *service, Access *access, Router **ret_first, Error *err) {
  RouterLoops *l = new0(RouterLoops);
  const RouterConfig *config = service->config;
  size_t n = config->loops ? (size_t)config->loops : cores();
  l->members = xcalloc(n, sizeof *l->members);
  l->all.routers = xcalloc(n, sizeof(Router *));
  l->all.n_routers = n;
  l->all.access = access;
  for (size_t i = 0; i < n; i++) {
    Loop *loop = i == 0 ? service->loop : loop_new();
    l->members[i].router = (Router){.service = service, .loop = loop, .config = config, .all = &l->all};
    l->all.routers[i] = &l->members[i].router;
  }
  Router *first = *ret_first = l->all.routers[0];
  int rc = all_init(&l->all, service, err);
  for (size_t i = 0; i < n && rc == 0; i++)
    rc = member_init(l->all.routers[i], first, err);
  return rc;
}

static void *run(void *arg) {
  Router *r = arg;
  loop_run(r->loop);
  return NULL;
}

void router_loops_run(Router *first) {
  RouterLoops *l = loops_of(first);
  sigset_t all, before;
  /* signals are the first's */
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  for (size_t i = 1; i < l->all.n_routers; i++) {
    Member *m = &l->members[i];
    if (pthread_create(&m->thread, NULL, run, &m->router) != 0)
      abort(); /* no memory for a stack */
    m->runs = true;
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
}

static void one_drained(void *arg) {
  RouterLoops *l = arg;
  if (--l->n_busy == 0)
    l->done(l->arg);
}

/* On its loop. What it has posted before is there before this is. */
static void on_drained(void *arg) {
  Router *r = arg;
  loop_post(r->service->loop, one_drained, CONTAINER_OF(r->all, RouterLoops, all));
}

static void drain(void *arg) {
  Router *r = arg;
  upstream_pool_shut(r->upstreams);
  HttpListener *const listeners[] = {r->http, r->https, r->grpc};
  int64_t grace_ms = r->config->service.shutdown_grace_ms;
  rpc_http_drain(r->rpc, grace_ms, on_drained, r);
  /* by then every call has its status, and that has to leave */
  for (size_t i = 0; i < ARRAY_LEN(listeners); i++)
    if (listeners[i])
      http_listener_drain(listeners[i], grace_ms + (int64_t)2 * RPC_HTTP_END_MS, on_drained, r);
}

void router_loops_drain(Router *first, void (*done)(void *arg), void *arg) {
  RouterLoops *l = loops_of(first);
  size_t calls = 1, listeners = 0;
  listeners += first->http != NULL;
  listeners += first->https != NULL;
  listeners += first->grpc != NULL;
  l->n_busy = l->all.n_routers * (calls + listeners);
  l->done = done;
  l->arg = arg;
  for (size_t i = 1; i < l->all.n_routers; i++)
    loop_post(l->all.routers[i]->loop, drain, l->all.routers[i]);
  drain(first);
}

static void serve(void *arg) {
  rpc_http_set_serving(((Router *)arg)->rpc, true);
}

static void serve_not(void *arg) {
  rpc_http_set_serving(((Router *)arg)->rpc, false);
}

void router_loops_set_serving(Router *first, bool serving) {
  void (*fn)(void *) = serving ? serve : serve_not;
  fn(first);
  for (size_t i = 1; i < first->all->n_routers; i++)
    loop_post(first->all->routers[i]->loop, fn, first->all->routers[i]);
}

static void stop(void *arg) {
  loop_stop(arg);
}

static void member_end(Member *m) {
  if (!m->runs)
    return;
  /* a posting, because the thread may not have come to its loop yet */
  loop_post(m->router.loop, stop, m->router.loop);
  pthread_join(m->thread, NULL);
}

static void member_deinit(Router *r) {
  /* first whoever begins calls, then whom they wait for */
  http_listener_free(r->http);
  http_listener_free(r->https);
  http_listener_free(r->grpc);
  backend_free(r->claims);
  backend_free(r->pools);
  backend_free(r->reconciler);
  rpc_http_free(r->rpc);
  upstream_pool_free(r->upstreams);
  service_state_free(r->shared);
}

void router_loops_free(Router *first) {
  RouterLoops *l = loops_of(first);
  for (size_t i = 1; i < l->all.n_routers; i++)
    member_end(&l->members[i]);
  for (size_t i = l->all.n_routers; i-- > 0;) {
    Router *r = l->all.routers[i];
    member_deinit(r);
    if (r != first)
      loop_free(r->loop);
  }
  https_tls_free(l->all.tls);
  access_free(l->all.access);
  free(l->all.routers);
  free(l->members);
  free(l);
}
