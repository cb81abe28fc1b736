/* Every field of every lifecycle request, at and beyond its limits: what is refused is refused by its path. */
#include "services/claims/claim/claim.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/compiler.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/state/state_sandbox.h"

#define PARENT "namespaces/default"
#define POOL "namespaces/default/pools/py"
#define NAME "namespaces/default/sandboxes/py-abcde"
#define NOW INT64_C(1800000000000)

static ClaimInput input(void) {
  return (ClaimInput){.parent = PARENT, .pool = POOL};
}

static void expect_refused(const ClaimInput *in, const char *field) {
  ClaimSpec spec;
  Error err = {0};
  if (claim_check(in, &spec, &err) != -1)
    fail_msg("accepted, %s should be refused", field);
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  assert_string_equal(err.field, field);
  assert_true(err.message[0] != '\0');
}

static ClaimSpec expect_accepted(const ClaimInput *in) {
  ClaimSpec spec;
  Error err = {0};
  if (claim_check(in, &spec, &err) != 0)
    fail_msg("%s: %s", err.field, err.message);
  return spec;
}

static void minimal_request_gets_the_defaults(void **state) {
  ClaimInput in = input();
  ClaimSpec spec = expect_accepted(&in);
  assert_string_equal(spec.ns, "default");
  assert_string_equal(spec.pool, "py");
  assert_string_equal(spec.template_name, "");
  assert_string_equal(spec.request_id, "");
  assert_int_equal(spec.ttl_ms, 0);
  assert_int_equal(spec.idle_timeout_ms, 0);
  assert_int_equal(spec.max_wait_ms, CLAIM_DEFAULT_WAIT_MS);
}

static void source_is_a_pool_or_a_template(void **state) {
  ClaimInput in = {.parent = PARENT, .template_name = "namespaces/default/templates/py"};
  ClaimSpec spec = expect_accepted(&in);
  assert_string_equal(spec.pool, "");
  assert_string_equal(spec.template_name, "py");
  in.pool = POOL;
  expect_refused(&in, "template");
  in = (ClaimInput){.parent = PARENT};
  expect_refused(&in, "pool");
  in.pool = "namespaces/other/pools/py";
  expect_refused(&in, "pool");
  in.pool = "py";
  expect_refused(&in, "pool");
  in = (ClaimInput){.parent = PARENT, .template_name = "namespaces/default/templates/Py"};
  expect_refused(&in, "template");
  in = (ClaimInput){.parent = "namespaces/-", .pool = POOL};
  expect_refused(&in, "parent");
  in = (ClaimInput){.pool = POOL};
  expect_refused(&in, "parent");
}

static void times_have_limits(void **state) {
  static const struct {
    ClaimTime time;
    int64_t ms; /* -1: refused */
  } rows[] = {
      {{true, 1, 0}, 1000},
      {{true, 0, 999999999}, -1},
      {{true, 0, 0}, -1},
      {{true, 1, 500000000}, 1500},
      {{true, INT64_C(30) * 24 * 3600, 0}, CLAIM_MAX_TTL_MS},
      {{true, INT64_C(30) * 24 * 3600, 1000000}, -1},
      {{true, INT64_MAX, 0}, -1},
      {{true, INT64_MIN, 0}, -1},
      {{true, -1, 0}, -1},
      {{true, 1, -1}, -1},
      {{true, 1, 1000000000}, -1},
  };
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    ClaimInput in = input();
    in.ttl = rows[i].time;
    ClaimInput idle = input();
    idle.idle_timeout = rows[i].time;
    if (rows[i].ms < 0) {
      expect_refused(&in, "ttl");
      expect_refused(&idle, "idle_timeout");
    } else {
      assert_int_equal(expect_accepted(&in).ttl_ms, rows[i].ms);
      assert_int_equal(expect_accepted(&idle).idle_timeout_ms, rows[i].ms);
    }
  }
  ClaimInput in = input();
  in.max_wait = (ClaimTime){true, 0, 0};
  assert_int_equal(expect_accepted(&in).max_wait_ms, 0);
  in.max_wait = (ClaimTime){true, 0, 250000000};
  assert_int_equal(expect_accepted(&in).max_wait_ms, 250);
  in.max_wait = (ClaimTime){true, 0, -1};
  expect_refused(&in, "max_wait");
}

static void request_ids_are_printable_ascii(void **state) {
  char id[CLAIM_MAX_REQUEST_ID + 2];
  memset(id, 'x', sizeof id);
  id[CLAIM_MAX_REQUEST_ID + 1] = '\0';
  ClaimInput in = input();
  in.request_id = id;
  expect_refused(&in, "request_id");
  id[CLAIM_MAX_REQUEST_ID] = '\0';
  assert_string_equal(expect_accepted(&in).request_id, id);
  in.request_id = "caf\xc3\xa9";
  expect_refused(&in, "request_id");
  in.request_id = "a\tb";
  expect_refused(&in, "request_id");
}

static void labels_follow_kubernetes(void **state) {
  StatePair one = {"app.example.com/name", "agent_1"};
  ClaimInput in = input();
  in.labels = &one;
  in.n_labels = 1;
  expect_accepted(&in);
  one = (StatePair){"app", ""};
  expect_accepted(&in);
  one = (StatePair){"bad key", "v"};
  expect_refused(&in, "labels[bad key]");
  one = (StatePair){"app", "bad value"};
  expect_refused(&in, "labels[app]");
  one = (StatePair){"caf\xc3\xa9", "v"};
  expect_refused(&in, "labels");
  one = (StatePair){"", "v"};
  expect_refused(&in, "labels[]");

  StatePair many[CLAIM_MAX_LABELS + 1];
  char keys[CLAIM_MAX_LABELS + 1][8];
  for (size_t i = 0; i < ARRAY_LEN(many); i++) {
    snprintf(keys[i], sizeof keys[i], "k%zu", i);
    many[i] = (StatePair){keys[i], "v"};
  }
  in.labels = many;
  in.n_labels = ARRAY_LEN(many);
  expect_refused(&in, "labels");
  in.n_labels = CLAIM_MAX_LABELS;
  expect_accepted(&in);
}

static void env_is_bounded_and_named(void **state) {
  StatePair one = {"OPENAI_KEY", "a value with = and \n"};
  ClaimInput in = input();
  in.env = &one;
  in.n_env = 1;
  expect_accepted(&in);
  one.key = "1X";
  expect_refused(&in, "env[1X]");
  one.key = "A=B";
  expect_refused(&in, "env[A=B]");
  one.key = "";
  expect_refused(&in, "env[]");
  /* The value fills what the name, the equals sign and the NUL leave. */
  size_t fits = CLAIM_MAX_ENV_BYTES - 3;
  CLEANUP(str_freep) char *big = calloc(1, fits + 2);
  assert_non_null(big);
  memset(big, 'x', fits);
  one = (StatePair){"A", big};
  expect_accepted(&in);
  big[fits] = 'x';
  expect_refused(&in, "env");
}

static int update(const ClaimUpdateInput *in, SandboxUpdate *u, Error *err) {
  ResourceName name;
  *err = (Error){0};
  return claim_check_update(in, NOW, &name, u, err);
}

static void updates_take_a_mask(void **state) {
  const char *mask[] = {"labels", "expire_time", "idle_timeout", "labels"};
  StatePair label = {"a", "b"};
  ClaimUpdateInput in = {.name = NAME, .mask = mask, .n_mask = 4, .labels = &label, .n_labels = 1};
  in.expire_time = (ClaimTime){true, NOW / 1000 + 60, 0};
  SandboxUpdate u;
  Error err;
  assert_ok(update(&in, &u, &err), &err);
  assert_int_equal(u.mask, STATE_UPDATE_LABELS | STATE_UPDATE_EXPIRE | STATE_UPDATE_IDLE);
  assert_int_equal(u.n_labels, 1);
  assert_int_equal(u.expire_ms, NOW + 60000);
  assert_int_equal(u.idle_timeout_ms, 0);

  in.expire_time = (ClaimTime){0};
  assert_ok(update(&in, &u, &err), &err);
  assert_int_equal(u.expire_ms, 0);
  in.expire_time = (ClaimTime){true, -5, 0};
  assert_ok(update(&in, &u, &err), &err);
  assert_true(u.expire_ms > 0 && u.expire_ms < NOW);
}

static void bad_updates_name_the_field(void **state) {
  const char *labels[] = {"labels"}, *expire[] = {"expire_time"}, *idle[] = {"idle_timeout"}, *other[] = {"state"};
  StatePair bad = {"-", ""};
  const ClaimTime far = {true, NOW / 1000 + INT64_C(31) * 24 * 3600, 0};
  const struct {
    ClaimUpdateInput in;
    const char *field;
  } rows[] = {
      {{.name = "py-abcde", .mask = labels, .n_mask = 1}, "sandbox.name"},
      {{.name = NAME}, "update_mask"},
      {{.name = NAME, .mask = other, .n_mask = 1}, "update_mask"},
      {{.name = NAME, .mask = labels, .n_mask = 1, .labels = &bad, .n_labels = 1}, "sandbox.labels[-]"},
      {{.name = NAME, .mask = expire, .n_mask = 1, .expire_time = far}, "sandbox.expire_time"},
      {{.name = NAME, .mask = expire, .n_mask = 1, .expire_time = {true, 0, -1}}, "sandbox.expire_time"},
      {{.name = NAME, .mask = expire, .n_mask = 1, .expire_time = {true, INT64_MAX, 0}}, "sandbox.expire_time"},
      {{.name = NAME, .mask = idle, .n_mask = 1, .idle_timeout = {true, 0, 1}}, "sandbox.idle_timeout"},
  };
  for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
    SandboxUpdate u;
    Error err;
    assert_int_equal(update(&rows[i].in, &u, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.field, rows[i].field);
  }
  /* What is not in the mask is not looked at. */
  ClaimUpdateInput in = {.name = NAME, .mask = idle, .n_mask = 1, .labels = &bad, .n_labels = 1};
  SandboxUpdate u;
  Error err;
  assert_ok(update(&in, &u, &err), &err);
}

static void implicit_pools_have_room_for_a_suffix(void **state) {
  char pool[RESOURCE_SEGMENT_MAX + 1];
  Error err = {0};
  assert_ok(claim_implicit_pool("py", pool, &err), &err);
  assert_string_equal(pool, "shadow-pool-py");
  char name[RESOURCE_SEGMENT_MAX + 1];
  memset(name, 'x', sizeof name);
  name[46] = '\0';
  assert_int_equal(claim_implicit_pool(name, pool, &err), -1);
  assert_string_equal(err.field, "template");
  name[45] = '\0';
  assert_ok(claim_implicit_pool(name, pool, &err), &err);
  assert_int_equal(strlen(pool), STATE_POOL_NAME_MAX);
}

static void conditions_tell_why(void **state) {
  SandboxRecord r = {.state = SANDBOX_CLAIMED, .ready_ms = 5};
  ClaimCondition c = claim_ready_condition(&r);
  assert_string_equal(c.status, "True");
  assert_int_equal(c.transition_ms, 5);
  assert_string_equal(c.message, "the runtime answers");
  /* a Pod need not have one, and nobody asked */
  r.route = "pod:10.0.0.1";
  assert_string_equal(claim_ready_condition(&r).message, "the Pod is ready");
  r = (SandboxRecord){.state = SANDBOX_FAILED, .reason = "OutOfMemory", .message = "m"};
  c = claim_ready_condition(&r);
  assert_string_equal(c.status, "False");
  assert_string_equal(c.reason, "OutOfMemory");
  assert_string_equal(c.message, "m");
  r = (SandboxRecord){.state = SANDBOX_RELEASING, .reason = ""};
  assert_string_equal(claim_ready_condition(&r).reason, "Released");
  r.state = SANDBOX_CREATING;
  assert_string_equal(claim_ready_condition(&r).reason, "Creating");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(minimal_request_gets_the_defaults),
      cmocka_unit_test(source_is_a_pool_or_a_template),
      cmocka_unit_test(times_have_limits),
      cmocka_unit_test(request_ids_are_printable_ascii),
      cmocka_unit_test(labels_follow_kubernetes),
      cmocka_unit_test(env_is_bounded_and_named),
      cmocka_unit_test(updates_take_a_mask),
      cmocka_unit_test(bad_updates_name_the_field),
      cmocka_unit_test(implicit_pools_have_room_for_a_suffix),
      cmocka_unit_test(conditions_tell_why),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
