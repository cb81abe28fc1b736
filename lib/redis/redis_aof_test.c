/* A server's file is written anew before its first command, once a start. What it is for: lib/state/state_cut_test.c.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above */
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/redis/redis.h"
#include "lib/redis/redis_info.h"
#include "lib/redis/redis_server_fixture.h"

#define PORT 16394
#define ADDRESS "127.0.0.1:16394"

enum { CLIENTS = 8 };

typedef struct Fixture {
  Loop *loop;
  LoopTimer *limit;
  pid_t server;
  RedisClient *clients[CLIENTS];
  Error err;
  int n_pending;
} Fixture;

static void on_limit(void *arg) {
  fprintf(stderr, "%d replies did not come within 20 s\n", ((Fixture *)arg)->n_pending);
  abort();
}

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  f->loop = loop_new();
  f->limit = loop_timer_new(f->loop, on_limit, f);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Fixture *f = *state;
  for (int i = 0; i < CLIENTS; i++)
    redis_client_free(f->clients[i]);
  if (f->server)
    redis_server_kill(f->server);
  loop_timer_free(f->limit);
  loop_free(f->loop);
  free(f);
  return 0;
}

static void on_reply(void *arg, const RedisReply *r, const Error *err) {
  Fixture *f = arg;
  f->err = err ? *err : (Error){0};
  if (--f->n_pending == 0)
    loop_stop(f->loop);
}

/* One command through each of n clients; again where the connection was lost. */
static void ask(Fixture *f, int n, int64_t connect_wait_ms) {
  for (int i = 0; i < n; i++) {
    if (!f->clients[i])
      f->clients[i] = redis_client_new(f->loop, &(RedisConfig){.address = ADDRESS, .connect_wait_ms = connect_wait_ms});
    redis_command(f->clients[i], on_reply, f, 2, (const char *[]){"INCR", "n"}, NULL);
  }
  f->n_pending = n;
  loop_timer_start(f->limit, 20000);
  loop_run(f->loop);
  loop_timer_stop(f->limit);
}

static int rewrites(void) {
  char answer[8192];
  assert_true(redis_cli(PORT, answer, sizeof answer, "info persistence"));
  const char *at = strstr(answer, "aof_rewrites:");
  assert_non_null(at);
  return (int)str_leading_int64(at + strlen("aof_rewrites:"), -1);
}

static void tells(void **state) {
  static const struct {
    const char *info;
    RedisAof aof;
  } ROWS[] = {
      {"aof_enabled:0\r\naof_rewrites:0\r\n", REDIS_AOF_CLEAN},
      {"aof_enabled:1\r\naof_rewrites:0\r\naof_last_bgrewrite_status:ok\r\n", REDIS_AOF_INHERITED},
      {"aof_enabled:1\r\naof_rewrites:0\r\naof_rewrite_scheduled:1\r\naof_last_bgrewrite_status:ok\r\n",
       REDIS_AOF_WRITING},
      {"aof_enabled:1\r\naof_rewrites:1\r\naof_rewrite_in_progress:1\r\naof_last_bgrewrite_status:ok\r\n",
       REDIS_AOF_WRITING},
      {"aof_enabled:1\r\naof_rewrites:1\r\naof_rewrite_in_progress:0\r\naof_last_bgrewrite_status:ok\r\n",
       REDIS_AOF_CLEAN},
      {"aof_enabled:1\r\naof_rewrites:1\r\naof_rewrite_in_progress:0\r\naof_last_bgrewrite_status:err\r\n",
       REDIS_AOF_INHERITED},
      /* the second one runs, the first has ended well */
      {"aof_enabled:1\r\naof_rewrites:2\r\naof_rewrite_in_progress:1\r\naof_last_bgrewrite_status:ok\r\n",
       REDIS_AOF_CLEAN},
      {"aof_enabled:1\r\naof_rewrites:2\r\naof_rewrite_in_progress:1\r\naof_last_bgrewrite_status:err\r\n",
       REDIS_AOF_WRITING},
      {"", REDIS_AOF_INHERITED},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    RedisReply reply = {.type = REDIS_STRING, .str = ROWS[i].info, .len = strlen(ROWS[i].info)};
    assert_int_equal(redis_info_aof(&reply), ROWS[i].aof);
  }
}

static void once_a_start(void **state) {
  Fixture *f = *state;
  f->server = redis_server_start("starts", PORT, NULL);
  ask(f, CLIENTS, 10000);
  assert_int_equal(f->err.kind, 0);
  int n = rewrites();
  assert_true(n >= 1);
  /* connections are lost, the server stays */
  assert_true(redis_cli(PORT, NULL, 0, "client kill type normal skipme yes"));
  do {
    ask(f, CLIENTS, 10000);
  } while (f->err.kind == ERROR_UNAVAILABLE);
  assert_int_equal(rewrites(), n);
  redis_server_kill(f->server);
  f->server = redis_server_start("starts", PORT, NULL);
  do {
    ask(f, 1, 10000);
  } while (f->err.kind == ERROR_UNAVAILABLE);
  assert_int_equal(f->err.kind, 0);
  assert_true(rewrites() >= 1);
}

static void refused(void **state) {
  Fixture *f = *state;
  f->server = redis_server_start("refuses", PORT, (const char *[]){"--rename-command", "BGREWRITEAOF", "", NULL});
  redis_cli_until(PORT, "ping", "PONG");
  ask(f, 1, 1000);
  assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
  assert_non_null(strstr(f->err.message, "BGREWRITEAOF"));
  assert_non_null(strstr(f->err.message, "unknown command"));
  char answer[32];
  assert_true(redis_cli(PORT, answer, sizeof answer, "exists n"));
  assert_int_equal(str_leading_int64(answer, -1), 0);
}

static void keeps_no_file(void **state) {
  Fixture *f = *state;
  f->server = redis_server_start("none", PORT, (const char *[]){"--appendonly", "no", NULL});
  ask(f, 1, 10000);
  assert_int_equal(f->err.kind, 0);
  assert_int_equal(rewrites(), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(tells), TEST(once_a_start), TEST(refused), TEST(keeps_no_file)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
