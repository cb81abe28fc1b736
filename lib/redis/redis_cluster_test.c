/* A cluster of three masters and a replica: commands find their server, follow a slot that moves, and the replica that
 * takes a dead master's place. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above */
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/redis/redis.h"
#include "lib/redis/redis_node.h"
#include "lib/redis/redis_server_fixture.h"
#include "lib/redis/redis_slots.h"

enum { PORT = 16430, MASTERS = 3, SERVERS = 4, KEYS = 200 };

typedef struct Fixture {
  Loop *loop;
  LoopTimer *limit;
  pid_t servers[SERVERS];
  RedisClient *redis;
  int n_waiting, n_failed, n_rereads, n_messages;
  int64_t sum;
  bool up;
  char text[128];
  Error err;
} Fixture;

static void on_limit(void *arg) {
  fprintf(stderr, "nothing happened within 60 s\n");
  abort();
}

static void on_state(void *arg, bool connected) {
  Fixture *f = arg;
  f->up = connected;
  loop_stop(f->loop);
}

static void on_message(void *arg, const char *message, size_t len) {
  Fixture *f = arg;
  ++*(message ? &f->n_messages : &f->n_rereads);
  loop_stop(f->loop);
}

static void run(Fixture *f) {
  loop_timer_start(f->limit, 60000);
  loop_run(f->loop);
  loop_timer_stop(f->limit);
}

static void make_cluster(Fixture *f) {
  for (int i = 0; i < SERVERS; i++) {
    char folder[16];
    snprintf(folder, sizeof folder, "c%d", i);
    f->servers[i] = redis_server_start(
        folder, PORT + i, (const char *[]){"--cluster-enabled", "yes", "--cluster-node-timeout", "5000", NULL});
    redis_cli_until(PORT + i, "ping", "PONG");
  }
  redis_cli_until(PORT, "--cluster create 127.0.0.1:16430 127.0.0.1:16431 127.0.0.1:16432 --cluster-yes",
                  "All 16384 slots covered");
  for (int i = 0; i < MASTERS; i++)
    redis_cli_until(PORT + i, "cluster info", "cluster_state:ok");
  char id[128], command[200];
  assert_true(redis_cli(PORT, id, sizeof id, "cluster myid"));
  redis_cli(PORT + 3, NULL, 0, "cluster meet 127.0.0.1 16430");
  snprintf(command, sizeof command, "cluster replicate %.40s", id);
  redis_cli_until(PORT + 3, command, "OK");
  redis_cli_until(PORT + 3, "info replication", "master_link_status:up");
}

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  f->loop = loop_new();
  f->limit = loop_timer_new(f->loop, on_limit, f);
  make_cluster(f);
  f->redis = redis_client_new(f->loop, &(RedisConfig){.address = "127.0.0.1:1,127.0.0.1:16431,127.0.0.1:16432",
                                                      .cluster = true,
                                                      .connect_wait_ms = 30000});
  redis_client_on_state(f->redis, on_state, f);
  redis_subscribe(f->redis, "news", on_message, f);
  while (!f->up || !f->n_rereads)
    run(f);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Fixture *f = *state;
  redis_client_free(f->redis);
  for (int i = 0; i < SERVERS; i++)
    if (f->servers[i])
      redis_server_kill(f->servers[i]);
  loop_timer_free(f->limit);
  loop_free(f->loop);
  free(f);
  return 0;
}

static void on_reply(void *arg, const RedisReply *r, const Error *err) {
  Fixture *f = arg;
  f->n_failed += err != NULL;
  f->err = err ? *err : (Error){0};
  if (r && r->type == REDIS_INTEGER)
    f->sum += r->integer;
  if (r && r->str)
    snprintf(f->text, sizeof f->text, "%s", r->str);
  if (--f->n_waiting == 0)
    loop_stop(f->loop);
}

/* Counts up every key once, by a script; the sum of what they are now. */
static int64_t count_up(Fixture *f) {
  static const char SOURCE[] = "return redis.call('INCR', KEYS[1])";
  RedisScript script = {.name = "incr", .source = SOURCE, .source_len = sizeof SOURCE - 1, .durable = true};
  f->sum = f->n_failed = 0;
  f->n_waiting = KEYS;
  for (int i = 0; i < KEYS; i++) {
    char key[16];
    snprintf(key, sizeof key, "k%d", i);
    redis_script(f->redis, on_reply, f, &script, 1, 1, (const char *[]){key}, NULL);
  }
  while (f->n_waiting > 0)
    run(f);
  return f->sum;
}

static void keys_have_slots(void **state) {
  assert_int_equal(redis_slot_of_key("123456789", 9), 12739);
  assert_int_equal(redis_slot_of_key("foo", 3), 12182);
  assert_int_equal(redis_slot_of_key("x{foo}y{bar}", 12), 12182);
  assert_int_equal(redis_slot_of_key("foo{}", 5), redis_slot_of_key("foo{}", 5));
  assert_int_not_equal(redis_slot_of_key("{}foo", 5), redis_slot_of_key("", 0));
  assert_int_equal(redis_slot_of_command(1, (const char *[]){"PING"}, NULL), REDIS_SLOT_ANY);
  assert_int_equal(redis_slot_of_command(2, (const char *[]){"GET", "foo"}, NULL), 12182);
  assert_int_equal(redis_slot_of_command(4, (const char *[]){"EVAL", "return 1", "1", "foo"}, NULL), 12182);
  assert_int_equal(redis_slot_of_command(3, (const char *[]){"EVAL", "return 1", "0"}, NULL), REDIS_SLOT_ANY);
}

static void check_slot(RedisRequest *r, int slot) {
  assert_int_equal(redis_slot_of_command(r->argc, r->argv, r->lens), slot);
  redis_request_finish(r, NULL, NULL);
}

/* A request's arguments are texts of their own, as those that it was made of. */
static void requests_have_slots(void **state) {
  static const RedisScript PLAIN = {.source = "return 1", .source_len = 8};
  static const RedisScript FENCED = {.source = "return 1", .source_len = 8, .fenced = true};
  const char *const args[] = {"foo", "bar"};
  check_slot(redis_request_new(NULL, NULL, 3, (const char *[]){"PUBLISH", "foo", "x"}, NULL), REDIS_SLOT_ANY);
  check_slot(redis_request_new(NULL, NULL, 2, (const char *[]){"GET", "foo-not"}, (size_t[]){3, 3}), 12182);
  check_slot(redis_request_script(NULL, NULL, &PLAIN, 1, 2, args, NULL), 12182);
  check_slot(redis_request_script(NULL, NULL, &FENCED, 1, 1, args, NULL), 12182);
  check_slot(redis_request_script(NULL, NULL, &FENCED, 0, 2, args, NULL), REDIS_SLOT_ANY);
}

static void other_places_are_read(void **state) {
  char address[REDIS_ADDRESS_MAX];
  assert_int_equal(redis_slot_elsewhere("MOVED 3999 10.0.0.1:6381", "h:1", address), 3999);
  assert_string_equal(address, "10.0.0.1:6381");
  assert_int_equal(redis_slot_elsewhere("ASK 1 ::1:6381", "h:1", address), 1);
  assert_string_equal(address, "[::1]:6381");
  assert_int_equal(redis_slot_elsewhere("MOVED 0 :7", "h:1", address), 0);
  assert_string_equal(address, "h:7");
  assert_int_equal(redis_slot_elsewhere("MOVED 0 ?:7", "[::1]:1", address), 0);
  assert_string_equal(address, "[::1]:7");
  static const char *const BAD[] = {"MOVED", "MOVED ", "MOVED 1", "MOVED 16384 a:1", "MOVED -1 a:1", "MOVED 1 a"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    assert_int_equal(redis_slot_elsewhere(BAD[i], "h:1", address), -1);
}

static void found_and_followed(void **state) {
  Fixture *f = *state;
  assert_int_equal(count_up(f), KEYS);
  assert_int_equal(f->n_failed, 0);
  f->n_waiting = 1;
  redis_command(f->redis, on_reply, f, 3, (const char *[]){"PUBLISH", "news", "x"}, NULL);
  while (!f->n_messages || f->n_waiting > 0)
    run(f);

  /* slot 12182 (foo) lies on the third server, and moves to the first: half way (ASK), and wholly (MOVED) */
  char ids[2][64], command[300];
  redis_cli(PORT, ids[0], sizeof ids[0], "cluster myid");
  redis_cli(PORT + 2, ids[1], sizeof ids[1], "cluster myid");
  snprintf(command, sizeof command, "cluster setslot 12182 importing %.40s", ids[1]);
  redis_cli_until(PORT, command, "OK");
  snprintf(command, sizeof command, "cluster setslot 12182 migrating %.40s", ids[0]);
  redis_cli_until(PORT + 2, command, "OK");
  for (int i = 0; i < 2; i++) {
    f->n_waiting = 2;
    redis_command(f->redis, on_reply, f, 3, (const char *[]){"SET", "foo", i ? "moved" : "asked"}, NULL);
    redis_command(f->redis, on_reply, f, 2, (const char *[]){"GET", "foo"}, NULL);
    while (f->n_waiting > 0)
      run(f);
    assert_string_equal(f->err.message, "");
    assert_string_equal(f->text, i ? "moved" : "asked");
    for (int s = 0; s < 3 && !i; s++) {
      snprintf(command, sizeof command, "cluster setslot 12182 node %.40s", ids[0]);
      redis_cli_until(PORT + s, command, "OK");
    }
  }
  assert_int_equal(count_up(f), 2 * KEYS);
  assert_int_equal(f->n_failed, 0);

  /* the first master dies, its replica takes over; what is asked meanwhile waits, or fails and may be repeated */
  char n_keys[64];
  redis_cli_until(PORT, "set '{foo}last' x", "OK");
  assert_true(redis_cli(PORT, n_keys, sizeof n_keys, "dbsize"));
  redis_cli_until(PORT + 3, "dbsize", n_keys); /* a replica has it late, and nobody waited for it */
  redis_server_kill(f->servers[0]);
  f->servers[0] = 0;
  int64_t sum;
  do
    sum = count_up(f);
  while (f->n_failed > 0);
  assert_true(sum >= INT64_C(3) * KEYS);
  redis_cli_until(PORT + 3, "info replication", "role:master");
  while (!f->up)
    run(f);
  assert_true(redis_client_connected(f->redis));
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(keys_have_slots), cmocka_unit_test(requests_have_slots),
                                     cmocka_unit_test(other_places_are_read),
                                     cmocka_unit_test_setup_teardown(found_and_followed, setup, teardown)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
