/* See watch_rpc.h. */
#include "services/claims/watch/watch_rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_pb.h"
#include "lib/state/state_events.h"
#include "services/claims/claim/message_rpc.h"
#include "services/claims/watch/watch_feed.h"

typedef struct Watch {
  struct WatchHub *hub;
  struct Watch *next, **at;
  RpcCall *call;
  WatchFeed *feed;
  Selector *selector;
  AuthzPrincipal room;
  WatchFilter filter;
  Arena *request; /* the query */
  Arena *message; /* the one being written */
  const char *query;
} Watch;

struct WatchHub {
  Claims *claims;
  Watch *first;
  size_t n;
  LoopTimer *timer;
  bool draining;
};

static void watch_free(Watch *watch) {
  if (watch->at) {
    *watch->at = watch->next;
    if (watch->next)
      watch->next->at = watch->at;
    watch->hub->n--;
  }
  watch_feed_free(watch->feed);
  selector_free(watch->selector);
  arena_free(watch->request);
  arena_free(watch->message);
  free(watch);
}

static void end(Watch *watch, const Error *err) {
  Error out = *err;
  if (out.kind == ERROR_UNAVAILABLE && !out.retry_after_ms)
    out.retry_after_ms = 1000;
  rpc_call_finish(watch->call, &out);
  watch_free(watch);
}

static void on_written(RpcCall *call, void *arg) {
  Watch *watch = arg;
  if (rpc_call_pending_bytes(call) < WATCH_MAX_PENDING / 2)
    watch_feed_pump(watch->feed);
}

static void write_event(Watch *watch, Sandplane__V1__WatchSandboxesResponse__EventType type,
                        Sandplane__V1__Sandbox *box) {
  CLEANUP(str_freep) char *token = resume_token(watch_feed_position(watch->feed), watch->query);
  Sandplane__V1__WatchSandboxesResponse response = SANDPLANE__V1__WATCH_SANDBOXES_RESPONSE__INIT;
  response.type = type;
  response.sandbox = box;
  response.resume_token = token;
  rpc_pb_write(watch->call, &response.base, on_written, watch);
  arena_reset(watch->message);
}

static void on_event(void *arg, const WatchEvent *event) {
  Watch *watch = arg;
  Arena *arena = watch->message;
  if (event->change == WATCH_DELETED) {
    write_event(watch, SANDPLANE__V1__WATCH_SANDBOXES_RESPONSE__EVENT_TYPE__DELETED,
                message_gone(arena, event->ns, event->pool, event->id, event->uid));
    return;
  }
  Sandplane__V1__Sandbox *box = message_sandbox(arena, event->record, watch->hub->claims->config->router_url);
  write_event(watch,
              event->change == WATCH_ADDED ? SANDPLANE__V1__WATCH_SANDBOXES_RESPONSE__EVENT_TYPE__ADDED
                                           : SANDPLANE__V1__WATCH_SANDBOXES_RESPONSE__EVENT_TYPE__MODIFIED,
              box);
}

static void on_synced(void *arg) {
  write_event(arg, SANDPLANE__V1__WATCH_SANDBOXES_RESPONSE__EVENT_TYPE__SYNCED, NULL);
}

static bool on_full(void *arg) {
  const Watch *watch = arg;
  return rpc_call_pending_bytes(watch->call) >= WATCH_MAX_PENDING;
}

static void on_failed(void *arg, const Error *err) {
  end(arg, err);
}

static void on_cancel(RpcCall *call, void *arg) {
  Error err;
  error_set(&err, ERROR_CANCELLED, "the caller has gone");
  end(arg, &err);
}

static const WatchFeedHandlers HANDLERS = {on_event, on_synced, on_full, on_failed};

static int prepare(Watch *watch, const Sandplane__V1__WatchSandboxesRequest *in, WatchScope *ret_scope,
                   Resume *ret_from, Error *err) {
  *ret_scope = (WatchScope){0};
  if (resource_parent_parse(in->parent, true, "parent", ret_scope->ns, err) < 0)
    return -1;
  if (!str_empty(in->pool)) {
    ResourceName pool;
    if (resource_name_parse(in->pool, "pools", "pool", &pool, err) < 0)
      return -1;
    if (ret_scope->ns[0] && !str_equal(ret_scope->ns, pool.ns))
      return error_field(err, "pool", "must be in the namespace of parent");
    snprintf(ret_scope->ns, sizeof ret_scope->ns, "%s", pool.ns);
    snprintf(ret_scope->pool, sizeof ret_scope->pool, "%s", pool.id);
  }
  ret_scope->who = claims_caller(watch->call, &watch->room);
  if (ret_scope->ns[0] && authz_check_namespace(ret_scope->who, ret_scope->ns, err) < 0)
    return -1;
  watch->selector = selector_parse(in->label_selector, err);
  if (!watch->selector)
    return -1;
  watch->filter = (WatchFilter){watch->selector, in->show_unclaimed, ret_scope->who};
  watch->query = arena_printf(watch->request, "watch\n%s\n%s\n%s\n%d", in->parent, in->pool, in->label_selector,
                              in->show_unclaimed);
  return str_empty(in->resume_token) ? 0 : resume_parse(in->resume_token, watch->query, ret_from, err);
}

static int start(Watch *watch, const uint8_t *data, size_t len, Error *err) {
  WatchHub *hub = watch->hub;
  if (hub->draining)
    return error_set(err, ERROR_UNAVAILABLE, "shutting down");
  if (hub->n >= (size_t)hub->claims->config->max_watches) {
    err->retry_after_ms = 1000;
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "this replica serves %zu watches, its maximum", hub->n);
  }
  const Sandplane__V1__WatchSandboxesRequest *in =
      rpc_pb_unpack(&sandplane__v1__watch_sandboxes_request__descriptor, watch->request, data, len, err);
  if (!in)
    return -1;
  WatchScope scope;
  CLEANUP(resume_deinit) Resume from = {0};
  if (prepare(watch, in, &scope, &from, err) < 0)
    return -1;
  watch->feed =
      watch_feed_new(hub->claims->state, &scope, &watch->filter, !str_empty(in->resume_token), &from, &HANDLERS, watch);
  return 0;
}

void watch_rpc(RpcCall *call, void *arg, const uint8_t *data, size_t len) {
  Claims *claims = arg;
  Watch *watch = new0(Watch);
  watch->hub = claims->watches;
  watch->call = call;
  watch->request = arena_new();
  watch->message = arena_new();
  Error err = {0};
  if (start(watch, data, len, &err) < 0) {
    end(watch, &err);
    return;
  }
  WatchHub *hub = watch->hub;
  watch->at = &hub->first;
  watch->next = hub->first;
  if (watch->next)
    watch->next->at = &watch->next;
  hub->first = watch;
  hub->n++;
  rpc_call_on_cancel(call, on_cancel, watch);
  watch_feed_pump(watch->feed);
}

/* ---- the hub ---- */

static void changed(WatchHub *hub, const char *ns, const char *pool) {
  for (Watch *watch = hub->first, *next; watch; watch = next) {
    next = watch->next;
    watch_feed_changed(watch->feed, ns, pool);
  }
}

static void on_events(void *arg, const char *ns, const char *pool) {
  changed(arg, ns, pool);
}

static void on_timer(void *arg) {
  WatchHub *hub = arg;
  changed(hub, NULL, NULL);
  loop_timer_start(hub->timer, WATCH_LOOK_MS);
}

void watch_hub_pool(WatchHub *hub, const char *ns, const char *pool, bool present) {
  for (Watch *watch = hub->first, *next; watch; watch = next) {
    next = watch->next;
    if (present)
      watch_feed_found(watch->feed, ns, pool);
    else
      watch_feed_gone(watch->feed, ns, pool);
  }
}

void watch_hub_drain(WatchHub *hub) {
  hub->draining = true;
  Error err;
  error_set(&err, ERROR_UNAVAILABLE, "shutting down; go on with the last resume_token");
  for (Watch *watch = hub->first, *next; watch; watch = next) {
    next = watch->next;
    end(watch, &err);
  }
}

size_t watch_hub_size(const WatchHub *hub) {
  return hub->n;
}

WatchHub *watch_hub_new(Claims *claims) {
  WatchHub *hub = new0(WatchHub);
  hub->claims = claims;
  hub->timer = loop_timer_new(claims->service->loop, on_timer, hub);
  loop_timer_start(hub->timer, WATCH_LOOK_MS);
  state_on_events(claims->state, on_events, hub);
  return hub;
}

void watch_hub_free(WatchHub *hub) {
  if (!hub)
    return;
  loop_timer_free(hub->timer);
  free(hub);
}
