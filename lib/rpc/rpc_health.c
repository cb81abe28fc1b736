/* One status for the whole server. A watcher is told the status at once and then every change; one that
 * reads too slowly has at most one message under way, and gets the newest status after it. */
#include "lib/rpc/rpc_health.h"

#include <stdlib.h>

#include "grpc/health/v1/health.pb-c.h"
#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "lib/rpc/rpc_pb.h"

typedef Grpc__Health__V1__HealthCheckResponse Response;
typedef Grpc__Health__V1__HealthCheckRequest Request;
typedef Grpc__Health__V1__HealthCheckResponse__ServingStatus Status;
#define STATUS(name) GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__SERVING_STATUS__##name

typedef struct Watcher Watcher;
struct Watcher {
  RpcHealth *health;
  Watcher *next, **link;
  RpcCall *call;
  bool known; /* the service it asks about is one of this server */
  Status sent;
  bool busy; /* a message is under way */
};

struct RpcHealth {
  const RpcServices *services;
  Status status;
  bool ended;
  Watcher *watchers;
};

RpcHealth *rpc_health_new(const RpcServices *services) {
  RpcHealth *health = new0(RpcHealth);
  health->services = services;
  health->status = STATUS(NOT_SERVING);
  return health;
}

void rpc_health_free(RpcHealth *health) {
  free(health);
}

/* The service asked about, "" for all; NULL when the request is malformed, and the call is finished then. */
static Request *parse(Arena *arena, RpcCall *call, const uint8_t *data, size_t len) {
  Error err;
  Request *request = rpc_pb_unpack(&grpc__health__v1__health_check_request__descriptor, arena, data, len, &err);
  if (!request)
    rpc_call_finish(call, &err);
  return request;
}

static bool is_known(const RpcHealth *health, const Request *request) {
  return !*request->service || rpc_services_has(health->services, request->service);
}

DEFINE_CLEANUP(Arena *, arena_freep, arena_free)

void rpc_health_check(RpcHealth *health, RpcCall *call, const uint8_t *data, size_t len) {
  CLEANUP(arena_freep) Arena *arena = arena_new();
  Request *request = parse(arena, call, data, len);
  if (!request)
    return;
  if (!is_known(health, request)) {
    Error err;
    error_set(&err, ERROR_NOT_FOUND, "no service %s here", request->service);
    rpc_call_finish(call, &err);
    return;
  }
  Response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
  response.status = health->status;
  rpc_pb_reply(call, &response.base);
}

/* ---- Watch ---- */

static void watcher_free(Watcher *watcher) {
  *watcher->link = watcher->next;
  if (watcher->next)
    watcher->next->link = watcher->link;
  free(watcher);
}

static void on_written(RpcCall *call, void *arg);

static void watcher_tell(Watcher *watcher) {
  Status status = watcher->known ? watcher->health->status : STATUS(SERVICE_UNKNOWN);
  if (watcher->busy || watcher->sent == status)
    return;
  Response response = GRPC__HEALTH__V1__HEALTH_CHECK_RESPONSE__INIT;
  response.status = status;
  watcher->sent = status;
  watcher->busy = true;
  rpc_pb_write(watcher->call, &response.base, on_written, watcher);
}

static void on_written(RpcCall *call, void *arg) {
  Watcher *watcher = arg;
  watcher->busy = false;
  watcher_tell(watcher);
}

static void on_cancel(RpcCall *call, void *arg) {
  watcher_free(arg);
  rpc_call_finish(call, NULL);
}

static void end_watch(RpcCall *call) {
  Error err;
  error_set(&err, ERROR_UNAVAILABLE, "the server is shutting down");
  rpc_call_finish(call, &err);
}

static void on_watch_request(RpcCall *call, void *arg, const uint8_t *data, size_t len) {
  RpcHealth *health = arg;
  CLEANUP(arena_freep) Arena *arena = arena_new();
  if (!data) {
    Error err;
    error_set(&err, ERROR_INVALID_ARGUMENT, "the request message is missing");
    rpc_call_finish(call, &err);
    return;
  }
  Request *request = parse(arena, call, data, len);
  if (!request)
    return;
  if (health->ended)
    return end_watch(call);
  Watcher *watcher = new0(Watcher);
  *watcher = (Watcher){.health = health, .next = health->watchers, .link = &health->watchers, .call = call};
  watcher->known = is_known(health, request);
  watcher->sent = STATUS(UNKNOWN);
  if (watcher->next)
    watcher->next->link = &watcher->next;
  health->watchers = watcher;
  watcher_tell(watcher);
  rpc_call_on_cancel(call, on_cancel, watcher);
}

void rpc_health_watch(RpcHealth *health, RpcCall *call) {
  rpc_call_read(call, on_watch_request, health);
}

void rpc_health_set(RpcHealth *health, bool serving) {
  health->status = serving ? STATUS(SERVING) : STATUS(NOT_SERVING);
  for (Watcher *w = health->watchers; w; w = w->next)
    watcher_tell(w);
}

void rpc_health_end(RpcHealth *health) {
  health->ended = true;
  rpc_health_set(health, false);
  for (Watcher *w = health->watchers, *next; w; w = next) {
    next = w->next;
    RpcCall *call = w->call;
    watcher_free(w);
    end_watch(call);
  }
}
