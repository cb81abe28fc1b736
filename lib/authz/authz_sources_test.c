/* Files of keys and tokens: whose a credential is, which files are not believed, and what a change of them does. */
#include "lib/authz/authz_sources.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/authz/authz_file.h"
#include "lib/authz/authz_keys.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

#define TOKENS \
  "# who calls\n\nresearch token-of-research-1\n  research\ttoken-of-research-2\r\nops token-of-operations admin"

typedef struct Files {
  char folder[64], keys[80], tokens[80];
} Files;

static int setup(void **state) {
  Files *f = calloc(1, sizeof *f);
  test_folder(f->folder);
  snprintf(f->keys, sizeof f->keys, "%s/keys", f->folder);
  snprintf(f->tokens, sizeof f->tokens, "%s/tokens", f->folder);
  *state = f;
  return 0;
}

static int teardown(void **state) {
  Files *f = *state;
  unlink(f->keys);
  unlink(f->tokens);
  rmdir(f->folder);
  free(f);
  return 0;
}

static void write_file(const char *path, const char *text) {
  char temporary[96];
  snprintf(temporary, sizeof temporary, "%s.new", path);
  FILE *out = fopen(temporary, "we");
  assert_non_null(out);
  fchmod(fileno(out), 0600);
  fputs(text, out);
  assert_int_equal(fclose(out), 0);
  assert_int_equal(rename(temporary, path), 0);
}

/* A key of the tenant's: its line at the end of out, its text as a result. */
static void add_key(Buf *out, const char *tenant, AuthzRole role, int64_t expire_s, char text[AUTHZ_KEY_TEXT_LEN + 1]) {
  AuthzKey key = {.tenant = str_dup(tenant), .namespaces = str_dup("default"), .role = role, .expire_s = expire_s};
  authz_key_make(&key, text);
  authz_key_write(&key, out);
  authz_key_deinit(&key);
}

static void expect(AuthzStore *store, const char *credential, int64_t now_s, const char *tenant, AuthzRole role) {
  AuthzSources *sources = authz_store_take(store);
  const AuthzPrincipal *who = NULL;
  Error err = {0};
  int rc = authz_sources_find(sources, credential, now_s, &who, &err);
  if (tenant) {
    assert_ok(rc, &err);
    assert_string_equal(who->tenant, tenant);
    assert_int_equal(who->role, role);
  } else {
    assert_int_equal(rc, -1);
    assert_int_equal(err.kind, ERROR_UNAUTHENTICATED);
    assert_lacks(err.message, *credential ? credential : "\n");
  }
  authz_sources_release(sources);
}

static void test_tokens(void **state) {
  Files *f = *state;
  AuthzStore *store;
  Error err = {0};
  write_file(f->tokens, TOKENS);
  assert_ok(authz_store_new("", f->tokens, &store, &err), &err);
  expect(store, "token-of-research-1", 0, "research", AUTHZ_USER);
  expect(store, "token-of-research-2", 0, "research", AUTHZ_USER);
  expect(store, "token-of-operations", 0, "ops", AUTHZ_ADMIN);
  static const char *const WRONG[] = {
      "", "token-of-research", "token-of-research-12", "Token-of-research-1", "token-of-research-1 ", "research"};
  for (size_t i = 0; i < ARRAY_LEN(WRONG); i++)
    expect(store, WRONG[i], 0, NULL, 0);
  authz_store_free(store);
}

static void refused(const Files *f, bool keys, const char *text, const char *word) {
  AuthzStore *store;
  Error err = {0};
  write_file(keys ? f->keys : f->tokens, text);
  assert_int_equal(authz_store_new(keys ? f->keys : NULL, keys ? NULL : f->tokens, &store, &err), -1);
  assert_null(store);
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  assert_contains(err.message, word);
}

static void test_lines_that_are_refused(void **state) {
  Files *f = *state;
  refused(f, false, "research\n", "tokens:1: the token");
  refused(f, false, "research short\n", "tokens:1: the token");
  refused(f, false, "Research token-of-research-1\n", "DNS label");
  refused(f, false, "research token-of-research-1 root\n", "admin");
  refused(f, false, "research token-of-research-1 admin x\n", "admin");
  refused(f, false, "a token-of-research-1\nb token-of-research-1\n", "tokens:2: the token is there already");
  refused(f, false, "", "holds no token");
  refused(f, true, "\n{}\n", "keys:2: id");
  char text[AUTHZ_KEY_TEXT_LEN + 1];
  CLEANUP(buf_deinit) Buf out = BUF_INIT(4096);
  add_key(&out, "a", AUTHZ_USER, INT64_MAX, text);
  CLEANUP(str_freep) char *twice = str_printf("%s%s", buf_str(&out), buf_str(&out));
  refused(f, true, twice, "keys:2: id");
  AuthzStore *store;
  Error err = {0};
  assert_int_equal(authz_store_new("/nonexistent", NULL, &store, &err), -1);
  assert_contains(err.message, "/nonexistent");
  assert_ok(authz_store_new("", NULL, &store, &err), &err);
  assert_null(store);
}

static void test_keys(void **state) {
  Files *f = *state;
  char user[AUTHZ_KEY_TEXT_LEN + 1], admin[AUTHZ_KEY_TEXT_LEN + 1], late[AUTHZ_KEY_TEXT_LEN + 1];
  CLEANUP(buf_deinit) Buf out = BUF_INIT(4096);
  add_key(&out, "research", AUTHZ_USER, INT64_MAX, user);
  add_key(&out, "ops", AUTHZ_ADMIN, INT64_MAX, admin);
  add_key(&out, "research", AUTHZ_USER, 1000, late);
  write_file(f->keys, buf_str(&out));
  write_file(f->tokens, TOKENS);
  AuthzStore *store;
  Error err = {0};
  assert_ok(authz_store_new(f->keys, f->tokens, &store, &err), &err);
  expect(store, user, 5000, "research", AUTHZ_USER);
  expect(store, admin, 5000, "ops", AUTHZ_ADMIN);
  expect(store, late, 999, "research", AUTHZ_USER);
  expect(store, late, 1000, NULL, 0);
  expect(store, "token-of-research-1", 5000, "research", AUTHZ_USER);
  user[AUTHZ_KEY_TEXT_LEN - 1] = user[AUTHZ_KEY_TEXT_LEN - 1] == 'A' ? 'E' : 'A';
  expect(store, user, 5000, NULL, 0);
  authz_store_free(store);
}

static void test_modes(void **state) {
  Files *f = *state;
  write_file(f->tokens, TOKENS);
  static const struct {
    mode_t mode;
    bool secret_ok, public_ok;
  } ROWS[] = {{0600, true, true},   {0400, true, true},   {0640, false, true},
              {0604, false, true},  {0644, false, true},  {0620, false, false},
              {0602, false, false}, {0666, false, false}, {0700, true, true}};
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    struct stat st;
    Error err = {0};
    assert_int_equal(chmod(f->tokens, ROWS[i].mode), 0);
    assert_int_equal(stat(f->tokens, &st), 0);
    assert_int_equal(authz_file_check("--x", "y", &st, AUTHZ_FILE_SECRET, &err), ROWS[i].secret_ok ? 0 : -1);
    assert_int_equal(authz_file_check("--x", "y", &st, AUTHZ_FILE_PUBLIC, &err), ROWS[i].public_ok ? 0 : -1);
    /* as Kubernetes mounts it: root's, and of the group that the service is in */
    struct stat of_other = st;
    of_other.st_uid = geteuid() + 1;
    assert_int_equal(authz_file_check("--x", "y", &of_other, AUTHZ_FILE_PUBLIC, &err), -1);
    assert_contains(err.message, "--x: y: belongs to another user");
    AuthzStore *store;
    assert_int_equal(authz_store_new(NULL, f->tokens, &store, &err), ROWS[i].secret_ok ? 0 : -1);
    authz_store_free(store);
  }
  Error err = {0};
  AuthzStore *store;
  assert_int_equal(authz_store_new(NULL, f->folder, &store, &err), -1);
  assert_contains(err.message, "is no file");
}

static void test_reload(void **state) {
  Files *f = *state;
  char first[AUTHZ_KEY_TEXT_LEN + 1], second[AUTHZ_KEY_TEXT_LEN + 1];
  CLEANUP(buf_deinit) Buf out = BUF_INIT(4096);
  add_key(&out, "a", AUTHZ_USER, INT64_MAX, first);
  write_file(f->keys, buf_str(&out));
  AuthzStore *store;
  Error err = {0};
  assert_ok(authz_store_new(f->keys, NULL, &store, &err), &err);
  assert_int_equal(authz_store_reload(store, &err), 0);
  AuthzSources *held = authz_store_take(store);
  const AuthzPrincipal *who;
  assert_ok(authz_sources_find(held, first, 0, &who, &err), &err);
  /* another key in its place */
  buf_consume(&out, out.len);
  add_key(&out, "b", AUTHZ_ADMIN, INT64_MAX, second);
  write_file(f->keys, buf_str(&out));
  assert_int_equal(authz_store_reload(store, &err), 1);
  expect(store, first, 0, NULL, 0);
  expect(store, second, 0, "b", AUTHZ_ADMIN);
  /* what is held stays as it was */
  assert_string_equal(who->tenant, "a");
  authz_sources_release(held);
  /* what cannot be used changes nothing, and is told once */
  write_file(f->keys, "{}\n");
  assert_int_equal(authz_store_reload(store, &err), -1);
  assert_contains(err.message, "keys:1");
  assert_int_equal(authz_store_reload(store, &err), 0);
  expect(store, second, 0, "b", AUTHZ_ADMIN);
  write_file(f->keys, buf_str(&out));
  assert_int_equal(authz_store_reload(store, &err), 1);
  assert_int_equal(chmod(f->keys, 0666), 0);
  assert_int_equal(authz_store_reload(store, &err), -1);
  assert_contains(err.message, "others may write it");
  unlink(f->keys);
  assert_int_equal(authz_store_reload(store, &err), -1);
  expect(store, second, 0, "b", AUTHZ_ADMIN);
  /* the last key taken away lets nobody in */
  write_file(f->keys, "# nobody\n");
  assert_int_equal(authz_store_reload(store, &err), 1);
  expect(store, second, 0, NULL, 0);
  authz_store_free(store);
}

typedef struct Reader {
  AuthzStore *store;
  const char *credential;
  size_t found;
} Reader;

static void *read_much(void *arg) {
  Reader *r = arg;
  for (int i = 0; i < 2000; i++) {
    AuthzSources *sources = authz_store_take(r->store);
    const AuthzPrincipal *who;
    Error err;
    if (authz_sources_find(sources, r->credential, 0, &who, &err) == 0 && str_equal(who->tenant, "a"))
      r->found++;
    authz_sources_release(sources);
  }
  return NULL;
}

/* Threads that look up while readings are swapped; the sanitizers judge. */
static void test_threads(void **state) {
  Files *f = *state;
  char text[AUTHZ_KEY_TEXT_LEN + 1];
  CLEANUP(buf_deinit) Buf out = BUF_INIT(4096);
  add_key(&out, "a", AUTHZ_USER, INT64_MAX, text);
  write_file(f->keys, buf_str(&out));
  AuthzStore *store;
  Error err = {0};
  assert_ok(authz_store_new(f->keys, NULL, &store, &err), &err);
  Reader readers[3];
  pthread_t threads[ARRAY_LEN(readers)];
  for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
    readers[i] = (Reader){store, text, 0};
    assert_int_equal(pthread_create(&threads[i], NULL, read_much, &readers[i]), 0);
  }
  for (int i = 0; i < 50; i++) {
    write_file(f->keys, buf_str(&out));
    assert_int_equal(authz_store_reload(store, &err), 1);
  }
  for (size_t i = 0; i < ARRAY_LEN(readers); i++) {
    pthread_join(threads[i], NULL);
    assert_int_equal(readers[i].found, 2000);
  }
  authz_store_free(store);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_tokens),  TEST(test_lines_that_are_refused), TEST(test_keys), TEST(test_modes), TEST(test_reload),
      TEST(test_threads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
