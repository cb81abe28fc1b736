/* A server that hangs, cannot save, or forgets its scripts. */
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
/* cmocka wants the four above */
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/redis/redis.h"
#include "lib/redis/redis_server_fixture.h"

#define PORT 16395
#define ADDRESS "127.0.0.1:16395"

typedef struct Fixture {
  Loop *loop;
  LoopTimer *limit, *wake;
  pid_t server;
  RedisClient *redis;
  Error err;
  int n_replies, n_failed, n_until, n_down;
} Fixture;

static void on_limit(void *arg) {
  fprintf(stderr, "nothing happened within 30 s\n");
  abort();
}

static void on_wake(void *arg) {
  kill(((Fixture *)arg)->server, SIGCONT);
}

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  f->loop = loop_new();
  f->limit = loop_timer_new(f->loop, on_limit, f);
  f->wake = loop_timer_new(f->loop, on_wake, f);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Fixture *f = *state;
  redis_client_free(f->redis);
  redis_server_kill(f->server);
  loop_timer_free(f->limit);
  loop_timer_free(f->wake);
  loop_free(f->loop);
  free(f);
  return 0;
}

static void on_state(void *arg, bool connected) {
  ((Fixture *)arg)->n_down += !connected;
}

static void start(Fixture *f, const char *folder, const char *const *extra, size_t max_in_flight) {
  f->server = redis_server_start(folder, PORT, extra);
  f->redis = redis_client_new(
      f->loop, &(RedisConfig){.address = ADDRESS, .max_in_flight = max_in_flight, .connect_wait_ms = 20000});
  redis_client_on_state(f->redis, on_state, f);
}

static void on_reply(void *arg, const RedisReply *r, const Error *err) {
  Fixture *f = arg;
  if (err)
    f->err = *err;
  f->n_failed += err != NULL;
  if (++f->n_replies >= f->n_until)
    loop_stop(f->loop);
}

static void wait(Fixture *f, int n) {
  f->n_until = n;
  loop_timer_start(f->limit, 30000);
  while (f->n_replies < n)
    loop_run(f->loop);
  loop_timer_stop(f->limit);
}

static void incr(Fixture *f, int n) {
  static const char SOURCE[] = "return redis.call('INCR', KEYS[1])";
  RedisScript script = {.name = "incr", .source = SOURCE, .source_len = sizeof SOURCE - 1};
  for (int i = 0; i < n; i++)
    redis_script(f->redis, on_reply, f, &script, 1, 1, (const char *[]){"n"}, NULL);
}

/* What was sent waits for as long as it takes and runs once; what would be too much is refused meanwhile. */
static void hangs(void **state) {
  Fixture *f = *state;
  start(f, "hangs", NULL, 1000);
  incr(f, 1);
  wait(f, 1);
  kill(f->server, SIGSTOP);
  incr(f, 1500);
  wait(f, 2); /* the first refusal, at once */
  assert_int_equal(f->err.kind, ERROR_RESOURCE_EXHAUSTED);
  assert_true(f->err.retry_after_ms > 0);
  loop_timer_start(f->wake, 3000);
  wait(f, 1501);
  assert_in_range(f->n_failed, 500, 501); /* the client's own question takes a place, perhaps */
  assert_int_equal(f->n_down, 0);
  char answer[32];
  assert_true(redis_cli(PORT, answer, sizeof answer, "get n"));
  assert_int_equal(str_leading_int64(answer, -1), 1501 - f->n_failed);
}

static void cannot_save(void **state) {
  Fixture *f = *state;
  char path[512];
  snprintf(path, sizeof path, "%s/saves", getenv("REDIS_DIR"));
  mkdir(path, 0700);
  snprintf(path, sizeof path, "%s/saves/dump.rdb", getenv("REDIS_DIR"));
  mkdir(path, 0700); /* in the way */
  start(f, "saves", (const char *[]){"--save", "3600", "1000000", NULL}, 0);
  incr(f, 1);
  wait(f, 1);
  redis_cli(PORT, NULL, 0, "bgsave");
  redis_cli_until(PORT, "info persistence", "rdb_last_bgsave_status:err");
  incr(f, 1);
  wait(f, 2);
  assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
  assert_non_null(strstr(f->err.message, "MISCONF"));
  assert_true(f->err.retry_after_ms > 0);
  assert_int_equal(f->n_down, 0);
  rmdir(path);
  redis_cli(PORT, NULL, 0, "bgsave");
  redis_cli_until(PORT, "info persistence", "rdb_last_bgsave_status:ok");
  f->n_failed = 0;
  incr(f, 1);
  wait(f, 3);
  assert_int_equal(f->n_failed, 0);
}

static void forgets_scripts(void **state) {
  Fixture *f = *state;
  start(f, "forgets", NULL, 0);
  for (int i = 1; i <= 3; i++) {
    incr(f, 100);
    wait(f, 100 * i);
    assert_true(redis_cli(PORT, NULL, 0, "script flush"));
  }
  assert_int_equal(f->n_failed, 0);
  char answer[32];
  assert_true(redis_cli(PORT, answer, sizeof answer, "get n"));
  assert_int_equal(str_leading_int64(answer, -1), 300);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(hangs), TEST(cannot_save), TEST(forgets_scripts)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
