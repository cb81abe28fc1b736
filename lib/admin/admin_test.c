/* The admin listener over real sockets: what probes and scrapers get, and what others are refused. The loop
 * runs on a thread of its own, so that the test can be a plain blocking client. */
#include "lib/admin/admin.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"

/* Each test has a network of its own. */
#define PORT 7990
#define ADDRESS "127.0.0.1:7990"

static const MetricDesc DESCS[] = {{"scrapes_total", METRIC_COUNTER, "Scrapes.", {NULL}, NULL, 0}};

typedef struct Fixture {
  Loop *loop;
  Metrics *metrics;
  Admin *admin;
  pthread_t thread;
} Fixture;

static void on_scrape(void *arg) {
  metrics_add(arg, 0, 1, NULL, NULL, NULL);
}

static void *run(void *arg) {
  loop_run(arg);
  return NULL;
}

static int setup(void **state) {
  Fixture *f = calloc(1, sizeof *f);
  Error err;
  f->loop = loop_new();
  f->metrics = metrics_new(DESCS, ARRAY_LEN(DESCS));
  f->admin = admin_new(f->loop, ADDRESS, f->metrics, &err);
  assert_non_null(f->admin);
  admin_on_scrape(f->admin, on_scrape, f->metrics);
  assert_int_equal(pthread_create(&f->thread, NULL, run, f->loop), 0);
  *state = f;
  return 0;
}

static void stop(void *arg) {
  loop_stop(arg);
}

static int teardown(void **state) {
  Fixture *f = *state;
  loop_post(f->loop, stop, f->loop);
  pthread_join(f->thread, NULL);
  admin_free(f->admin);
  metrics_free(f->metrics);
  loop_free(f->loop);
  free(f);
  return 0;
}

static int connect_admin(void) {
  struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(PORT), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  /* a server that does not answer fails the test instead of holding it */
  struct timeval limit = {.tv_sec = 20};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  assert_int_equal(connect(fd, (struct sockaddr *)&to, sizeof to), 0);
  return fd;
}

static void send_all(int fd, const char *s, size_t len) {
  while (len) {
    ssize_t n = send(fd, s, len, MSG_NOSIGNAL);
    if (n <= 0)
      return; /* refused halfway: the answer tells */
    s += n;
    len -= (size_t)n;
  }
}

/* All that comes until the server closes; in a place of its own until the next call. */
static const char *read_all(int fd) {
  static char text[65536];
  size_t len = 0;
  ssize_t n;
  while ((n = recv(fd, text + len, sizeof text - 1 - len, 0)) > 0)
    len += (size_t)n;
  text[len] = 0;
  close(fd);
  return text;
}

static const char *ask(const char *request) {
  int fd = connect_admin();
  send_all(fd, request, strlen(request));
  return read_all(fd);
}

static const char *get(const char *path) {
  CLEANUP(str_freep)
  char *request = str_printf("GET %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", path);
  return ask(request);
}

static void check_answer(const char *answer, const char *status, const char *body) {
  if (!str_starts_with(answer, status))
    fail_msg("not %s: %s", status, answer);
  const char *end = strstr(answer, "\r\n\r\n");
  assert_non_null(end);
  assert_string_equal(end + 4, body);
}

static void metrics(void **state) {
  const char *answer = get("/metrics");
  assert_contains(answer, "Content-Type: text/plain; version=0.0.4; charset=utf-8\r\n");
  check_answer(answer, "HTTP/1.1 200 ",
               "# HELP scrapes_total Scrapes.\n# TYPE scrapes_total counter\nscrapes_total 1\n");
  assert_contains(get("/metrics?name=x"), "\nscrapes_total 2\n");
}

typedef struct Unready {
  Admin *admin;
  const char *reason;
  pthread_barrier_t done;
} Unready;

static void on_unready(void *arg) {
  Unready *u = arg;
  admin_set_unready(u->admin, u->reason);
  pthread_barrier_wait(&u->done);
}

static void set_unready(Fixture *f, const char *reason) {
  Unready u = {.admin = f->admin, .reason = reason};
  pthread_barrier_init(&u.done, NULL, 2);
  loop_post(f->loop, on_unready, &u);
  pthread_barrier_wait(&u.done);
  pthread_barrier_destroy(&u.done);
}

static void readiness(void **state) {
  check_answer(get("/readyz"), "HTTP/1.1 200 ", "ok\n");
  set_unready(*state, "the state store does not answer");
  check_answer(get("/readyz"), "HTTP/1.1 503 ", "the state store does not answer\n");
  check_answer(get("/healthz"), "HTTP/1.1 200 ", "ok\n");
  set_unready(*state, NULL);
  check_answer(get("/readyz"), "HTTP/1.1 200 ", "ok\n");
}

static void other_paths(void **state) {
  static const char *const PATHS[] = {"/", "/metrics/", "/healthz2", "/../metrics", "/debug"};
  for (size_t i = 0; i < ARRAY_LEN(PATHS); i++)
    check_answer(get(PATHS[i]), "HTTP/1.1 404 ", "not found; there are /metrics, /healthz and /readyz\n");
}

static void methods(void **state) {
  const char *head = ask("HEAD /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  check_answer(head, "HTTP/1.1 200 ", "");
  assert_contains(head, "Content-Length: 3\r\n");
  static const char *const METHODS[] = {"POST", "PUT", "DELETE", "BREW"};
  for (size_t i = 0; i < ARRAY_LEN(METHODS); i++) {
    CLEANUP(str_freep)
    char *request =
        str_printf("%s /healthz HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", METHODS[i]);
    const char *answer = ask(request);
    if (!str_starts_with(answer, "HTTP/1.1 4") && !str_starts_with(answer, "HTTP/1.1 501 "))
      fail_msg("%s: %s", METHODS[i], answer);
  }
}

/* Still there, and not confused by what came before. */
static void check_alive(void) {
  check_answer(get("/healthz"), "HTTP/1.1 200 ", "ok\n");
}

static void malformed(void **state) {
  static const char *const BAD[] = {"\r\n\r\n",
                                    "GET\r\n\r\n",
                                    "GET /healthz\r\n\r\n",
                                    "GET /healthz HTTP/9.9\r\n\r\n",
                                    "\x16\x03\x01\x02",
                                    "GET /healthz HTTP/1.1\r\nno colon\r\n\r\n"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
    int fd = connect_admin();
    send_all(fd, BAD[i], strlen(BAD[i]));
    shutdown(fd, SHUT_WR);
    const char *answer = read_all(fd);
    if (strstr(answer, " 200 "))
      fail_msg("row %zu: %s", i, answer);
    check_alive();
  }
}

static void too_large(void **state) {
  static char head[200000] = "GET /healthz HTTP/1.1\r\nX: ";
  memset(head + strlen(head), 'x', sizeof head - 1 - strlen(head));
  assert_lacks(ask(head), " 200 ");
  check_alive();
  static char body[200000] = "GET /healthz HTTP/1.1\r\nContent-Length: 199000\r\n\r\n";
  memset(body + strlen(body), 'x', sizeof body - 1 - strlen(body));
  assert_lacks(ask(body), " 200 ");
  check_alive();
}

static void a_silent_client_holds_nobody(void **state) {
  int silent = connect_admin(), halfway = connect_admin();
  send_all(halfway, "GET /hea", 8);
  check_alive();
  send_all(halfway, "lthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 46);
  check_answer(read_all(halfway), "HTTP/1.1 200 ", "ok\n");
  close(silent);
}

static void keep_alive(void **state) {
  const char *answer = ask("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
                           "GET /readyz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  size_t n = 0;
  for (const char *s = answer; (s = strstr(s, "HTTP/1.1 200 ")); s++)
    n++;
  assert_int_equal(n, 2);
}

static void addresses(void **state) {
  Fixture *f = *state;
  static const char *const BAD[] = {"",     "x",     "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "unix:/tmp/x:1",
                                    "[:80", "[]:80", "[::1:80"};
  Error err;
  /* that of the fixture belongs to its thread */
  Loop *loop = loop_new();
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
    assert_null(admin_new(loop, BAD[i], f->metrics, &err));
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  }
  assert_null(admin_new(loop, ADDRESS, f->metrics, &err));
  assert_int_equal(err.kind, ERROR_UNAVAILABLE);
  assert_contains(err.message, ADDRESS);
  assert_contains(err.message, "--admin-address");
  Admin *v6 = admin_new(loop, "[::1]:0", f->metrics, &err), *any = admin_new(loop, ":0", f->metrics, &err);
  assert_non_null(v6);
  assert_non_null(any);
  admin_free(v6);
  admin_free(any);
  loop_free(loop);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(metrics),   TEST(readiness), TEST(other_paths), TEST(methods),
      TEST(malformed), TEST(too_large), TEST(keep_alive),  TEST(a_silent_client_holds_nobody),
      TEST(addresses),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
