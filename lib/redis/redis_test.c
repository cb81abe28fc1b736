/* Commands, scripts, limits and errors against a real server. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above */
#include "lib/base/compiler.h"
#include "lib/base/test.h"
#include "lib/redis/redis.h"

typedef struct Fixture {
  Loop *loop;
  RedisClient *redis;
  LoopTimer *limit;
  size_t waiting; /* replies until wait() returns */
  Error err;      /* of the last reply */
  char text[64];
  size_t len;
  RedisType type;
  int64_t integer;
} Fixture;

static void on_limit(void *arg) {
  fprintf(stderr, "no answer within 10 s\n");
  abort();
}

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  f->loop = loop_new();
  f->limit = loop_timer_new(f->loop, on_limit, f);
  f->redis = redis_client_new(f->loop, &(RedisConfig){.address = getenv("REDIS_ADDRESS"), .max_in_flight = 20000});
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Fixture *f = *state;
  redis_client_free(f->redis);
  loop_timer_free(f->limit);
  loop_free(f->loop);
  free(f);
  return 0;
}

static void on_reply(void *arg, const RedisReply *r, const Error *err) {
  Fixture *f = arg;
  f->err = err ? *err : (Error){0};
  assert_true((r == NULL) == (err != NULL));
  if (r) {
    f->type = r->type;
    f->integer = r->integer;
    f->len = r->len;
    if (r->str)
      memcpy(f->text, r->str, r->len < sizeof f->text ? r->len + 1 : sizeof f->text);
  }
  if (--f->waiting == 0)
    loop_stop(f->loop);
}

static void wait(Fixture *f, size_t n) {
  f->waiting = n;
  loop_timer_start(f->limit, 10000);
  loop_run(f->loop);
  loop_timer_stop(f->limit);
}

#define RUN(f, ...)                                                          \
  do {                                                                       \
    const char *argv_[] = {__VA_ARGS__};                                     \
    redis_command((f)->redis, on_reply, (f), ARRAY_LEN(argv_), argv_, NULL); \
    wait((f), 1);                                                            \
  } while (0)

static RedisScript script_of(const char *source) {
  return (RedisScript){.name = "test", .source = source, .source_len = strlen(source)};
}

static void replies_of_each_type(void **state) {
  Fixture *f = *state;
  RUN(f, "FLUSHALL");
  assert_int_equal(f->type, REDIS_STATUS);
  assert_string_equal(f->text, "OK");
  RUN(f, "INCR", "n");
  assert_int_equal(f->type, REDIS_INTEGER);
  assert_int_equal(f->integer, 1);
  RUN(f, "GET", "nothing");
  assert_int_equal(f->type, REDIS_NIL);
  RUN(f, "LRANGE", "nothing", "0", "-1");
  assert_int_equal(f->type, REDIS_ARRAY);
  redis_command(f->redis, on_reply, f, 3, (const char *[]){"SET", "bytes", "a\0\r\nb"}, (size_t[]){3, 5, 5});
  wait(f, 1);
  RUN(f, "GET", "bytes");
  assert_int_equal(f->len, 5);
  assert_memory_equal(f->text, "a\0\r\nb", 6);
}

static void large_values(void **state) {
  Fixture *f = *state;
  size_t len = 9 << 20;
  char *big = malloc(len);
  memset(big, 'x', len);
  redis_command(f->redis, on_reply, f, 3, (const char *[]){"SET", "big", big}, (size_t[]){3, 3, len});
  wait(f, 1);
  assert_int_equal(f->err.kind, ERROR_NONE);
  RUN(f, "GET", "big");
  assert_int_equal(f->len, len);
  RUN(f, "DEL", "big");
  free(big);
}

typedef struct Ordered {
  Fixture *f;
  int64_t next;
} Ordered;

static void on_ordered(void *arg, const RedisReply *r, const Error *err) {
  Ordered *o = arg;
  assert_null(err);
  assert_int_equal(r->integer, ++o->next);
  if (--o->f->waiting == 0)
    loop_stop(o->f->loop);
}

static void pipelined_replies_come_in_order(void **state) {
  Fixture *f = *state;
  Ordered o = {.f = f};
  RUN(f, "DEL", "n");
  for (int i = 0; i < 10000; i++)
    redis_command(f->redis, on_ordered, &o, 2, (const char *[]){"INCR", "n"}, NULL);
  assert_int_equal(o.next, 0);
  wait(f, 10000);
  assert_int_equal(o.next, 10000);
}

/* What a server does not know yet still runs before what is pipelined behind it. */
static void scripts_keep_their_place(void **state) {
  Fixture *f = *state;
  RedisScript a = script_of("return redis.call('RPUSH', KEYS[1], ARGV[1])"),
              b = script_of("return redis.call('RPUSH', KEYS[1], 'b' .. ARGV[1])");
  RUN(f, "SCRIPT", "FLUSH");
  RUN(f, "SCRIPT", "LOAD", b.source);
  RUN(f, "DEL", "list");
  for (int i = 0; i < 3; i++) {
    redis_script(f->redis, on_reply, f, &a, 1, 2, (const char *[]){"list", "1"}, NULL);
    redis_script(f->redis, on_reply, f, &b, 1, 2, (const char *[]){"list", "2"}, NULL);
    redis_command(f->redis, on_reply, f, 3, (const char *[]){"RPUSH", "list", "3"}, NULL);
  }
  wait(f, 9);
  RUN(f, "EVAL", "return table.concat(redis.call('LRANGE', 'list', 0, -1), ' ')", "0");
  assert_string_equal(f->text, "1 b2 3 1 b2 3 1 b2 3");
}

static void flushed_scripts_run_once(void **state) {
  Fixture *f = *state;
  RedisScript incr = script_of("return redis.call('INCR', KEYS[1])"),
              fail = script_of("return redis.error_reply('NOSCRIPT of my own')");
  RUN(f, "DEL", "n");
  for (int i = 0; i < 300; i++) {
    if (i % 100 == 50)
      redis_command(f->redis, NULL, NULL, 2, (const char *[]){"SCRIPT", "FLUSH"}, NULL);
    redis_script(f->redis, on_reply, f, &incr, 1, 1, (const char *[]){"n"}, NULL);
  }
  wait(f, 300);
  assert_int_equal(f->err.kind, ERROR_NONE);
  RUN(f, "GET", "n");
  assert_string_equal(f->text, "300");
  /* a script that says so itself does not go round for ever */
  redis_script(f->redis, on_reply, f, &fail, 0, 0, NULL, NULL);
  wait(f, 1);
  assert_int_equal(f->err.kind, ERROR_INTERNAL);
}

static void errors_have_kinds(void **state) {
  Fixture *f = *state;
  RedisScript set = script_of("return redis.call('SET', KEYS[1], 'x')");
  RUN(f, "SET", "text", "x");
  RUN(f, "INCR", "text");
  assert_int_equal(f->err.kind, ERROR_INTERNAL);
  assert_non_null(strstr(f->err.message, "not an integer"));

  RUN(f, "CONFIG", "SET", "maxmemory", "1");
  RUN(f, "SET", "k", "x");
  assert_int_equal(f->err.kind, ERROR_RESOURCE_EXHAUSTED);
  assert_true(f->err.retry_after_ms > 0);
  redis_script(f->redis, on_reply, f, &set, 1, 1, (const char *[]){"k"}, NULL);
  wait(f, 1);
  assert_int_equal(f->err.kind, ERROR_RESOURCE_EXHAUSTED);
  RUN(f, "CONFIG", "SET", "maxmemory", "0");

  RUN(f, "CONFIG", "SET", "min-replicas-to-write", "1");
  RUN(f, "SET", "k", "x");
  assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
  redis_script(f->redis, on_reply, f, &set, 1, 1, (const char *[]){"k"}, NULL);
  wait(f, 1);
  assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
  RUN(f, "CONFIG", "SET", "min-replicas-to-write", "0");

  RUN(f, "REPLICAOF", "127.0.0.1", "1");
  RUN(f, "SET", "k", "x");
  assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
  /* a replica is left, and not spoken to until it is a master again */
  f->waiting = 1;
  redis_command(f->redis, on_reply, f, 3, (const char *[]){"SET", "k", "x"}, NULL);
  assert_int_equal(system("\"$REDIS_CLI\" -p \"${REDIS_ADDRESS#*:}\" replicaof no one >/dev/null"), 0);
  wait(f, 1);
  assert_int_equal(f->err.kind, ERROR_NONE);
}

static void too_many_and_too_much(void **state) {
  Fixture *f = *state;
  RUN(f, "PING");
  for (int i = 0; i < 20000; i++)
    redis_command(f->redis, NULL, NULL, 1, (const char *[]){"PING"}, NULL);
  f->err.kind = ERROR_NONE;
  redis_command(f->redis, on_reply, f, 1, (const char *[]){"PING"}, NULL);
  assert_int_equal(f->err.kind, ERROR_NONE); /* never inside the call itself */
  wait(f, 1);
  assert_int_equal(f->err.kind, ERROR_RESOURCE_EXHAUSTED);

  size_t len = 33 << 20;
  char *big = calloc(1, len);
  redis_command(f->redis, on_reply, f, 3, (const char *[]){"SET", "big", big}, (size_t[]){3, 3, len});
  free(big);
  wait(f, 1);
  assert_int_equal(f->err.kind, ERROR_RESOURCE_EXHAUSTED);
}

static void on_cancelled(void *arg, const RedisReply *r, const Error *err) {
  assert_null(r);
  assert_int_equal(err->kind, ERROR_CANCELLED);
  ++*(int *)arg;
}

static void freeing_cancels(void **state) {
  Fixture *f = *state;
  RUN(f, "PING");
  int n = 0;
  for (int i = 0; i < 5; i++)
    redis_command(f->redis, on_cancelled, &n, 1, (const char *[]){"PING"}, NULL);
  redis_client_free(f->redis);
  f->redis = NULL;
  assert_int_equal(n, 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(replies_of_each_type),
      TEST(large_values),
      TEST(pipelined_replies_come_in_order),
      TEST(scripts_keep_their_place),
      TEST(flushed_scripts_run_once),
      TEST(errors_have_kinds),
      TEST(too_many_and_too_much),
      TEST(freeing_cancels),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
