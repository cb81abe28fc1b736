/* What a sandbox may put in the place of its socket, and what comes of it. */
#include "lib/wire/wire_connect.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/base/test.h"

static char dir[64];
static int listener;

/* The name in the test's folder, as path or as route. */
static const char *at(const char *prefix, const char *name) {
  static char out[2][128];
  static int i;
  i = !i;
  snprintf(out[i], sizeof out[i], "%s%s/%s", prefix, dir, name);
  return out[i];
}

static int setup(void **state) {
  test_folder(dir);
  struct sockaddr_un address = {.sun_family = AF_UNIX};
  snprintf(address.sun_path, sizeof address.sun_path, "%s/socket", dir);
  listener = socket(AF_UNIX, SOCK_STREAM, 0);
  assert_int_equal(bind(listener, (struct sockaddr *)&address, sizeof address), 0);
  assert_int_equal(listen(listener, 4), 0);
  return 0;
}

static int teardown(void **state) {
  close(listener);
  static const char *const NAMES[] = {"socket", "link", "file", "fifo"};
  for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
    unlink(at("", NAMES[i]));
  rmdir(dir);
  return 0;
}

static void refuse(const char *route, ErrorKind kind) {
  Error err;
  assert_int_equal(wire_connect(route, &err), -1);
  assert_int_equal(err.kind, kind);
}

static void test_socket(void **state) {
  Error err;
  int fd = wire_connect(at("unix:", "socket"), &err);
  assert_true(fd >= 0);
  int peer = accept(listener, NULL, NULL);
  assert_int_equal(write(fd, "x", 1), 1);
  char c;
  assert_int_equal(read(peer, &c, 1), 1);
  close(peer);
  close(fd);
}

static void test_what_is_no_socket(void **state) {
  assert_int_equal(symlink(at("", "socket"), at("", "link")), 0);
  assert_int_equal(mkfifo(at("", "fifo"), 0600), 0);
  FILE *f = fopen(at("", "file"), "w");
  assert_non_null(f);
  fclose(f);
  refuse(at("unix:", "link"), ERROR_UNAVAILABLE);
  refuse(at("unix:", "fifo"), ERROR_UNAVAILABLE);
  refuse(at("unix:", "file"), ERROR_UNAVAILABLE);
  refuse(at("unix:", "nothing"), ERROR_UNAVAILABLE);
  refuse(at("unix:", ""), ERROR_UNAVAILABLE);
}

static void test_tcp(void **state) {
  int tcp = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof address;
  assert_int_equal(bind(tcp, (struct sockaddr *)&address, len), 0);
  assert_int_equal(listen(tcp, 1), 0);
  assert_int_equal(getsockname(tcp, (struct sockaddr *)&address, &len), 0);
  char route[64];
  snprintf(route, sizeof route, "tcp:127.0.0.1:%d", ntohs(address.sin_port));
  Error err;
  int fd = wire_connect(route, &err);
  assert_true(fd >= 0);
  int peer = accept(tcp, NULL, NULL);
  assert_true(peer >= 0);
  close(peer);
  close(fd);
  close(tcp);
}

static void test_malformed(void **state) {
  static const char *const BAD[] = {"",
                                    "x",
                                    "/tmp/x",
                                    "tcp:",
                                    "tcp:1.2.3.4",
                                    "tcp::80",
                                    "tcp:localhost:80",
                                    "tcp:1.2.3.4:0",
                                    "tcp:1.2.3.4:x",
                                    "tcp:[::1:80",
                                    "tcp:[]:80"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    refuse(BAD[i], ERROR_INTERNAL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_socket),
      cmocka_unit_test(test_what_is_no_socket),
      cmocka_unit_test(test_tcp),
      cmocka_unit_test(test_malformed),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
