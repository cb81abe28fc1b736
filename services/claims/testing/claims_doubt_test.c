/* A waiter takes what it was given, and the state does not say whether it has it: a replica that has to confirm it
 * hangs. Nobody is told that there was nothing. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/redis/redis_server_fixture.h"
#include "lib/state/state_sandbox.h"
#include "services/claims/testing/claims_fixture.h"

enum { MASTER = 16393, REPLICA = 16394, MAX_WAIT_S = 2 };

static pid_t master, replica;

static int setup(void **state) {
  master = redis_server_start("master", MASTER, (const char *[]){"--repl-diskless-sync-delay", "0", NULL});
  replica = redis_server_start("replica", REPLICA, (const char *[]){"--replicaof", "127.0.0.1", "16393", NULL});
  redis_cli_until(REPLICA, "info replication", "master_link_status:up");
  World *w = calloc(1, sizeof *w);
  /* what plays the reconciler is content with the master */
  w->f = fixture_new_at("test", &(RedisConfig){.address = "127.0.0.1:16393"});
  const char *args[] = {"--redis-address",
                        "127.0.0.1:16393",
                        "--redis-min-replicas",
                        "1",
                        "--redis-wait-ms",
                        "200",
                        "--log-level",
                        "warn",
                        NULL};
  for (int i = 0; i < 2; i++)
    service_process_start(&w->replicas[i], w->f->loop, "services/claims/sandplane-claims", 17401 + i, args);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  int rc = world_teardown(state);
  redis_server_kill(master);
  redis_server_kill(replica);
  return rc;
}

/* One that waits is given p-SUFFIX while the replica hangs; it is told once its wait is over. */
static void given_in_doubt(World *w, ServiceCall *call, const char *request_id, const char *suffix) {
  CreateRequest request = create_from(NS "/pools/p");
  Google__Protobuf__Duration wait = GOOGLE__PROTOBUF__DURATION__INIT;
  wait.seconds = MAX_WAIT_S;
  request.max_wait = &wait;
  request.request_id = (char *)request_id;
  create_start(w, 0, call, &request, 30000);
  world_until_waiting(w, "p", 1);
  /* and its own replica of claims knows: its connection has answered something later */
  ServiceCall get;
  get_sandbox(w, 0, &get, NS "/sandboxes/p-zzzzz");
  assert_kind(&get, ERROR_NOT_FOUND);
  service_call_free(&get);
  kill(replica, SIGSTOP);
  world_ready(w, "p", suffix);
  call_wait(w, call);
  kill(replica, SIGCONT);
}

/* Until the replica confirms what it gets; with nothing ready and no wait nothing takes place. */
static void until_replicated(World *w) {
  CreateRequest request = create_from(NS "/pools/p");
  Google__Protobuf__Duration none = GOOGLE__PROTOBUF__DURATION__INIT;
  request.max_wait = &none;
  for (ErrorKind kind = ERROR_UNAVAILABLE; kind == ERROR_UNAVAILABLE;) {
    ServiceCall call;
    create_start(w, 0, &call, &request, 10000);
    call_wait(w, &call);
    kind = call.status.kind;
    service_call_free(&call);
  }
}

static void a_request_may_be_asked_again(void **state) {
  World *w = *state;
  ServiceCall call, again;
  world_pool(w, "p");
  until_replicated(w);
  given_in_doubt(w, &call, "r", "aaaaa");
  assert_kind(&call, ERROR_UNAVAILABLE);
  assert_true(call.status.retry_after_ms > 0);
  assert_int_equal(world_state(w, "p-aaaaa"), SANDBOX_CLAIMED);
  CreateRequest request = create_from(NS "/pools/p");
  request.request_id = "r";
  for (create_start(w, 1, &again, &request, 10000); call_wait(w, &again), again.status.kind == ERROR_UNAVAILABLE;
       create_start(w, 1, &again, &request, 10000))
    service_call_free(&again);
  assert_kind(&again, ERROR_NONE);
  assert_string_equal(((Sandbox *)again.answer)->name, NS "/sandboxes/p-aaaaa");
  service_call_free(&call);
  service_call_free(&again);
}

/* Nobody can ask for it again, so it goes. */
static void without_a_request_it_is_let_go(void **state) {
  World *w = *state;
  ServiceCall call;
  until_replicated(w);
  given_in_doubt(w, &call, "", "bbbbb");
  assert_true(call.status.kind == ERROR_RESOURCE_EXHAUSTED || call.status.kind == ERROR_UNAVAILABLE);
  world_until_state(w, "p-bbbbb", SANDBOX_RELEASING);
  service_call_free(&call);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(a_request_may_be_asked_again),
                                     cmocka_unit_test(without_a_request_it_is_let_go)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
