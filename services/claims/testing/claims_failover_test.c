/* The service with Sentinels: its master dies, and claims go on; what was acknowledged is kept, what is not proven is
 * given to nobody. And settings that cannot be used end it at once. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "lib/redis/redis_set_fixture.h"
#include "lib/state/state_sandbox.h"
#include "services/claims/testing/claims_fixture.h"

#define PROGRAM "services/claims/sandplane-claims"

static RedisSet set;

static int setup(void **state) {
  redis_set_start(&set);
  World *w = calloc(1, sizeof *w);
  const RedisConfig config = {.sentinels = REDIS_SET_SENTINELS, .master_name = REDIS_SET_NAME, .min_replicas = 2};
  w->f = fixture_new_at("test", &config);
  const char *args[] = {"--redis-sentinels",
                        REDIS_SET_SENTINELS,
                        "--redis-master-name",
                        REDIS_SET_NAME,
                        "--redis-min-replicas",
                        "2",
                        "--redis-wait-ms",
                        "5000",
                        "--log-level",
                        "warn",
                        NULL};
  for (int i = 0; i < 2; i++)
    service_process_start(&w->replicas[i], w->f->loop, PROGRAM, 17401 + i, args);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  int rc = world_teardown(state);
  redis_set_stop(&set);
  return rc;
}

/* The reconciler's part, which repeats itself until it is heard. */
static void make_ready(World *w, const char *id) {
  const char *ids[] = {id};
  do {
    state_register(w->f->state, "default", "p", "t", "h1", ids, 1, fixture_done, w->f);
    fixture_wait(w->f);
  } while (w->f->err.kind == ERROR_UNAVAILABLE);
  do {
    state_ready(w->f->state, "default", id, "unix:/run/x", "gvisor", fixture_ready, w->f);
    fixture_wait(w->f);
  } while (w->f->err.kind == ERROR_UNAVAILABLE);
  assert_string_equal(w->f->err.message, "");
}

/* Until the pool is known to be unproven: what is registered before that goes with the rest. */
static void await_fence(World *w, const char *id) {
  do {
    state_expire(w->f->state, "default", "p", fixture_expired, w->f);
    fixture_wait(w->f);
  } while (w->f->err.kind == ERROR_UNAVAILABLE || world_state(w, id) != SANDBOX_RELEASING);
}

static void claims_go_on(void **state) {
  World *w = *state;
  world_pool(w, "p");
  make_ready(w, "p-aaaaa");
  make_ready(w, "p-bbbbb");
  CreateRequest request = create_from(NS "/pools/p");
  ServiceCall held, waits, get;
  create_ok(w, 0, &held, &request);
  redis_set_kill_master(&set);

  /* a client repeats what failed; the warm one of before is not given away, a new one is */
  request.request_id = "again";
  bool made = false;
  for (;;) {
    create_start(w, 1, &waits, &request, 60000);
    if (!made) {
      redis_set_mend(&set);
      await_fence(w, "p-bbbbb");
      make_ready(w, "p-ccccc");
      made = true;
    }
    call_wait(w, &waits);
    if (waits.status.kind != ERROR_UNAVAILABLE)
      break;
    assert_true(waits.status.retry_after_ms > 0);
    service_call_free(&waits);
  }
  assert_kind(&waits, ERROR_NONE);
  assert_string_equal(((Sandbox *)waits.answer)->name, NS "/sandboxes/p-ccccc");
  assert_int_equal(world_state(w, "p-bbbbb"), SANDBOX_RELEASING);
  assert_string_equal(w->f->reason, "Unproven");
  /* and the first is as it was */
  for (get_sandbox(w, 0, &get, ((Sandbox *)held.answer)->name); get.status.kind == ERROR_UNAVAILABLE;) {
    service_call_free(&get);
    get_sandbox(w, 0, &get, ((Sandbox *)held.answer)->name);
  }
  assert_kind(&get, ERROR_NONE);
  assert_string_equal(((Sandbox *)get.answer)->uid, ((Sandbox *)held.answer)->uid);
  service_call_free(&get);
  service_call_free(&waits);
  service_call_free(&held);
}

static void bad_settings_end_it(void **state) {
  static const char *const CASES[][2] = {
      {"--redis-tls --redis-ca-file=/nowhere", "--redis-ca-file: /nowhere: "},
      {"--redis-password-file=/nowhere", "--redis-password-file: /nowhere: No such file or directory"},
      {"--redis-sentinels=a:1 --redis-cluster", "--redis-sentinels and --redis-cluster exclude each other"},
      {"--redis-address=nonsense", "'nonsense' is not an address"},
  };
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    char command[256], answer[1024];
    snprintf(command, sizeof command, "%s %s 2>&1", PROGRAM, CASES[i][0]);
    FILE *f = popen(command, "re");
    assert_non_null(f);
    size_t n = fread(answer, 1, sizeof answer - 1, f);
    answer[n] = 0;
    int rc = pclose(f);
    assert_true(WIFEXITED(rc));
    assert_int_equal(WEXITSTATUS(rc), 2);
    if (!strstr(answer, CASES[i][1]))
      fail_msg("'%s' is not in: %s", CASES[i][1], answer);
    assert_ptr_equal(strchr(answer, '\n'), answer + n - 1); /* one line */
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(claims_go_on), cmocka_unit_test(bad_settings_end_it)};
  return cmocka_run_group_tests(tests, setup, teardown);
}
