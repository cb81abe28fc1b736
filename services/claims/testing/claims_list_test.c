/* ListSandboxes, UpdateSandbox, the end by time, and everything malformed. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/str.h"
#include "lib/resource/resource.h"
#include "services/claims/testing/claims_fixture.h"

typedef Sandplane__V1__ListSandboxesRequest ListRequest;
typedef Sandplane__V1__ListSandboxesResponse ListResponse;
typedef Sandplane__V1__UpdateSandboxRequest UpdateRequest;

static void list(World *w, int i, ServiceCall *call, const ListRequest *request) {
  service_call(call, w->f->loop, &w->replicas[i], METHOD("ListSandboxes"), &request->base,
               &sandplane__v1__list_sandboxes_response__descriptor);
}

/* Claims one with the label n=value. */
static void claim_labelled(World *w, const char *pool, char *value) {
  char name[128];
  snprintf(name, sizeof name, NS "/pools/%s", pool);
  CreateRequest request = create_from(name);
  Sandplane__V1__CreateSandboxRequest__LabelsEntry label = SANDPLANE__V1__CREATE_SANDBOX_REQUEST__LABELS_ENTRY__INIT;
  label.key = "n";
  label.value = value;
  Sandplane__V1__CreateSandboxRequest__LabelsEntry *labels[] = {&label};
  request.labels = labels;
  request.n_labels = 1;
  ServiceCall call;
  create_ok(w, 0, &call, &request);
  service_call_free(&call);
}

static void pages_over_pools_and_replicas(void **state) {
  World *w = *state;
  static char *values[] = {"0", "1", "2", "3"};
  world_pool(w, "list-a");
  world_pool(w, "list-b");
  for (int i = 0; i < 4; i++) {
    const char *pool = i < 2 ? "list-a" : "list-b";
    world_ready(w, pool, i % 2 ? "bbbbb" : "aaaaa");
    claim_labelled(w, pool, values[i]);
  }
  world_ready(w, "list-b", "ccccc");

  ListRequest request = SANDPLANE__V1__LIST_SANDBOXES_REQUEST__INIT;
  request.parent = "namespaces/-";
  request.page_size = 1;
  request.label_selector = "n";
  CLEANUP(str_freep) char *token = str_dup("");
  char seen[512] = "";
  for (int page = 0;; page++) {
    assert_true(page < 10);
    request.page_token = token;
    ServiceCall call;
    list(w, page % 2, &call, &request);
    assert_kind(&call, ERROR_NONE);
    const ListResponse *response = call.answer;
    assert_true(response->n_sandboxes <= 1);
    if (response->n_sandboxes)
      snprintf(seen + strlen(seen), sizeof seen - strlen(seen), "%s ", strrchr(response->sandboxes[0]->name, '/') + 1);
    str_freep(&token);
    token = str_dup(response->next_page_token);
    service_call_free(&call);
    if (!*token)
      break;
  }
  assert_string_equal(seen, "list-a-aaaaa list-a-bbbbb list-b-aaaaa list-b-bbbbb ");
}

static size_t count(World *w, ListRequest *request) {
  ServiceCall call;
  list(w, 0, &call, request);
  assert_kind(&call, ERROR_NONE);
  size_t n = ((ListResponse *)call.answer)->n_sandboxes;
  service_call_free(&call);
  return n;
}

static void filters(void **state) {
  World *w = *state;
  ListRequest request = SANDPLANE__V1__LIST_SANDBOXES_REQUEST__INIT;
  request.parent = NS;
  request.pool = NS "/pools/list-b";
  assert_int_equal(count(w, &request), 2);
  request.show_unclaimed = true;
  assert_int_equal(count(w, &request), 3);
  request.label_selector = "n=2";
  assert_int_equal(count(w, &request), 1);
  request.label_selector = "n,n!=2";
  assert_int_equal(count(w, &request), 1);
  request.label_selector = "!n";
  assert_int_equal(count(w, &request), 1);
  request.pool = NS "/pools/none";
  assert_int_equal(count(w, &request), 0);
}

static void bad_lists(void **state) {
  World *w = *state;
  CLEANUP(str_freep) char *no_pool = resource_token_seal("list\n" NS "\n\n\n0", "default p/p-abcde");
  const struct {
    char *parent, *pool, *selector, *token;
    int page_size;
    const char *field;
  } rows[] = {
      {"nope", "", "", "", 0, "parent"},
      {"", "", "", "", 0, "parent"},
      {NS, "nope", "", "", 0, "pool"},
      {NS, "namespaces/other/pools/x", "", "", 0, "pool"},
      {NS, "", "a=b=c,,", "", 0, "label_selector"},
      {NS, "", "", "garbage", 0, "page_token"},
      {NS, "", "", no_pool, 0, "page_token"},
      {NS, "", "", "", -1, "page_size"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    ListRequest request = SANDPLANE__V1__LIST_SANDBOXES_REQUEST__INIT;
    request.parent = rows[i].parent;
    request.pool = rows[i].pool;
    request.label_selector = rows[i].selector;
    request.page_token = rows[i].token;
    request.page_size = rows[i].page_size;
    ServiceCall call;
    list(w, 0, &call, &request);
    assert_kind(&call, ERROR_INVALID_ARGUMENT);
    assert_string_equal(call.status.field, rows[i].field);
    service_call_free(&call);
  }
}

/* ---- updates and ends ---- */

static void update(World *w, ServiceCall *call, UpdateRequest *request, char *path) {
  Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
  mask.paths = &path;
  mask.n_paths = path ? 1 : 0;
  request->update_mask = &mask;
  service_call(call, w->f->loop, &w->replicas[1], METHOD("UpdateSandbox"), &request->base,
               &sandplane__v1__sandbox__descriptor);
}

static void updates(void **state) {
  World *w = *state;
  world_pool(w, "upd");
  world_ready(w, "upd", "aaaaa");
  CreateRequest create = create_from(NS "/pools/upd");
  ServiceCall call, created;
  create_ok(w, 0, &created, &create);
  Sandbox box = SANDPLANE__V1__SANDBOX__INIT;
  box.name = NS "/sandboxes/upd-aaaaa";
  UpdateRequest request = SANDPLANE__V1__UPDATE_SANDBOX_REQUEST__INIT;
  request.sandbox = &box;
  Google__Protobuf__Timestamp when = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
  when.seconds = time(NULL) + 600;
  box.expire_time = &when;
  update(w, &call, &request, "expire_time");
  assert_kind(&call, ERROR_NONE);
  assert_int_equal(((Sandbox *)call.answer)->expire_time->seconds, when.seconds);
  service_call_free(&call);
  box.expire_time = NULL;
  update(w, &call, &request, "expire_time");
  assert_kind(&call, ERROR_NONE);
  assert_null(((Sandbox *)call.answer)->expire_time);
  service_call_free(&call);

  update(w, &call, &request, NULL);
  assert_kind(&call, ERROR_INVALID_ARGUMENT);
  assert_string_equal(call.status.field, "update_mask");
  service_call_free(&call);

  when.seconds = 1;
  box.expire_time = &when;
  update(w, &call, &request, "expire_time");
  assert_kind(&call, ERROR_NONE);
  assert_int_equal(((Sandbox *)call.answer)->state, SANDBOX_RELEASING);
  assert_int_equal(world_state(w, "upd-aaaaa"), SANDBOX_RELEASING);
  service_call_free(&call);
  update(w, &call, &request, "expire_time");
  assert_kind(&call, ERROR_FAILED_PRECONDITION);
  service_call_free(&call);
  box.name = NS "/sandboxes/upd-zzzzz";
  update(w, &call, &request, "labels");
  assert_kind(&call, ERROR_NOT_FOUND);
  service_call_free(&call);
  service_call_free(&created);
}

static void time_to_live_ends_it(void **state) {
  World *w = *state;
  world_pool(w, "ttl");
  world_ready(w, "ttl", "aaaaa");
  CreateRequest create = create_from(NS "/pools/ttl");
  Google__Protobuf__Duration ttl = GOOGLE__PROTOBUF__DURATION__INIT;
  ttl.seconds = 1;
  create.ttl = &ttl;
  ServiceCall call;
  create_ok(w, 0, &call, &create);
  service_call_free(&call);
  world_until_state(w, "ttl-aaaaa", SANDBOX_RELEASING);
  assert_string_equal(w->f->reason, "Expired");
}

/* ---- malformed creates ---- */

static void bad_creates(void **state) {
  World *w = *state;
  Google__Protobuf__Duration negative = GOOGLE__PROTOBUF__DURATION__INIT;
  negative.seconds = -1;
  struct {
    CreateRequest request;
    const char *field;
  } rows[8];
  for (size_t i = 0; i < 8; i++)
    rows[i].request = create_from(NS "/pools/upd");
  rows[0].request.parent = "";
  rows[0].field = "parent";
  rows[1].request.pool = "";
  rows[1].field = "pool";
  rows[2].request.template_ = NS "/templates/t";
  rows[2].field = "template";
  rows[3].request.pool = "namespaces/other/pools/x";
  rows[3].field = "pool";
  rows[4].request.request_id = "new\nline";
  rows[4].field = "request_id";
  rows[5].request.ttl = &negative;
  rows[5].field = "ttl";
  rows[6].request.idle_timeout = &negative;
  rows[6].field = "idle_timeout";
  rows[7].request.max_wait = &negative;
  rows[7].field = "max_wait";
  for (size_t i = 0; i < 8; i++) {
    ServiceCall call;
    create_start(w, 0, &call, &rows[i].request, 20000);
    call_wait(w, &call);
    assert_kind(&call, ERROR_INVALID_ARGUMENT);
    assert_string_equal(call.status.field, rows[i].field);
    service_call_free(&call);
  }
}

static void bad_names_and_bytes(void **state) {
  World *w = *state;
  static const char *names[] = {"", "x", NS "/sandboxes/", NS "/sandboxes/A_B", NS "/pools/x", NS "/sandboxes/x/y"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    ServiceCall call;
    get_sandbox(w, 0, &call, names[i]);
    assert_kind(&call, ERROR_INVALID_ARGUMENT);
    assert_string_equal(call.status.field, "name");
    service_call_free(&call);
  }
  /* A message of another type: its field 1 is no text. */
  Google__Protobuf__Duration other = GOOGLE__PROTOBUF__DURATION__INIT;
  other.seconds = 5;
  ServiceCall call;
  service_call(&call, w->f->loop, &w->replicas[0], METHOD("CreateSandbox"), &other.base,
               &sandplane__v1__sandbox__descriptor);
  assert_kind(&call, ERROR_INVALID_ARGUMENT);
  service_call_free(&call);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(pages_over_pools_and_replicas),
      cmocka_unit_test(filters),
      cmocka_unit_test(bad_lists),
      cmocka_unit_test(updates),
      cmocka_unit_test(time_to_live_ends_it),
      cmocka_unit_test(bad_creates),
      cmocka_unit_test(bad_names_and_bytes),
  };
  return cmocka_run_group_tests(tests, world_setup, world_teardown);
}
