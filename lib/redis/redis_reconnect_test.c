/* Servers that are away, die, come back, listen on a Unix socket or want a password. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
/* cmocka wants the four above */
#include "lib/base/test.h"
#include "lib/redis/redis.h"
#include "lib/redis/redis_server_fixture.h"

#define PORT 16390
#define ADDRESS "127.0.0.1:16390"

typedef struct Fixture {
  Loop *loop;
  LoopTimer *limit;
  pid_t server;
  Error err;
  int n_replies, n_up, n_down, n_reread, n_messages, n_troubles, n_back;
  char message[32], order[32], trouble[400];
} Fixture;

static void on_limit(void *arg) {
  fprintf(stderr, "nothing happened within 10 s\n");
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
  if (f->server)
    redis_server_kill(f->server);
  loop_timer_free(f->limit);
  loop_free(f->loop);
  free(f);
  return 0;
}

/* Until something happens: a reply, a change of state, a message. */
static void wait(Fixture *f) {
  loop_timer_start(f->limit, 10000);
  loop_run(f->loop);
  loop_timer_stop(f->limit);
}

static void on_reply(void *arg, const RedisReply *r, const Error *err) {
  Fixture *f = arg;
  f->err = err ? *err : (Error){0};
  f->n_replies++;
  loop_stop(f->loop);
}

static void ping(Fixture *f, RedisClient *c) {
  int before = f->n_replies;
  redis_command(c, on_reply, f, 1, (const char *[]){"PING"}, NULL);
  while (f->n_replies == before)
    wait(f);
}

static void on_order(void *arg, const RedisReply *r, const Error *err) {
  Fixture *f = arg;
  if (r)
    snprintf(f->order, sizeof f->order, "%s", r->str);
  on_reply(arg, r, err);
}

/* A script and a plain command behind it, in one turn. */
static void push(Fixture *f, RedisClient *c) {
  static const char SOURCE[] = "return redis.call('RPUSH', KEYS[1], '1')";
  RedisScript script = {.name = "push", .source = SOURCE, .source_len = sizeof SOURCE - 1};
  redis_script(c, on_reply, f, &script, 1, 1, (const char *[]){"list"}, NULL);
  redis_command(c, NULL, NULL, 3, (const char *[]){"RPUSH", "list", "2"}, NULL);
  redis_command(c, on_order, f, 3,
                (const char *[]){"EVAL", "return table.concat(redis.call('LRANGE', 'list', 0, -1), ' ')", "0"}, NULL);
}

static void on_state(void *arg, bool connected) {
  Fixture *f = arg;
  ++*(connected ? &f->n_up : &f->n_down);
  loop_stop(f->loop);
}

static void on_message(void *arg, const char *message, size_t len) {
  Fixture *f = arg;
  ++*(message ? &f->n_messages : &f->n_reread);
  if (message)
    snprintf(f->message, sizeof f->message, "%.*s", (int)len, message);
  loop_stop(f->loop);
}

static void comes_back(void **state) {
  Fixture *f = *state;
  f->server = redis_server_start("reconnect", PORT, NULL);
  RedisClient *c = redis_client_new(f->loop, &(RedisConfig){.address = ADDRESS});
  redis_client_on_state(c, on_state, f);
  redis_subscribe(c, "news", on_message, f);
  ping(f, c); /* waited for the server */
  assert_int_equal(f->err.kind, ERROR_NONE);
  assert_true(redis_client_connected(c));
  while (f->n_reread == 0)
    wait(f);
  redis_command(c, NULL, NULL, 3, (const char *[]){"PUBLISH", "news", "one"}, NULL);
  while (f->n_messages == 0)
    wait(f);
  assert_string_equal(f->message, "one");

  int before = f->n_replies;
  push(f, c);
  while (f->n_replies < before + 2)
    wait(f);
  assert_string_equal(f->order, "1 2");

  /* under way when it dies: unknown whether it took effect */
  before = f->n_replies;
  redis_command(c, on_reply, f, 3, (const char *[]){"BLPOP", "never", "0"}, NULL);
  redis_server_kill(f->server);
  while (f->n_replies == before)
    wait(f);
  assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
  assert_true(f->err.retry_after_ms > 0);
  assert_int_equal(f->n_down, 1);

  /* given while it is away: waits, and is done when it is back */
  before = f->n_replies;
  push(f, c);
  f->server = redis_server_start("reconnect", PORT, NULL);
  while (f->n_replies < before + 2)
    wait(f);
  assert_int_equal(f->err.kind, ERROR_NONE);
  /* in order, though the new server did not know the script */
  assert_string_equal(f->order, "1 2 1 2");
  assert_int_equal(f->n_up, 2);
  while (f->n_reread < 2)
    wait(f);
  redis_command(c, NULL, NULL, 3, (const char *[]){"PUBLISH", "news", "two"}, NULL);
  while (f->n_messages < 2)
    wait(f);
  assert_string_equal(f->message, "two");
  redis_client_free(c);
}

/* Every command fails; until one was told why, which on a busy machine is later than its wait. */
static void refused_for(Fixture *f, RedisClient *c, const char *why) {
  do {
    ping(f, c);
    assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
  } while (!strstr(f->err.message, why));
}

static void nobody_there(void **state) {
  Fixture *f = *state;
  RedisClient *c = redis_client_new(f->loop, &(RedisConfig){.address = "127.0.0.1:1", .connect_wait_ms = 50});
  refused_for(f, c, "refused");
  ping(f, c);
  assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
  redis_client_free(c);
}

static void on_trouble(void *arg, const char *address, const char *why) {
  Fixture *f = arg;
  assert_string_equal(address, ADDRESS);
  f->n_troubles++;
  snprintf(f->trouble, sizeof f->trouble, "%s", why);
}

static void on_back(void *arg, const char *address) {
  Fixture *f = arg;
  assert_string_equal(address, ADDRESS);
  f->n_back++;
}

/* Each reason once, however many attempts there are, and that it is over. */
static void tells_what_happens(void **state) {
  Fixture *f = *state;
  RedisClient *c = redis_client_new(f->loop, &(RedisConfig){.address = ADDRESS, .connect_wait_ms = 200});
  redis_client_on_events(c, &(RedisEvents){.on_trouble = on_trouble, .on_back = on_back}, f);
  refused_for(f, c, "refused");
  ping(f, c);
  assert_int_equal(f->n_troubles, 1);
  assert_string_equal(f->trouble, "state store: connect: Connection refused");
  assert_int_equal(f->n_back, 0);
  f->server = redis_server_start("tells", PORT, NULL);
  do
    ping(f, c);
  while (f->err.kind);
  assert_int_equal(f->n_back, 1);
  redis_server_kill(f->server);
  f->server = 0;
  refused_for(f, c, "refused");
  assert_string_equal(f->trouble, "state store: connect: Connection refused"); /* the last of them */
  assert_int_equal(f->n_back, 1);
  redis_client_free(c);
}

static void unix_socket_and_password(void **state) {
  Fixture *f = *state;
  /* two runs in namespaces of their own have the same process ids */
  char folder[] = "/tmp/sp-redis-XXXXXX", path[64], address[80];
  assert_non_null(mkdtemp(folder));
  snprintf(path, sizeof path, "%s/sock", folder);
  snprintf(address, sizeof address, "unix:%s", path);
  f->server =
      redis_server_start("unix", 0, (const char *[]){"--unixsocket", path, "--requirepass", "open sesame", NULL});
  RedisClient *c = redis_client_new(f->loop, &(RedisConfig){.address = address, .password = "open sesame"});
  ping(f, c);
  assert_int_equal(f->err.kind, ERROR_NONE);
  redis_client_free(c);
  c = redis_client_new(f->loop, &(RedisConfig){.address = address, .password = "wrong", .connect_wait_ms = 100});
  refused_for(f, c, "WRONGPASS");
  assert_null(strstr(f->err.message, "wrong"));
  redis_client_free(c);
  c = redis_client_new(f->loop, &(RedisConfig){.address = address, .connect_wait_ms = 100});
  refused_for(f, c, "NOAUTH");
  redis_client_free(c);
  unlink(path);
  rmdir(folder);
}

int main(void) {
  const struct CMUnitTest tests[] = {TEST(comes_back), TEST(nobody_there), TEST(tells_what_happens),
                                     TEST(unix_socket_and_password)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
