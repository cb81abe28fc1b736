/* The life that all services share, seen from outside: exit codes and lines, readiness, the ways to end. */
#include "lib/service/service_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

#define PROGRAM "lib/service/service_sample"
/* Each test program has a network of its own. */
enum { PORT = 7901, ADMIN_PORT = PORT + 10 };
#define ARGS(...) ((const char *const[]){__VA_ARGS__, NULL})

static int setup(void **state) {
  *state = loop_new();
  return 0;
}

static int teardown(void **state) {
  loop_free(*state);
  return 0;
}

/* ---- programs that end by themselves ---- */

typedef struct Output {
  int code;
  char out[8192], err[8192];
} Output;

static void read_file(int fd, char *text, size_t size) {
  ssize_t n = pread(fd, text, size - 1, 0);
  assert_true(n >= 0);
  text[n] = 0;
  close(fd);
}

static int temporary_file(void) {
  char name[] = "/tmp/service.XXXXXX";
  int fd = mkstemp(name);
  assert_true(fd >= 0);
  unlink(name);
  return fd;
}

static void run(const char *const *args, Output *ret) {
  char *argv[16] = {PROGRAM};
  for (size_t i = 0; args[i]; i++)
    argv[i + 1] = (char *)args[i];
  int out = temporary_file(), err = temporary_file(), status;
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    dup2(out, STDOUT_FILENO);
    dup2(err, STDERR_FILENO);
    alarm(20); /* one that does not end fails the test */
    execv(PROGRAM, argv);
    _exit(127);
  }
  assert_int_equal(waitpid(pid, &status, 0), pid);
  ret->code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  read_file(out, ret->out, sizeof ret->out);
  read_file(err, ret->err, sizeof ret->err);
}

static void help_and_version(void **state) {
  Output o;
  run(ARGS("--help"), &o);
  assert_int_equal(o.code, 0);
  assert_contains(o.out, "usage: sample [flags]\n");
  assert_contains(o.out, "--grpc-address ADDRESS");
  assert_string_equal(o.err, "");
  run(ARGS("--version"), &o);
  assert_int_equal(o.code, 0);
  assert_memory_equal(o.out, "sample ", 7);
  assert_ptr_equal(strchr(o.out, '\n'), o.out + strlen(o.out) - 1);
}

static void bad_flags(void **state) {
  static const struct {
    const char *flag, *line;
  } ROWS[] = {
      {"--nope", "sample: unknown flag '--nope'; see --help\n"},
      {"--shutdown-grace=soon", "sample: --shutdown-grace: 'soon' is not a duration (for example 500ms, 10s, 5m)\n"},
      {"--log-level=loud", "sample: --log-level: 'loud' is not debug, info, warn or error\n"},
      {"--grpc-address=x", "sample: --grpc-address: 'x' is not an address (host:port or unix:/path)\n"},
      {"--otlp-endpoint=https://c:4317",
       "sample: --otlp-endpoint: 'https://c:4317': TLS is not spoken here; name a collector beside the service\n"},
      {"--trace-sample=2", "sample: --trace-sample: '2' is not a number from 0 to 1\n"},
      {"--refuse", "sample: --refuse: refused\n"},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    Output o;
    run(ARGS(ROWS[i].flag), &o);
    assert_int_equal(o.code, 2);
    assert_string_equal(o.err, ROWS[i].line);
    assert_string_equal(o.out, "");
  }
}

/* The settings that a program would run with, by its own line; the sample's start fails when it has told them. */
static void run_with_file(const char *text, const char *const *flags, Output *ret) {
  char folder[64], path[96];
  const char *args[12] = {"--config", path, "--fail-start"};
  test_folder(folder);
  snprintf(path, sizeof path, "%s/a.yaml", folder);
  if (text)
    test_write_file(folder, "a.yaml", text);
  for (size_t i = 0; flags[i]; i++)
    args[3 + i] = flags[i];
  run(args, ret);
  unlink(path);
  rmdir(folder);
}

static void settings_of_a_file(void **state) {
  Output o;
  /* each has an effect of its own */
  run_with_file("# the sample's\nlog-level: loud\n", ARGS("--hold=1s"), &o);
  assert_string_equal(o.err, "sample: --log-level: 'loud' is not debug, info, warn or error\n");
  run_with_file("# the sample's\nlog-level: loud\n", ARGS("--log-level=info"), &o);
  assert_int_equal(o.code, 1);
  run_with_file("refuse: true\n", ARGS("--log-level=info"), &o);
  assert_int_equal(o.code, 2);
  assert_string_equal(o.err, "sample: --refuse: refused\n");
  run_with_file("refuse: true\n", ARGS("--refuse=false"), &o);
  assert_int_equal(o.code, 1);
  run_with_file("{\"refuse\": true}", ARGS("--log-level=info"), &o);
  assert_int_equal(o.code, 2);
  /* a number that is text to the flag: as it was written */
  run_with_file("trace-sample: 1.3\n", ARGS("--log-level=info"), &o);
  assert_string_equal(o.err, "sample: --trace-sample: '1.3' is not a number from 0 to 1\n");
  run_with_file("trace-sample: [1, 0.1, x]\n", ARGS("--log-level=info"), &o);
  assert_string_equal(o.err, "sample: --trace-sample: '1,0.1,x' is not a number from 0 to 1\n");
  setenv("SAMPLE_CONFIG", "/nowhere/b.yaml", 1);
  run(ARGS("--fail-start"), &o);
  assert_string_equal(o.err, "sample: --config: /nowhere/b.yaml: No such file or directory\n");
  /* the flag goes before it */
  run_with_file("refuse: true\n", ARGS("--log-level=info"), &o);
  assert_string_equal(o.err, "sample: --refuse: refused\n");
  unsetenv("SAMPLE_CONFIG");
}

static void files_that_are_none(void **state) {
  static const struct {
    const char *text, *line;
  } ROWS[] = {
      {NULL, ": No such file or directory\n"},
      {"", ": line 1, column 1: there is nothing in it\n"},
      {"- refuse\n", ": is no mapping of names to values\n"},
      {"refuse: true\nrefuse: false\n", ": line 2: key \"refuse\" comes twice\n"},
      {"refsue: true\n", ": refsue: unknown setting; see --help\n"},
      {"hold: soon\n", ": hold: 'soon' is not a duration (for example 500ms, 10s, 5m)\n"},
      {"token: {a: b}\n", ": token: a text, a number, true, false or a list of them is wanted\n"},
      {"token:\n", ": token: a text, a number, true, false or a list of them is wanted\n"},
      {"config: other.yaml\n", ": config: a file names no other\n"},
      {"token: &a x\n", ": line 1, column 8: anchors and aliases are not allowed\n"},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    Output o;
    run_with_file(ROWS[i].text, ARGS("--log-level=info"), &o);
    assert_int_equal(o.code, 2);
    if (strncmp(o.err, "sample: --config: /tmp/", 23) != 0 || !strstr(o.err, ROWS[i].line) ||
        strchr(o.err, '\n') != o.err + strlen(o.err) - 1)
      fail_msg("%zu: %s", i, o.err);
  }
}

static void check_start_failed(const char *const *args, const char *why) {
  Output o;
  run(args, &o);
  assert_int_equal(o.code, 1);
  assert_contains(o.err, "\"level\":\"error\",\"service\":\"sample\",\"event\":\"start_failed\"");
  if (!strstr(o.err, why))
    fail_msg("no '%s' in %s", why, o.err);
  assert_lacks(o.err, "\"event\":\"started\"");
}

static void start_failures(void **state) {
  int taken = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof at;
  assert_int_equal(bind(taken, (struct sockaddr *)&at, len), 0);
  assert_int_equal(listen(taken, 1), 0);
  assert_int_equal(getsockname(taken, (struct sockaddr *)&at, &len), 0);
  char address[32];
  snprintf(address, sizeof address, "127.0.0.1:%d", ntohs(at.sin_port));
  check_start_failed(ARGS("--grpc-address", address), address);
  check_start_failed(ARGS("--admin-address", address), address);
  check_start_failed(ARGS("--fail-start"), "nothing to start with");
  close(taken);
}

/* ---- a running service ---- */

static const char *get(const char *path) {
  static char text[16384];
  struct sockaddr_in to = {
      .sin_family = AF_INET, .sin_port = htons(ADMIN_PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct timeval limit = {.tv_sec = 20};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
  CLEANUP(str_freep) char *request = str_printf("GET %s HTTP/1.0\r\n\r\n", path);
  assert_int_equal(send(fd, request, strlen(request), MSG_NOSIGNAL), strlen(request));
  size_t n = 0;
  for (ssize_t got; (got = recv(fd, text + n, sizeof text - 1 - n, 0)) > 0;)
    n += (size_t)got;
  text[n] = 0;
  close(fd);
  return text;
}

typedef struct Answer {
  bool done;
  Error status;
  char text[64];
} Answer;

static void on_answer(void *arg, const Error *status, const uint8_t *data, size_t len) {
  Answer *a = arg;
  a->done = true;
  a->status = *status;
  snprintf(a->text, sizeof a->text, "%.*s", (int)len, data ? (const char *)data : "");
}

static void call(ServiceProcess *p, Loop *loop, const char *path, const char *request, Answer *ret) {
  *ret = (Answer){0};
  rpc_client_unary(p->channel, path, 20000, (const uint8_t *)request, strlen(request), on_answer, ret);
  service_fixture_wait(loop, &ret->done, path);
}

/* A call that the service holds: it is there when this returns. */
static void hold(ServiceProcess *p, Loop *loop, Answer *ret) {
  *ret = (Answer){0};
  rpc_client_unary(p->channel, "/sample.Sample/Hold", 20000, NULL, 0, on_answer, ret);
  Answer held = {0};
  while (!str_equal(held.text, "yes")) {
    call(p, loop, "/sample.Sample/IsHeld", "", &held);
    assert_int_equal(held.status.kind, ERROR_NONE);
    assert_false(ret->done);
  }
}

static void check_readyz(const char *status, const char *body) {
  const char *text = get("/readyz");
  if (!str_starts_with(text + strlen("HTTP/1.x "), status) || !strstr(text, body))
    fail_msg("%s", text);
}

static void serves_and_stops(void **state) {
  Loop *loop = *state;
  ServiceProcess p;
  Answer a;
  int log = temporary_file(), saved = dup(STDERR_FILENO);
  dup2(log, STDERR_FILENO);
  service_process_start(&p, loop, PROGRAM, PORT, ARGS("--token=hunter2", "--hold=20ms"));
  dup2(saved, STDERR_FILENO);
  close(saved);
  call(&p, loop, "/sample.Sample/Echo", "hello", &a);
  assert_string_equal(a.text, "hello");
  assert_contains(get("/metrics"), "sample_rpc_seconds_count{method=\"Echo\",code=\"OK\"} 1\n");
  kill(p.pid, SIGPIPE);
  call(&p, loop, "/sample.Sample/Echo", "still", &a);
  assert_string_equal(a.text, "still");
  assert_int_equal(service_process_stop(&p, loop), 0);
  char text[8192];
  read_file(log, text, sizeof text);
  assert_lacks(text, "hunter2");
  static const char *const EVENTS[] = {"\"ready\"", "\"started\"", "\"draining\"", "\"stopped\""};
  const char *at = text;
  for (size_t i = 0; i < ARRAY_LEN(EVENTS); i++) {
    at = strstr(at, EVENTS[i]);
    if (!at) {
      fail_msg("no %s in %s", EVENTS[i], text);
      return;
    }
  }
  assert_contains(text, "\\\"grpc-address\\\":\\\"127.0.0.1:7901\\\"");
}

static void readiness(void **state) {
  Loop *loop = *state;
  ServiceProcess p;
  Answer a;
  service_process_start(&p, loop, PROGRAM, PORT, ARGS("--let-go"));
  check_readyz("200", "ok\n");
  call(&p, loop, "/sample.Sample/Unready", "the store is away", &a);
  check_readyz("503", "the store is away\n");
  /* grpc.health.v1: NOT_SERVING */
  call(&p, loop, "/grpc.health.v1.Health/Check", "", &a);
  assert_string_equal(a.text, "\x08\x02");
  call(&p, loop, "/sample.Sample/Unready", "", &a);
  check_readyz("200", "ok\n");
  assert_int_equal(service_process_stop(&p, loop), 0);
}

static bool is_draining(void *arg) {
  return strstr(get("/readyz"), "draining\n") != NULL;
}

static void drain_lets_calls_end(void **state) {
  Loop *loop = *state;
  ServiceProcess p;
  Answer held;
  service_process_start(&p, loop, PROGRAM, PORT, ARGS("--let-go"));
  hold(&p, loop, &held);
  kill(p.pid, SIGTERM);
  service_fixture_wait(loop, &held.done, "the answer to a held call");
  assert_int_equal(held.status.kind, ERROR_NONE);
  assert_string_equal(held.text, "held");
  /* ended by the signal of before; another would be the second */
  assert_int_equal(service_process_wait(&p, loop), 0);
}

static void drain_ends_with_its_grace(void **state) {
  Loop *loop = *state;
  ServiceProcess p;
  Answer held;
  service_process_start(&p, loop, PROGRAM, PORT, ARGS("--shutdown-grace=300ms"));
  hold(&p, loop, &held);
  kill(p.pid, SIGINT);
  service_fixture_wait(loop, &held.done, "the end of a held call");
  assert_int_not_equal(held.status.kind, ERROR_NONE);
  assert_int_equal(service_process_wait(&p, loop), 0);
}

static void second_signal_ends_at_once(void **state) {
  Loop *loop = *state;
  ServiceProcess p;
  Answer held;
  service_process_start(&p, loop, PROGRAM, PORT, ARGS("--shutdown-grace=1h"));
  hold(&p, loop, &held);
  kill(p.pid, SIGTERM);
  service_fixture_until(loop, is_draining, NULL, "readyz says draining");
  check_readyz("503", "draining\n");
  assert_false(held.done);
  assert_int_equal(service_process_stop(&p, loop), 1);
  assert_true(held.done);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(help_and_version),
      cmocka_unit_test(bad_flags),
      cmocka_unit_test(settings_of_a_file),
      cmocka_unit_test(files_that_are_none),
      cmocka_unit_test(start_failures),
      TEST(serves_and_stops),
      TEST(readiness),
      TEST(drain_lets_calls_end),
      TEST(drain_ends_with_its_grace),
      TEST(second_signal_ends_at_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
