/* A list of several pages, which no test of a whole stack is large enough for. */
#include "cli/call.h"

#include <stdio.h>
#include <string.h>

#include "api/sandplane/v1/pool_service.pb-c.h"
#include "lib/rpc/rpc_fixture.h"
#include "lib/rpc/rpc_pb.h"

size_t cli_metadata(const Cli *cli, RpcMetadata out[1]) {
  return 0;
}

/* Page tokens "", "1", "2": two pools, none, one; the token "bad" is refused. */
static void list_pools(RpcCall *call, void *bad_third, const uint8_t *data, size_t len) {
  Sandplane__V1__Pool pools[2] = {SANDPLANE__V1__POOL__INIT, SANDPLANE__V1__POOL__INIT};
  Sandplane__V1__Pool *items[] = {&pools[0], &pools[1]};
  Sandplane__V1__ListPoolsResponse page = SANDPLANE__V1__LIST_POOLS_RESPONSE__INIT;
  Arena *arena = arena_new();
  Error err = {0};
  const Sandplane__V1__ListPoolsRequest *request =
      rpc_pb_unpack(&sandplane__v1__list_pools_request__descriptor, arena, data, len, &err);
  assert_non_null(request);
  assert_string_equal(request->parent, "namespaces/-");
  page.pools = items;
  if (!request->page_token[0]) {
    pools[0].name = (char *)"a";
    pools[1].name = (char *)"b";
    page.n_pools = 2;
    page.next_page_token = (char *)"1";
  } else if (strcmp(request->page_token, "1") == 0) {
    page.next_page_token = (char *)(*(bool *)bad_third ? "bad" : "2");
  } else {
    pools[0].name = (char *)"c";
    page.n_pools = 1;
  }
  if (strcmp(request->page_token, "bad") == 0) {
    error_field(&err, "page_token", "is bad");
    rpc_call_finish(call, &err);
  } else {
    rpc_pb_reply(call, &page.base);
  }
  arena_free(arena);
}

typedef struct World {
  Fixture f;
  bool bad_third;
  Cli cli;
  char names[16]; /* of the pools seen, one letter each */
} World;

static void on_pool(void *arg, const void *item) {
  World *w = arg;
  size_t n = strlen(w->names);
  snprintf(w->names + n, sizeof w->names - n, "%s", ((const Sandplane__V1__Pool *)item)->name);
}

static int list(World *w, bool bad_third, Error *err) {
  static const RpcMethod METHODS[] = {{POOL_SERVICE "ListPools", RPC_UNARY, list_pools}};
  w->bad_third = bad_third;
  fixture_start(&w->f, (RpcServerConfig){.methods = METHODS, .n_methods = 1, .service = &w->bad_third});
  w->cli = (Cli){.loop = w->f.loop, .channel = w->f.channel, .arena = arena_new(), .timeout_ms = INT64_MAX};
  Sandplane__V1__ListPoolsRequest request = SANDPLANE__V1__LIST_POOLS_REQUEST__INIT;
  request.parent = (char *)"namespaces/-";
  int r = call_pages(&w->cli, POOL_SERVICE "ListPools", &request.base, &sandplane__v1__list_pools_response__descriptor,
                     on_pool, w, err);
  arena_free(w->cli.arena);
  fixture_stop(&w->f);
  return r;
}

static void all_pages(void **state) {
  World w = {0};
  Error err = {0};
  assert_ok(list(&w, false, &err), &err);
  assert_string_equal(w.names, "abc");
}

static void a_page_that_fails(void **state) {
  World w = {0};
  Error err = {0};
  assert_int_equal(list(&w, true, &err), -1);
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  assert_string_equal(err.field, "page_token");
  assert_string_equal(w.names, "ab");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(all_pages),
      cmocka_unit_test(a_page_that_fails),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
