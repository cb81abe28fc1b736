/* What an operator sees of a service whose Redis goes and comes back: readiness, and lines of the log. */
#include "lib/base/test.h"
#include "lib/service/service_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PROGRAM "lib/service/service_state_sample"
enum { PORT = 7901 };

typedef struct Fixture {
  Loop *loop;
  ServiceProcess process;
  int log;
  char text[65536];
  const char *wanted; /* awaited behind `from` */
  size_t from;
} Fixture;

static void read_log(Fixture *f) {
  ssize_t n = pread(f->log, f->text, sizeof f->text - 1, 0);
  assert_true(n >= 0);
  f->text[n] = 0;
}

static bool is_logged(void *arg) {
  Fixture *f = arg;
  read_log(f);
  return strlen(f->text) > f->from && strstr(f->text + f->from, f->wanted) != NULL;
}

/* The next line with this text, behind those that were awaited before. */
static void await(Fixture *f, const char *text) {
  f->wanted = text;
  service_fixture_until(f->loop, is_logged, f, text);
  f->from = (size_t)(strstr(f->text + f->from, text) - f->text) + strlen(text);
}

static int count(Fixture *f, const char *text) {
  int n = 0;
  read_log(f);
  for (const char *at = f->text; (at = strstr(at, text)); at++)
    n++;
  return n;
}

/* Starts the service with its standard error in a file. */
static void start(Fixture *f) {
  char name[] = "/tmp/service.XXXXXX";
  f->log = mkostemp(name, O_CLOEXEC);
  assert_true(f->log >= 0);
  unlink(name);
  int kept = fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 3);
  dup2(f->log, STDERR_FILENO);
  service_process_start(&f->process, f->loop, PROGRAM, PORT,
                        (const char *const[]){"--redis-address", getenv("REDIS_ADDRESS"), NULL});
  dup2(kept, STDERR_FILENO);
  close(kept);
}

static void goes_and_comes_back(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  f->loop = loop_new();
  start(f);
  await(f, "\"event\":\"unready\",\"reason\":\"the state store does not answer\"");
  await(f, "\"event\":\"sample_connected\",\"connected\":true");
  await(f, "\"event\":\"ready\"");

  redis_process_signal(SIGKILL);
  await(f, "\"level\":\"warn\",\"service\":\"sample\",\"event\":\"redis_away\",\"address\":\"127.0.0.1:16379\","
           "\"message\":\"state store: ");
  await(f, "\"event\":\"unready\",\"reason\":\"the state store does not answer\"");
  await(f, "\"event\":\"redis_away\",\"address\":\"127.0.0.1:16379\","
           "\"message\":\"state store: connect: Connection refused\"");
  assert_int_equal(count(f, "Connection refused"), 1); /* once, however many attempts there are */

  redis_process_start();
  await(f, "\"level\":\"info\",\"service\":\"sample\",\"event\":\"redis_back\",\"address\":\"127.0.0.1:16379\"");
  await(f, "\"event\":\"ready\"");
  assert_int_equal(count(f, "Connection refused"), 1);
  assert_int_equal(service_process_stop(&f->process, f->loop), 0);
  close(f->log);
  loop_free(f->loop);
  free(f);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(goes_and_comes_back)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
