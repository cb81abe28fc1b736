/* What becomes of a connection that is made without waiting for it: it is told from the loop, once, whatever it is. */
#include "lib/base/test.h"
#include "lib/loop/stream_connect.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef struct Told {
  Loop *loop;
  LoopTimer *limit;
  int n, fd, errnum;
} Told;

static void on_limit(void *arg) {
  fprintf(stderr, "nothing happened within 10 s\n");
  abort();
}

static int setup(void **state) {
  Told *t = calloc(1, sizeof *t);
  assert_non_null(t);
  t->loop = loop_new();
  t->fd = -1;
  *state = t;
  return 0;
}

static int teardown(void **state) {
  Told *t = *state;
  loop_timer_free(t->limit);
  if (t->fd >= 0)
    close(t->fd);
  loop_free(t->loop);
  free(t);
  return 0;
}

static void on_told(void *arg, int fd, int errnum) {
  Told *t = arg;
  t->n++;
  t->fd = fd;
  t->errnum = errnum;
  loop_stop(t->loop);
}

static void wait(Told *t) {
  t->limit = loop_timer_new(t->loop, on_limit, NULL);
  loop_timer_start(t->limit, 10000);
  loop_run(t->loop);
  assert_int_equal(t->n, 1);
}

/* Listens at a free port of this number, or bound only; returns the port. */
static int bind_to(const char *host, bool listens, Address *ret) {
  struct sockaddr_storage at;
  *ret = (Address){.kind = ADDRESS_TCP};
  snprintf(ret->host, sizeof ret->host, "%s", host);
  socklen_t len = address_sockaddr(ret, &at);
  int fd = socket(at.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_true(fd >= 0);
  assert_int_equal(bind(fd, (struct sockaddr *)&at, len), 0);
  if (listens)
    assert_int_equal(listen(fd, 1), 0);
  assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &len), 0);
  ret->port = ntohs(((struct sockaddr_in *)&at)->sin_port);
  return fd;
}

static int option(int fd, int level, int name) {
  int value = -1;
  socklen_t len = sizeof value;
  assert_int_equal(getsockopt(fd, level, name, &value, &len), 0);
  return value;
}

static void connects(void **state) {
  Told *t = *state;
  Address to;
  int listener = bind_to("127.0.0.1", true, &to);
  const StreamKeepalive keepalive = {.idle_s = 7, .interval_s = 3, .count = 4, .unacked_ms = 11000};
  stream_connect(t->loop, &to, 10000, &keepalive, on_told, t);
  assert_int_equal(t->n, 0);
  wait(t);
  assert_int_equal(t->errnum, 0);
  assert_true(t->fd >= 0);
  assert_true(fcntl(t->fd, F_GETFL) & O_NONBLOCK);
  assert_true(fcntl(t->fd, F_GETFD) & FD_CLOEXEC);
  assert_int_equal(option(t->fd, IPPROTO_TCP, TCP_NODELAY), 1);
  assert_int_equal(option(t->fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  assert_int_equal(option(t->fd, IPPROTO_TCP, TCP_KEEPIDLE), 7);
  assert_int_equal(option(t->fd, IPPROTO_TCP, TCP_KEEPINTVL), 3);
  assert_int_equal(option(t->fd, IPPROTO_TCP, TCP_KEEPCNT), 4);
  assert_int_equal(option(t->fd, IPPROTO_TCP, TCP_USER_TIMEOUT), 11000);
  int peer = accept(listener, NULL, NULL);
  assert_true(peer >= 0);
  assert_int_equal(write(t->fd, "x", 1), 1);
  char c;
  assert_int_equal(read(peer, &c, 1), 1);
  close(peer);
  close(listener);
}

static void connects_in_the_file_system(void **state) {
  Told *t = *state;
  char folder[] = "/tmp/connect.XXXXXX";
  assert_non_null(mkdtemp(folder));
  Address to = {.kind = ADDRESS_UNIX};
  snprintf(to.path, sizeof to.path, "%s/socket", folder);
  struct sockaddr_storage at;
  socklen_t len = address_sockaddr(&to, &at);
  int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&at, len), 0);
  assert_int_equal(listen(listener, 1), 0);
  stream_connect(t->loop, &to, 10000, &(StreamKeepalive){.idle_s = 1}, on_told, t);
  wait(t);
  assert_int_equal(t->errnum, 0);
  close(listener);
  unlink(to.path);
  rmdir(folder);
}

static void check_failure(Told *t, const Address *to, int errnum) {
  stream_connect(t->loop, to, 10000, NULL, on_told, t);
  assert_int_equal(t->n, 0); /* not inside the call */
  wait(t);
  assert_int_equal(t->fd, -1);
  assert_int_equal(t->errnum, errnum);
}

static void refused(void **state) {
  Address to;
  int fd = bind_to("127.0.0.1", false, &to);
  check_failure(*state, &to, ECONNREFUSED);
  close(fd);
}

static void nothing_there(void **state) {
  check_failure(*state, &(Address){.kind = ADDRESS_UNIX, .path = "/nowhere/socket"}, ENOENT);
}

static void no_number(void **state) {
  check_failure(*state, &(Address){.kind = ADDRESS_TCP, .host = "localhost", .port = 1}, EINVAL);
}

/* A listener whose queue is full lets the next one wait. */
static void takes_too_long(void **state) {
  Told *t = *state;
  Address to;
  int listener = bind_to("127.0.0.1", false, &to), waiting[2];
  struct sockaddr_storage at;
  assert_int_equal(listen(listener, 0), 0);
  socklen_t len = address_sockaddr(&to, &at);
  for (int i = 0; i < 2; i++) {
    waiting[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_true(connect(waiting[i], (struct sockaddr *)&at, len) == 0 || errno == EINPROGRESS);
  }
  loop_hold_time(t->loop);
  stream_connect(t->loop, &to, 2000, NULL, on_told, t);
  loop_pass_time(t->loop, 1999);
  assert_int_equal(t->n, 0);
  loop_pass_time(t->loop, 1);
  assert_int_equal(t->n, 1);
  assert_int_equal(t->fd, -1);
  assert_int_equal(t->errnum, ETIMEDOUT);
  close(waiting[0]);
  close(waiting[1]);
  close(listener);
}

static void nobody_is_told_of_what_was_freed(void **state) {
  Told *t = *state;
  Address to;
  int listener = bind_to("127.0.0.1", true, &to);
  stream_connect_free(stream_connect(t->loop, &to, 1, NULL, on_told, t));
  stream_connect_free(stream_connect(t->loop, &(Address){.kind = ADDRESS_TCP}, 1, NULL, on_told, t));
  stream_connect_free(NULL);
  stream_connect(t->loop, &to, 0, NULL, on_told, t);
  wait(t); /* the last one alone */
  assert_int_equal(t->errnum, 0);
  close(listener);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(connects),       TEST(connects_in_the_file_system),     TEST(refused), TEST(nothing_there), TEST(no_number),
      TEST(takes_too_long), TEST(nobody_is_told_of_what_was_freed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
