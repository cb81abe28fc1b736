/* Which connection is handed out, and which are ended and when. */
#include "services/router/http/conn_pool.h"

#include <string.h>

#include "lib/base/compiler.h"
#include "lib/base/test.h"

typedef struct Conn {
  PooledConn pooled;
  char name;
} Conn;

typedef struct Run {
  ConnPool *pool;
  Conn conns[26];
  char closed[64]; /* names, in order */
} Run;

static void on_close(void *arg, PooledConn *conn) {
  Run *r = arg;
  size_t n = strlen(r->closed);
  r->closed[n] = CONTAINER_OF(conn, Conn, pooled)->name;
  r->closed[n + 1] = 0;
}

static void start_quiet(Run *r, int64_t per_port, int64_t in_all, int64_t quiet_ms) {
  *r = (Run){0};
  for (int i = 0; i < 26; i++)
    r->conns[i].name = (char)('a' + i);
  ConnPoolLimits limits = {.per_port = per_port, .in_all = in_all, .idle_ms = 100, .quiet_ms = quiet_ms};
  r->pool = conn_pool_new(limits, on_close, r);
}

static void start(Run *r, int64_t per_port, int64_t in_all) {
  start_quiet(r, per_port, in_all, 0);
}

static ConnKey key(const char *id, const char *uid, uint16_t port) {
  return (ConnKey){.ns = "n", .id = id, .uid = uid, .route = "pod:1", .port = port};
}

static void put(Run *r, char name, ConnKey k, int64_t now_ms) {
  conn_pool_put(r->pool, &k, &r->conns[name - 'a'].pooled, now_ms);
}

/* Its name; 0: none. */
static char take_at(Run *r, ConnKey k, int64_t now_ms) {
  PooledConn *conn = conn_pool_take(r->pool, &k, now_ms);
  return conn ? CONTAINER_OF(conn, Conn, pooled)->name : 0;
}

/* Late enough for all. */
static char take(Run *r, ConnKey k) {
  return take_at(r, k, 10000);
}

static void expect_closed(Run *r, const char *names) {
  assert_string_equal(r->closed, names);
  r->closed[0] = 0;
}

static void end(Run *r, const char *names) {
  conn_pool_free(r->pool);
  assert_string_equal(r->closed, names);
}

static void test_longest_idle_first(void **state) {
  Run r;
  start(&r, 9, 9);
  ConnKey k = key("x", "u", 80);
  assert_int_equal(take(&r, k), 0);
  put(&r, 'a', k, 0);
  put(&r, 'b', k, 1);
  assert_int_equal(conn_pool_count(r.pool), 2);
  assert_int_equal(take(&r, k), 'a');
  put(&r, 'a', k, 2);
  assert_int_equal(take(&r, k), 'b');
  assert_int_equal(take(&r, k), 'a');
  assert_int_equal(take(&r, k), 0);
  assert_int_equal(conn_pool_count(r.pool), 0);
  end(&r, "");
}

static void test_quiet_time(void **state) {
  Run r;
  start_quiet(&r, 9, 9, 10);
  ConnKey k = key("x", "u", 80);
  put(&r, 'b', key("x", "u", 81), 900);
  put(&r, 'a', k, 1000);
  assert_int_equal(take_at(&r, k, 1000), 0);
  assert_int_equal(take_at(&r, k, 1009), 0);
  assert_int_equal(conn_pool_count(r.pool), 2);
  put(&r, 'c', k, 1009);
  assert_int_equal(take_at(&r, k, 1010), 'a');
  assert_int_equal(take_at(&r, k, 1010), 0);
  /* from when it was put the last time; one caller goes on with two in turn */
  put(&r, 'a', k, 1019);
  assert_int_equal(take_at(&r, k, 1019), 'c');
  put(&r, 'c', k, 1029);
  assert_int_equal(take_at(&r, k, 1029), 'a');
  end(&r, "bc");
}

/* Eight are under way, each for 5 ms. */
static void test_many_at_once_go_on_with_those_that_return(void **state) {
  Run r;
  start_quiet(&r, 99, 99, 10);
  ConnKey k = key("x", "u", 80);
  char busy[8];
  int made = 0;
  for (int64_t now = 0; now < 1000; now += 5) {
    for (int i = 0; i < 8; i++) {
      if (now > 0)
        put(&r, busy[i], k, now);
    }
    for (int i = 0; i < 8; i++) {
      busy[i] = take_at(&r, k, now);
      if (!busy[i])
        busy[i] = (char)('a' + made++);
    }
  }
  assert_int_equal(made, 24);
  for (int i = 0; i < 8; i++)
    put(&r, busy[i], k, 1000);
  expect_closed(&r, "");
  conn_pool_free(r.pool);
}

static void test_none_is_kept_from_growing_old_enough(void **state) {
  Run r;
  start_quiet(&r, 2, 3, 10);
  ConnKey x = key("x", "u", 80), y = key("y", "u", 80);
  put(&r, 'a', x, 0);
  put(&r, 'b', x, 5);
  put(&r, 'c', x, 9);
  expect_closed(&r, "c");
  put(&r, 'd', y, 9);
  put(&r, 'e', y, 9);
  expect_closed(&r, "e");
  put(&r, 'f', x, 10);
  expect_closed(&r, "a");
  put(&r, 'g', y, 15);
  expect_closed(&r, "b");
  end(&r, "dfg");
}

static void test_every_part_of_the_key_counts(void **state) {
  Run r;
  start(&r, 9, 9);
  ConnKey k = key("x", "u", 80), other = k;
  put(&r, 'a', k, 0);
  assert_int_equal(take(&r, key("x", "u", 81)), 0);
  assert_int_equal(take(&r, key("x", "v", 80)), 0);
  assert_int_equal(take(&r, key("x", "", 80)), 0);
  assert_int_equal(take(&r, key("y", "u", 80)), 0);
  other.route = "pod:2";
  assert_int_equal(take(&r, other), 0);
  other = k;
  other.ns = "m";
  assert_int_equal(take(&r, other), 0);
  assert_int_equal(take(&r, k), 'a');
  end(&r, "");
}

static void test_another_claim_ends_what_was_kept(void **state) {
  Run r;
  start(&r, 9, 9);
  ConnKey old = key("x", "u", 80), moved = key("x", "v", 80), new = key("x", "v", 80);
  moved.route = "pod:2";
  put(&r, 'a', old, 0);
  put(&r, 'b', key("x", "u", 81), 0);
  put(&r, 'c', key("y", "u", 80), 0);
  conn_pool_settle(r.pool, &old);
  expect_closed(&r, "");
  /* an answer of the claim before, or of the one after: which of the two it is nobody knows here */
  put(&r, 'd', new, 0);
  expect_closed(&r, "d");
  conn_pool_settle(r.pool, &new);
  expect_closed(&r, "ab");
  put(&r, 'e', new, 0);
  put(&r, 'f', old, 0);
  expect_closed(&r, "f");
  conn_pool_settle(r.pool, &moved);
  expect_closed(&r, "e");
  assert_int_equal(take(&r, key("y", "u", 80)), 'c');
  end(&r, "");
}

static void test_forget_and_clear(void **state) {
  Run r;
  start(&r, 9, 9);
  put(&r, 'a', key("x", "u", 80), 0);
  put(&r, 'b', key("x", "u", 81), 0);
  put(&r, 'c', key("y", "u", 80), 0);
  conn_pool_clear(r.pool, &(ConnKey){.ns = "n", .id = "x", .uid = "u", .route = "pod:1", .port = 81});
  expect_closed(&r, "b");
  conn_pool_forget(r.pool, "n", "z");
  conn_pool_forget(r.pool, "m", "x");
  expect_closed(&r, "");
  conn_pool_forget(r.pool, "n", "x");
  expect_closed(&r, "a");
  end(&r, "c");
}

static void test_limits(void **state) {
  Run r;
  start(&r, 2, 3);
  ConnKey x = key("x", "u", 80), y = key("y", "u", 80), z = key("z", "u", 80);
  put(&r, 'a', x, 0);
  put(&r, 'b', x, 0);
  put(&r, 'c', x, 0);
  expect_closed(&r, "a");
  put(&r, 'd', y, 0);
  expect_closed(&r, "");
  put(&r, 'e', z, 0);
  expect_closed(&r, "b");
  /* the one to go is the last of its sandbox, and of this one */
  assert_int_equal(take(&r, x), 'c');
  put(&r, 'f', z, 0);
  expect_closed(&r, "");
  put(&r, 'g', z, 0);
  expect_closed(&r, "e");
  assert_int_equal(conn_pool_count(r.pool), 3);
  put(&r, 'h', x, 0);
  expect_closed(&r, "d");
  end(&r, "fgh");
}

static void test_one_at_most(void **state) {
  Run r;
  start(&r, 1, 1);
  put(&r, 'a', key("x", "u", 80), 0);
  put(&r, 'b', key("x", "u", 80), 0);
  put(&r, 'c', key("x", "u", 81), 0);
  put(&r, 'd', key("y", "u", 80), 0);
  end(&r, "abcd");
}

static void test_none(void **state) {
  static const int64_t LIMITS[][2] = {{0, 5}, {5, 0}};
  for (size_t i = 0; i < ARRAY_LEN(LIMITS); i++) {
    Run r;
    start(&r, LIMITS[i][0], LIMITS[i][1]);
    put(&r, 'a', key("x", "u", 80), 0);
    expect_closed(&r, "a");
    assert_int_equal(take(&r, key("x", "u", 80)), 0);
    end(&r, "");
  }
}

static void test_idle_time(void **state) {
  Run r;
  start(&r, 9, 9);
  ConnKey k = key("x", "u", 80);
  assert_int_equal(conn_pool_expire(r.pool, 1000), -1);
  put(&r, 'a', k, 1000);
  put(&r, 'b', key("y", "u", 80), 1050);
  assert_int_equal(conn_pool_expire(r.pool, 1000), 100);
  assert_int_equal(conn_pool_expire(r.pool, 1099), 1);
  expect_closed(&r, "");
  assert_int_equal(conn_pool_expire(r.pool, 1100), 50);
  expect_closed(&r, "a");
  /* idle from when it was put the last time */
  assert_int_equal(take(&r, key("y", "u", 80)), 'b');
  put(&r, 'b', key("y", "u", 80), 1140);
  assert_int_equal(conn_pool_expire(r.pool, 1150), 90);
  assert_int_equal(conn_pool_expire(r.pool, 5000), -1);
  expect_closed(&r, "b");
  end(&r, "");
}

static void test_one_that_ends_by_itself(void **state) {
  Run r;
  start(&r, 9, 9);
  ConnKey k = key("x", "u", 80);
  put(&r, 'a', k, 0);
  put(&r, 'b', k, 0);
  conn_pool_remove(r.pool, &r.conns[1].pooled);
  conn_pool_remove(r.pool, &r.conns[0].pooled);
  assert_int_equal(conn_pool_count(r.pool), 0);
  assert_int_equal(take(&r, k), 0);
  end(&r, "");
}

static void test_none_is_kept_for_a_port_that_serves_one_at_a_time(void **state) {
  Run r;
  start(&r, 9, 9);
  ConnKey k = key("x", "u", 80), other = key("x", "u", 81);
  put(&r, 'a', k, 0);
  put(&r, 'b', other, 0);
  conn_pool_note_serial(r.pool, &k, 1000);
  expect_closed(&r, "a");
  put(&r, 'c', k, 1001);
  expect_closed(&r, "c");
  put(&r, 'd', other, 1001);
  /* told again, it is known from then on */
  conn_pool_note_serial(r.pool, &k, 2000);
  put(&r, 'c', k, 1999 + CONN_POOL_SERIAL_MS);
  expect_closed(&r, "c");
  put(&r, 'c', k, 2000 + CONN_POOL_SERIAL_MS);
  expect_closed(&r, "");
  end(&r, "bdc");
}

static void test_another_claim_is_not_what_its_port_was(void **state) {
  Run r;
  start(&r, 9, 9);
  ConnKey k = key("x", "u", 80), next = key("x", "v", 80);
  conn_pool_note_serial(r.pool, &k, 0);
  put(&r, 'a', next, 1);
  assert_int_equal(take(&r, next), 'a');
  end(&r, "");
}

static void test_ports_that_serve_one_at_a_time_are_bounded(void **state) {
  Run r;
  start(&r, 9, 9);
  for (int i = 0; i <= CONN_POOL_SERIAL_MAX; i++) {
    ConnKey k = key("x", "u", (uint16_t)(i + 1));
    conn_pool_note_serial(r.pool, &k, 0);
  }
  put(&r, 'a', key("x", "u", 2), 0);
  expect_closed(&r, "a");
  put(&r, 'b', key("x", "u", 1), 0);
  expect_closed(&r, "");
  end(&r, "b");
}

static void test_one_bound_for_several(void **state) {
  Run one, two;
  atomic_llong count = 0;
  ConnPoolLimits limits = {.per_port = 9, .in_all = 3, .idle_ms = 100, .count = &count};
  start(&one, 9, 9);
  start(&two, 9, 9);
  conn_pool_free(one.pool);
  conn_pool_free(two.pool);
  one.pool = conn_pool_new(limits, on_close, &one);
  two.pool = conn_pool_new(limits, on_close, &two);
  put(&one, 'a', key("x", "u", 80), 0);
  put(&one, 'b', key("x", "u", 80), 0);
  put(&one, 'c', key("x", "u", 80), 0);
  /* it has none to end */
  put(&two, 'd', key("x", "u", 80), 0);
  expect_closed(&two, "d");
  put(&one, 'e', key("y", "u", 80), 0);
  expect_closed(&one, "a");
  assert_int_equal(take(&one, key("x", "u", 80)), 'b');
  put(&two, 'd', key("x", "u", 80), 0);
  put(&two, 'f', key("x", "u", 81), 0);
  expect_closed(&two, "d");
  assert_int_equal(atomic_load(&count), 3);
  end(&one, "ce");
  end(&two, "f");
  assert_int_equal(atomic_load(&count), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_longest_idle_first),
      cmocka_unit_test(test_quiet_time),
      cmocka_unit_test(test_many_at_once_go_on_with_those_that_return),
      cmocka_unit_test(test_none_is_kept_from_growing_old_enough),
      cmocka_unit_test(test_every_part_of_the_key_counts),
      cmocka_unit_test(test_another_claim_ends_what_was_kept),
      cmocka_unit_test(test_forget_and_clear),
      cmocka_unit_test(test_limits),
      cmocka_unit_test(test_one_at_most),
      cmocka_unit_test(test_none),
      cmocka_unit_test(test_idle_time),
      cmocka_unit_test(test_one_that_ends_by_itself),
      cmocka_unit_test(test_none_is_kept_for_a_port_that_serves_one_at_a_time),
      cmocka_unit_test(test_another_claim_is_not_what_its_port_was),
      cmocka_unit_test(test_ports_that_serve_one_at_a_time_are_bounded),
      cmocka_unit_test(test_one_bound_for_several),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
