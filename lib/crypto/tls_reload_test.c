/* Files that are replaced in the ways that people, tools and Kubernetes do it, by a clock that the test holds. */
#include "lib/crypto/tls_reload.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/crypto/certificate.h"

#define HOUR_MS 3600000LL

typedef struct World {
  Loop *loop;
  char dir[64], cert[96], key[96];
  int loads, failures;
  char why[256];
  TlsReload *reload;
} World;

static void on_loaded(void *arg, const Error *err) {
  World *w = arg;
  if (!err) {
    w->loads++;
    return;
  }
  w->failures++;
  snprintf(w->why, sizeof w->why, "%s", err->message);
}

/* One that ends in so many hours, into the folder as both files. */
static void write_pair(const char *folder, int hours) {
  Buf cert = BUF_INIT(0), key = BUF_INIT(0);
  int64_t now = clock_wall_ms();
  CertificateTerms terms = {.common_name = "x", .now_ms = now, .not_after_ms = now + hours * HOUR_MS};
  assert_int_equal(certificate_make_ca(&terms, &cert, &key, NULL), 0);
  test_write_file(folder, "tls.crt", buf_str(&cert));
  test_write_file(folder, "tls.key", buf_str(&key));
  buf_deinit(&cert);
  buf_deinit(&key);
}

static void link_to(const World *w, const char *target, const char *name) {
  char path[128], old[128];
  snprintf(path, sizeof path, "%s/%s", w->dir, name);
  snprintf(old, sizeof old, "%s/link.new", w->dir);
  assert_int_equal(symlink(target, old), 0);
  assert_int_equal(rename(old, path), 0);
}

static void make_generation(const World *w, const char *name, int hours) {
  char path[128];
  snprintf(path, sizeof path, "%s/%s", w->dir, name);
  assert_int_equal(mkdir(path, 0700), 0);
  write_pair(path, hours);
}

/* As a Secret is mounted: the files are links into a folder by way of ..data. */
static int setup(void **state) {
  World *w = calloc(1, sizeof *w);
  w->loop = loop_new();
  loop_hold_time(w->loop);
  test_folder(w->dir);
  snprintf(w->cert, sizeof w->cert, "%s/tls.crt", w->dir);
  snprintf(w->key, sizeof w->key, "%s/tls.key", w->dir);
  make_generation(w, "..one", 1);
  link_to(w, "..one", "..data");
  link_to(w, "..data/tls.crt", "tls.crt");
  link_to(w, "..data/tls.key", "tls.key");
  TlsSource source = {.files = true, .flags = "--tls-", .cert = w->cert, .key = w->key};
  Error err = {0};
  w->reload = tls_reload_new(w->loop, &source, on_loaded, w, &err);
  if (!w->reload)
    fail_msg("%s", err.message);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  World *w = *state;
  CLEANUP(str_freep) char *command = str_printf("rm -r %s", w->dir);
  tls_reload_free(w->reload);
  loop_free(w->loop);
  /* NOLINTNEXTLINE(cert-env33-c): a test's own folder */
  assert_int_equal(system(command), 0);
  free(w);
  return 0;
}

static void assert_hours(const World *w, int hours) {
  int64_t left = tls_expiry_ms(tls_reload_tls(w->reload)) - clock_wall_ms();
  assert_in_range(left, hours * HOUR_MS - HOUR_MS / 2, hours * HOUR_MS + HOUR_MS / 2);
}

static void pass(World *w, int looks) {
  loop_pass_time(w->loop, (int64_t)looks * TLS_RELOAD_MS);
}

static void nothing_changes_nothing(void **state) {
  World *w = *state;
  pass(w, 10);
  assert_int_equal(w->loads + w->failures, 0);
  assert_hours(w, 1);
}

static void a_secret_is_replaced(void **state) {
  World *w = *state;
  make_generation(w, "..two", 5);
  pass(w, 3);
  assert_int_equal(w->loads, 0);
  link_to(w, "..two", "..data");
  pass(w, 2);
  assert_int_equal(w->loads, 1);
  assert_hours(w, 5);
  pass(w, 5);
  assert_int_equal(w->loads, 1);
  assert_int_equal(w->failures, 0);
}

/* A certificate that has changed waits for its key. */
static void files_are_written_one_after_the_other(void **state) {
  World *w = *state;
  char data[128], cert[256], kept[256];
  snprintf(data, sizeof data, "%s/..data", w->dir);
  make_generation(w, "..two", 5);
  snprintf(cert, sizeof cert, "%s/..two/tls.crt", w->dir);
  snprintf(kept, sizeof kept, "%s/tls.crt", data);
  assert_int_equal(rename(cert, kept), 0);
  pass(w, 1);
  snprintf(cert, sizeof cert, "%s/..two/tls.key", w->dir);
  snprintf(kept, sizeof kept, "%s/tls.key", data);
  assert_int_equal(rename(cert, kept), 0);
  pass(w, 1);
  assert_int_equal(w->loads, 0);
  pass(w, 1);
  assert_int_equal(w->loads, 1);
  assert_int_equal(w->failures, 0);
  assert_hours(w, 5);
}

static void what_is_broken_is_told_once(void **state) {
  World *w = *state;
  char data[128];
  snprintf(data, sizeof data, "%s/..data", w->dir);
  test_write_file(data, "tls.crt", "no certificate");
  pass(w, 10);
  assert_int_equal(w->failures, 1);
  assert_int_equal(w->loads, 0);
  assert_contains(w->why, "--tls-cert-file: ");
  assert_hours(w, 1);
  unlink(w->cert);
  pass(w, 10);
  assert_int_equal(w->failures, 2);
  assert_contains(w->why, "No such file or directory");
  assert_hours(w, 1);
  make_generation(w, "..two", 5);
  link_to(w, "..two", "..data");
  link_to(w, "..data/tls.crt", "tls.crt");
  pass(w, 2);
  assert_int_equal(w->loads, 1);
  assert_hours(w, 5);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(nothing_changes_nothing),
      TEST(a_secret_is_replaced),
      TEST(files_are_written_one_after_the_other),
      TEST(what_is_broken_is_told_once),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
