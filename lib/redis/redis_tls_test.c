/* TLS and ACL users against a real server, and what is wrong with them told at start or in the error. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
/* cmocka wants the four above */
#include "lib/base/compiler.h"
#include "lib/base/test.h"
#include "lib/redis/redis_config.h"
#include "lib/redis/redis_server_fixture.h"
#include "lib/redis/redis_tls_fixture.h"

#define ADDRESS "127.0.0.1:16392"

static char ca[300], other_ca[300], server[300], server_key[300], client[300], client_key[300];
static char password_file[300], users_file[300], sentinel_password_file[300];

typedef struct Fixture {
  Loop *loop;
  LoopTimer *limit;
  pid_t server;
  Error err;
  bool done, told, reread;
  size_t len;
} Fixture;

static void on_limit(void *arg) {
  fprintf(stderr, "nothing happened within 20 s\n");
  abort();
}

static void write_file(const char *path, const char *text) {
  FILE *file = fopen(path, "we");
  if (!file || fputs(text, file) < 0 || fclose(file))
    abort();
}

static pid_t start(void) {
  const char *extra[] = {
      "--tls-port", "16392",     "--tls-cert-file", server, "--tls-key-file", server_key, "--tls-ca-cert-file",
      ca,           "--aclfile", users_file,        NULL};
  return redis_server_start("tls", 0, extra);
}

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  f->loop = loop_new();
  f->limit = loop_timer_new(f->loop, on_limit, f);
  f->server = start();
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Fixture *f = *state;
  redis_server_kill(f->server);
  loop_timer_free(f->limit);
  loop_free(f->loop);
  free(f);
  return 0;
}

static void wait(Fixture *f, const bool *flag) {
  loop_timer_start(f->limit, 20000);
  while (!*flag)
    loop_run(f->loop);
  loop_timer_stop(f->limit);
}

static void on_reply(void *arg, const RedisReply *r, const Error *err) {
  Fixture *f = arg;
  f->err = err ? *err : (Error){0};
  f->len = r ? r->len : 0;
  f->done = true;
  loop_stop(f->loop);
}

static void on_message(void *arg, const char *message, size_t len) {
  Fixture *f = arg;
  *(message ? &f->told : &f->reread) = true;
  loop_stop(f->loop);
}

static void run(Fixture *f, RedisClient *c, size_t argc, const char *const *argv, const size_t *lens) {
  f->done = false;
  redis_command(c, on_reply, f, argc, argv, lens);
  wait(f, &f->done);
}

static RedisConfig good(void) {
  return (RedisConfig){.address = ADDRESS,
                       .username = "sandplane",
                       .password_file = password_file,
                       .tls = true,
                       .ca_file = ca,
                       .cert_file = client,
                       .key_file = client_key,
                       .connect_wait_ms = 20000};
}

static void works(void **state) {
  Fixture *f = *state;
  RedisConfig config = good();
  Error err;
  assert_int_equal(redis_config_check(&config, &err), 0);
  RedisClient *c = redis_client_new(f->loop, &config);
  redis_subscribe(c, "sp:news", on_message, f);
  run(f, c, 1, (const char *[]){"PING"}, NULL);
  assert_string_equal(f->err.message, "");
  wait(f, &f->reread);
  run(f, c, 3, (const char *[]){"PUBLISH", "sp:news", "x"}, NULL);
  wait(f, &f->told);
  /* more than sockets and records hold, both ways */
  size_t len = 9 << 20;
  char *big = malloc(len);
  memset(big, 'x', len);
  run(f, c, 3, (const char *[]){"SET", "sp:big", big}, (size_t[]){3, 6, len});
  free(big);
  assert_int_equal(f->err.kind, ERROR_NONE);
  run(f, c, 2, (const char *[]){"GET", "sp:big"}, NULL);
  assert_int_equal(f->len, len);
  /* and it comes back */
  redis_server_kill(f->server);
  f->server = start();
  do
    run(f, c, 2, (const char *[]){"GET", "sp:big"}, NULL);
  while (f->err.kind);
  assert_int_equal(f->len, len);
  redis_client_free(c);
}

static void refuses(Fixture *f, RedisConfig config, const char *why) {
  config.connect_wait_ms = 500;
  RedisClient *c = redis_client_new(f->loop, &config);
  /* the server may still be starting */
  for (int i = 0; i < 40; i++) {
    run(f, c, 1, (const char *[]){"PING"}, NULL);
    assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
    if (strstr(f->err.message, why))
      break;
  }
  if (!strstr(f->err.message, why))
    fail_msg("'%s' is not in: %s", why, f->err.message);
  redis_client_free(c);
}

static void says_what_is_wrong(void **state) {
  Fixture *f = *state;
  RedisConfig c = good();
  c.ca_file = other_ca;
  refuses(f, c, "self-signed certificate");
  c = good();
  c.tls_server_name = "another.test";
  refuses(f, c, "ostname mismatch");
  c = good();
  c.cert_file = c.key_file = NULL;
  refuses(f, c, "certificate required");
  c = good();
  c.password_file = NULL;
  c.password = "wrong";
  refuses(f, c, "WRONGPASS");
  c = good();
  c.tls = false;
  refuses(f, c, "state store: ");
}

static void names_are_checked(void **state) {
  Fixture *f = *state;
  RedisConfig config = good();
  config.tls_server_name = "redis.test";
  RedisClient *c = redis_client_new(f->loop, &config);
  run(f, c, 1, (const char *[]){"PING"}, NULL);
  assert_string_equal(f->err.message, "");
  redis_client_free(c);
}

static void copy_file(const char *from, const char *to) {
  char text[8192];
  FILE *file = fopen(from, "re");
  assert_non_null(file);
  text[fread(text, 1, sizeof text - 1, file)] = 0;
  fclose(file);
  write_file(to, text);
}

/* Each connection has the files as they are then: one that cannot be used makes none, and nothing is left of it. */
static void files_are_read_again(void **state) {
  Fixture *f = *state;
  char changing[310];
  snprintf(changing, sizeof changing, "%s.changing", ca);
  copy_file(ca, changing);
  RedisConfig config = good();
  config.ca_file = changing;
  config.connect_wait_ms = 500;
  RedisClient *c = redis_client_new(f->loop, &config);
  do
    run(f, c, 1, (const char *[]){"PING"}, NULL);
  while (f->err.kind);
  write_file(changing, "no certificate");
  redis_server_kill(f->server);
  f->server = start();
  do
    run(f, c, 1, (const char *[]){"PING"}, NULL);
  while (!strstr(f->err.message, "--redis-ca-file: "));
  assert_int_equal(f->err.kind, ERROR_UNAVAILABLE);
  copy_file(other_ca, changing);
  do
    run(f, c, 1, (const char *[]){"PING"}, NULL);
  while (!strstr(f->err.message, "self-signed certificate"));
  copy_file(ca, changing);
  do
    run(f, c, 1, (const char *[]){"PING"}, NULL);
  while (f->err.kind);
  redis_client_free(c);
}

static void on_master(void *arg, const char *name, const char *address) {
  assert_string_equal(name, "sp");
  assert_string_equal(address, ADDRESS);
  ++*(int *)arg;
}

/* The Sentinel in TLS as well, with a password of its own; it knows the server by number. */
static void by_sentinel(void **state) {
  Fixture *f = *state;
  char more[2048];
  snprintf(more, sizeof more,
           "tls-port 16398\ntls-cert-file %s\ntls-key-file %s\ntls-ca-cert-file %s\ntls-replication yes\n"
           "requirepass other\nsentinel auth-user sp sandplane\nsentinel auth-pass sp secret\n",
           server, server_key, ca);
  pid_t sentinel = redis_sentinel_start("tls-sentinel", 0, "sp", 16392, 1, more);
  RedisConfig config = good();
  config.address = NULL;
  config.sentinels = "127.0.0.1:16398";
  config.master_name = "sp";
  config.sentinel_password_file = sentinel_password_file;
  Error err;
  assert_int_equal(redis_config_check(&config, &err), 0);
  RedisClient *c = redis_client_new(f->loop, &config);
  int n_masters = 0;
  redis_client_on_events(c, &(RedisEvents){.on_master = on_master}, &n_masters);
  run(f, c, 1, (const char *[]){"PING"}, NULL);
  assert_string_equal(f->err.message, "");
  assert_int_equal(n_masters, 1);
  redis_client_free(c);
  config.sentinel_password_file = password_file;
  refuses(f, config, "no Sentinel has named the master: WRONGPASS");
  redis_server_kill(sentinel);
}

static void start_is_refused(void **state) {
  static const struct {
    RedisConfig config;
    const char *why;
  } CASES[] = {
      {{.address = "nonsense"}, "--redis-address: 'nonsense' is not an address"},
      {{.address = "a:1,b:2"}, "need --redis-cluster"},
      {{.address = ADDRESS, .sentinels = "a:x", .master_name = "m"}, "--redis-sentinels: 'a:x' is not an address"},
      {{.address = ADDRESS, .sentinels = "a:1"}, "needs --redis-master-name"},
      {{.address = ADDRESS, .sentinels = "a:1", .master_name = "m", .cluster = true}, "exclude each other"},
      {{.address = ADDRESS, .password = "p", .password_file = "/x"}, "exclude each other"},
      {{.address = ADDRESS, .username = "u"}, "--redis-username needs a password"},
      {{.address = ADDRESS, .password_file = "/nowhere"}, "--redis-password-file: /nowhere: No such file"},
      {{.address = ADDRESS, .password_file = "/dev/null"}, "/dev/null: is empty"},
      {{.address = ADDRESS, .ca_file = "/x"}, "need --redis-tls"},
      {{.address = "unix:/x", .tls = true}, "Unix socket"},
      {{.address = ADDRESS, .tls = true, .cert_file = client}, "need each other"},
      {{.address = ADDRESS, .tls = true, .ca_file = "/nowhere"}, "--redis-ca-file: /nowhere: "},
      {{.address = ADDRESS, .tls = true, .ca_file = ca, .cert_file = "/dev/null", .key_file = client_key},
       "--redis-cert-file: /dev/null: "},
      {{.address = ADDRESS, .tls = true, .ca_file = ca, .cert_file = client, .key_file = server_key},
       "--redis-key-file: "},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    Error err;
    assert_int_equal(redis_config_check(&CASES[i].config, &err), -1);
    if (!strstr(err.message, CASES[i].why))
      fail_msg("'%s' is not in: %s", CASES[i].why, err.message);
    assert_null(strchr(err.message, '\n'));
  }
}

int main(void) {
  char folder[200];
  snprintf(folder, sizeof folder, "%s/certs", getenv("REDIS_DIR"));
  redis_tls_fixture_make(folder);
  snprintf(ca, sizeof ca, "%s/ca.pem", folder);
  snprintf(other_ca, sizeof other_ca, "%s/other-ca.pem", folder);
  snprintf(server, sizeof server, "%s/server.pem", folder);
  snprintf(server_key, sizeof server_key, "%s/server-key.pem", folder);
  snprintf(client, sizeof client, "%s/client.pem", folder);
  snprintf(client_key, sizeof client_key, "%s/client-key.pem", folder);
  snprintf(password_file, sizeof password_file, "%s/password", folder);
  snprintf(users_file, sizeof users_file, "%s/users", folder);
  snprintf(sentinel_password_file, sizeof sentinel_password_file, "%s/sentinel-password", folder);
  write_file(password_file, "secret\n");
  write_file(sentinel_password_file, "other\n");
  write_file(users_file, "user default off\nuser sandplane on >secret ~sp:* &sp:* "
                         "-@all +@read +@write +@scripting +@pubsub +@connection "
                         "-@dangerous +info +wait +time +bgrewriteaof +cluster|slots\n");
  const struct CMUnitTest tests[] = {
      TEST(works),       TEST(says_what_is_wrong),          TEST(names_are_checked), TEST(files_are_read_again),
      TEST(by_sentinel), cmocka_unit_test(start_is_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
