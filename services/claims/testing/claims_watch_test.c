/* WatchSandboxes: the set, then changes; on with a token at the other replica, without gaps. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_sandbox.h"
#include "services/claims/testing/claims_fixture.h"

typedef Sandplane__V1__WatchSandboxesRequest WatchRequest;
typedef Sandplane__V1__WatchSandboxesResponse WatchResponse;

enum { ADDED = 1, MODIFIED, DELETED, SYNCED };

/* What the events said, put into one map: the replayed set of names, as "name=labels". */
typedef struct Watch {
  World *w;
  RpcClientCall *call;
  Arena *arena;
  char log[4096]; /* "ADDED id;DELETED id;..." */
  char token[4096];
  bool over;
  Error status;
} Watch;

static const char *const NAMES[] = {"", "ADDED", "MODIFIED", "DELETED", "SYNCED"};

static void on_message(RpcClientCall *call, void *arg, const uint8_t *data, size_t len) {
  Watch *watch = arg;
  Error err;
  const WatchResponse *r =
      rpc_pb_unpack(&sandplane__v1__watch_sandboxes_response__descriptor, watch->arena, data, len, &err);
  assert_non_null(r);
  const char *id = r->sandbox ? strrchr(r->sandbox->name, '/') + 1 : "-";
  snprintf(watch->log + strlen(watch->log), sizeof watch->log - strlen(watch->log), "%s %s;", NAMES[r->type], id);
  assert_true(*r->resume_token != '\0');
  snprintf(watch->token, sizeof watch->token, "%s", r->resume_token);
  rpc_client_read(call);
}

static void on_done(RpcClientCall *call, void *arg, const Error *status, const uint8_t *details, size_t len) {
  Watch *watch = arg;
  watch->over = true;
  watch->status = *status;
}

static void watch_start(Watch *watch, World *w, int i, WatchRequest *request) {
  static const RpcClientHandlers handlers = {on_message, NULL, on_done};
  *watch = (Watch){.w = w, .arena = arena_new()};
  watch->call =
      rpc_client_call(w->replicas[i].channel, METHOD("WatchSandboxes"), INT64_MAX, false, NULL, 0, &handlers, watch);
  size_t len;
  uint8_t *data = rpc_pb_pack(&request->base, &len);
  rpc_client_write(watch->call, data, len);
  rpc_client_half_close(watch->call);
  rpc_client_read(watch->call);
  str_freep((char **)&data);
}

static void watch_stop(Watch *watch) {
  if (!watch->over)
    rpc_client_cancel(watch->call);
  service_fixture_wait(watch->w->f->loop, &watch->over, "end of a watch");
  arena_free(watch->arena);
}

typedef struct Seen {
  Watch *watch;
  const char *text;
} Seen;

static bool has(void *arg) {
  Seen *seen = arg;
  return strstr(seen->watch->log, seen->text) || seen->watch->over;
}

static void expect(Watch *watch, const char *text) {
  Seen seen = {watch, text};
  service_fixture_until(watch->w->f->loop, has, &seen, text);
  if (watch->over)
    fail_msg("the watch ended: %s", watch->status.message);
}

static void claim_with(World *w, const char *pool, char *value) {
  char name[128];
  snprintf(name, sizeof name, NS "/pools/%s", pool);
  CreateRequest request = create_from(name);
  Sandplane__V1__CreateSandboxRequest__LabelsEntry label = SANDPLANE__V1__CREATE_SANDBOX_REQUEST__LABELS_ENTRY__INIT;
  label.key = "suite";
  label.value = value;
  Sandplane__V1__CreateSandboxRequest__LabelsEntry *labels[] = {&label};
  request.labels = labels;
  request.n_labels = 1;
  ServiceCall call;
  create_ok(w, 0, &call, &request);
  service_call_free(&call);
}

static void relabel(World *w, const char *id, char *value) {
  Fixture *f = w->f;
  StatePair label = {"suite", value};
  SandboxUpdate u = {.mask = STATE_UPDATE_LABELS, .labels = &label, .n_labels = 1};
  state_update(f->state, "default", id, &u, fixture_record, f);
  fixture_wait(f);
  assert_int_equal(f->err.kind, ERROR_NONE);
}

static void end(World *w, const char *id) {
  state_release(w->f->state, "default", id, "", "Deleted", fixture_done, w->f);
  fixture_wait(w->f);
  state_gone(w->f->state, "default", id, fixture_done, w->f);
  fixture_wait(w->f);
}

static WatchRequest watch_labelled(char *selector) {
  WatchRequest request = SANDPLANE__V1__WATCH_SANDBOXES_REQUEST__INIT;
  request.parent = NS;
  request.label_selector = selector;
  return request;
}

static void set_then_changes(void **state) {
  World *w = *state;
  world_pool(w, "see");
  world_ready(w, "see", "aaaaa");
  world_ready(w, "see", "bbbbb");
  claim_with(w, "see", "one");
  WatchRequest request = watch_labelled("suite=one");
  Watch watch;
  watch_start(&watch, w, 0, &request);
  expect(&watch, "ADDED see-aaaaa;SYNCED -;");
  assert_string_equal(watch.log, "ADDED see-aaaaa;SYNCED -;");
  claim_with(w, "see", "two");
  relabel(w, "see-bbbbb", "one");
  expect(&watch, "ADDED see-bbbbb;");
  relabel(w, "see-bbbbb", "two");
  expect(&watch, "DELETED see-bbbbb;");
  relabel(w, "see-aaaaa", "one");
  expect(&watch, "MODIFIED see-aaaaa;");
  end(w, "see-aaaaa");
  expect(&watch, "DELETED see-aaaaa;");
  end(w, "see-bbbbb");
  watch_stop(&watch);
}

static void new_pools_are_seen(void **state) {
  World *w = *state;
  WatchRequest request = watch_labelled("suite=new");
  Watch watch;
  watch_start(&watch, w, 1, &request);
  expect(&watch, "SYNCED");
  world_pool(w, "new");
  world_ready(w, "new", "aaaaa");
  claim_with(w, "new", "new");
  expect(&watch, "ADDED new-aaaaa;");
  watch_stop(&watch);
}

static void resume_on_the_other_replica(void **state) {
  World *w = *state;
  world_pool(w, "res");
  world_ready(w, "res", "aaaaa");
  world_ready(w, "res", "bbbbb");
  world_ready(w, "res", "ccccc");
  WatchRequest request = watch_labelled("suite=res");
  Watch watch;
  watch_start(&watch, w, 0, &request);
  expect(&watch, "SYNCED");
  claim_with(w, "res", "res");
  claim_with(w, "res", "res");
  expect(&watch, "ADDED res-bbbbb;");
  char token[sizeof watch.token];
  memcpy(token, watch.token, sizeof token);
  watch_stop(&watch);

  claim_with(w, "res", "res");
  relabel(w, "res-bbbbb", "res");
  end(w, "res-aaaaa");
  request.resume_token = token;
  watch_start(&watch, w, 1, &request);
  expect(&watch, "DELETED res-aaaaa;");
  expect(&watch, "MODIFIED res-bbbbb;");
  expect(&watch, "ADDED res-ccccc;");
  assert_lacks(watch.log, "SYNCED");
  relabel(w, "res-ccccc", "other");
  expect(&watch, "DELETED res-ccccc;");
  watch_stop(&watch);
}

/* The implicit pool of a template vanishes with its last sandbox; a token from before still tells its end. */
static void resume_after_a_pool_has_gone(void **state) {
  World *w = *state;
  world_template(w, "x");
  CreateRequest create = create_from("");
  create.template_ = NS "/templates/x";
  ServiceCall call;
  create_start(w, 0, &call, &create, 20000);
  world_until_waiting(w, "shadow-pool-x", 1);
  world_ready(w, "shadow-pool-x", "aaaaa");
  call_wait(w, &call);
  assert_kind(&call, ERROR_NONE);
  service_call_free(&call);
  WatchRequest request = watch_labelled("!suite");
  Watch watch;
  watch_start(&watch, w, 0, &request);
  expect(&watch, "ADDED shadow-pool-x-aaaaa;SYNCED");
  char token[sizeof watch.token];
  memcpy(token, watch.token, sizeof token);
  watch_stop(&watch);
  end(w, "shadow-pool-x-aaaaa");
  request.resume_token = token;
  watch_start(&watch, w, 1, &request);
  expect(&watch, "DELETED shadow-pool-x-aaaaa;");
  watch_stop(&watch);
}

static void bad_tokens(void **state) {
  World *w = *state;
  WatchRequest request = watch_labelled("");
  request.resume_token = "not a token";
  Watch watch;
  watch_start(&watch, w, 0, &request);
  service_fixture_wait(w->f->loop, &watch.over, "refusal");
  assert_int_equal(watch.status.kind, ERROR_INVALID_ARGUMENT);
  assert_string_equal(watch.status.field, "resume_token");
  watch_stop(&watch);
}

static void count_down(void *arg, const SandboxRecord *record, const Error *err) {
  --*(int *)arg;
}

static bool is_zero(void *arg) {
  return *(int *)arg == 0;
}

/* More changes than are retained: the token is too old. */
static void lost_history_is_said(void **state) {
  World *w = *state;
  world_pool(w, "old");
  world_ready(w, "old", "aaaaa");
  claim_with(w, "old", "old");
  WatchRequest request = watch_labelled("suite=old");
  Watch watch;
  watch_start(&watch, w, 0, &request);
  expect(&watch, "SYNCED");
  char token[sizeof watch.token];
  memcpy(token, watch.token, sizeof token);
  watch_stop(&watch);
  int left = 5000;
  for (int i = 0; i < 5000; i++) {
    StatePair label = {"suite", i % 2 ? "old" : "older"};
    SandboxUpdate u = {.mask = STATE_UPDATE_LABELS, .labels = &label, .n_labels = 1};
    state_update(w->f->state, "default", "old-aaaaa", &u, count_down, &left);
  }
  service_fixture_until(w->f->loop, is_zero, &left, "5000 changes");
  request.resume_token = token;
  watch_start(&watch, w, 1, &request);
  service_fixture_wait(w->f->loop, &watch.over, "OUT_OF_RANGE");
  assert_int_equal(watch.status.kind, ERROR_OUT_OF_RANGE);
  watch_stop(&watch);
}

static void shutdown_ends_watches(void **state) {
  World *w = *state;
  const char *args[] = {"--redis-address", getenv("REDIS_ADDRESS"), "--log-level", "warn", NULL};
  World other = {.f = w->f};
  service_process_start(&other.replicas[0], w->f->loop, "services/claims/sandplane-claims", 17405, args);
  WatchRequest request = watch_labelled("suite=none");
  Watch watch;
  watch_start(&watch, &other, 0, &request);
  expect(&watch, "SYNCED");
  assert_int_equal(service_process_stop(&other.replicas[0], w->f->loop), 0);
  service_fixture_wait(w->f->loop, &watch.over, "end of a watch");
  assert_int_equal(watch.status.kind, ERROR_UNAVAILABLE);
  watch_stop(&watch);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(set_then_changes),
      cmocka_unit_test(new_pools_are_seen),
      cmocka_unit_test(resume_on_the_other_replica),
      cmocka_unit_test(resume_after_a_pool_has_gone),
      cmocka_unit_test(bad_tokens),
      cmocka_unit_test(lost_history_is_said),
      cmocka_unit_test(shutdown_ends_watches),
  };
  return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
