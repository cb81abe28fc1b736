/* See reload_loop.h. By stat(2), as a Secret is swapped by a symbolic link far above the file, which inotify does not
 * tell; a revoked key is of no use a second later. */
#include "services/router/access/reload_loop.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"

#define LOOK_MS 1000

struct ReloadLoop {
  AuthzStore *store;
  LoopTimer *timer;
};

static int64_t count(AuthzStore *store) {
  AuthzSources *sources = authz_store_take(store);
  size_t n = authz_sources_count(sources);
  authz_sources_release(sources);
  return (int64_t)n;
}

static void on_timer(void *arg) {
  ReloadLoop *r = arg;
  Error err;
  int rc = authz_store_reload(r->store, &err);
  if (rc < 0)
    log_event(LOG_ERROR, "access_kept", LOG_STR("why", err.message));
  else if (rc > 0)
    log_event(LOG_INFO, "access_reloaded", LOG_INT("keys", count(r->store)));
  loop_timer_start(r->timer, LOOK_MS);
}

static void say(const Access *access) {
  bool http = access_http_is_open(access), grpc = access_grpc_is_open(access);
  AuthzStore *store = access_store(access);
  if (http || grpc)
    log_event(LOG_WARN, "access_open", LOG_STR("grpc", grpc ? "open" : "locked"),
              LOG_STR("http", http ? "open" : "locked"),
              LOG_STR("hint", "whoever reaches an open listener may do everything there; see --api-keys-file"));
  else
    log_event(store ? LOG_INFO : LOG_WARN, "access_locked", LOG_STR("grpc", store ? "locked" : "shut"),
              LOG_INT("keys", store ? count(store) : 0));
}

ReloadLoop *reload_loop_new(Loop *loop, const Access *access) {
  ReloadLoop *r = new0(ReloadLoop);
  r->store = access_store(access);
  say(access);
  if (r->store) {
    r->timer = loop_timer_new(loop, on_timer, r);
    loop_timer_start(r->timer, LOOK_MS);
  }
  return r;
}

void reload_loop_free(ReloadLoop *r) {
  if (!r)
    return;
  loop_timer_free(r->timer);
  free(r);
}
