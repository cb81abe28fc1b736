/* Lines of the key file: what is written is read back, and what is wrong is told with the field. */
#include "lib/authz/authz_keys.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"

#define HASH "sha256:00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"
#define LINE(id, hash, tenant, role, namespaces, more)                                  \
  "{\"id\":\"" id "\",\"hash\":\"" hash "\",\"tenant\":\"" tenant "\",\"role\":\"" role \
  "\",\"namespaces\":" namespaces more "}"
#define ID "0123456789ab"

static int parse(const char *line, AuthzKey *key, Error *err) {
  *err = (Error){0};
  return authz_key_parse(line, strlen(line), key, err);
}

static void test_line(void **state) {
  AuthzKey key;
  Error err;
  assert_int_equal(parse(" " LINE(ID, HASH, "research", "user", "[\"default\",\"team-a\"]",
                                  ",\"expires\":\"2033-05-18T03:33:20Z\"") "\r",
                         &key, &err),
                   1);
  assert_string_equal(key.id, ID);
  assert_string_equal(key.tenant, "research");
  assert_string_equal(key.namespaces, "default,team-a");
  assert_int_equal(key.role, AUTHZ_USER);
  assert_int_equal(key.expire_s, 2000000000);
  assert_int_equal(key.hash[1], 0x11);
  assert_int_equal(key.hash[15], 0xff);
  CLEANUP(buf_deinit) Buf out = BUF_INIT(4096);
  authz_key_write(&key, &out);
  authz_key_deinit(&key);
  assert_string_equal(buf_str(&out), LINE(ID, HASH, "research", "user", "[\"default\",\"team-a\"]",
                                          ",\"expires\":\"2033-05-18T03:33:20.000Z\"") "\n");
  assert_int_equal(parse(LINE(ID, HASH, "ops", "admin", "[\"*\"]", ""), &key, &err), 1);
  assert_int_equal(key.role, AUTHZ_ADMIN);
  assert_string_equal(key.namespaces, "*");
  assert_true(key.expire_s == INT64_MAX);
  authz_key_deinit(&key);
}

static void test_nothing(void **state) {
  AuthzKey key;
  Error err;
  static const char *const NONE[] = {"", "  \t", "# a comment", "  # {\"id\":1}"};
  for (size_t i = 0; i < ARRAY_LEN(NONE); i++)
    assert_int_equal(parse(NONE[i], &key, &err), 0);
}

static void test_refused(void **state) {
  static const struct {
    const char *line, *field;
  } ROWS[] = {
      {"{", ""},
      {"[]", ""},
      {"\"x\"", ""},
      {LINE(ID, HASH, "a", "user", "[\"*\"]", "") "x", ""},
      {LINE(ID, HASH, "a", "user", "[\"*\"]", ",\"secret\":\"x\""), ""},
      {LINE(ID, HASH, "a", "user", "[\"*\"]", ",\"id\":\"" ID "\""), ""},
      {LINE("0123456789a", HASH, "a", "user", "[\"*\"]", ""), "id"},
      {LINE("0123456789_b", HASH, "a", "user", "[\"*\"]", ""), "id"},
      {LINE(ID, "00", "a", "user", "[\"*\"]", ""), "hash"},
      {LINE(ID, HASH "0", "a", "user", "[\"*\"]", ""), "hash"},
      {LINE(ID, "sha256:ZZ112233445566778899aabbccddeeff00112233445566778899aabbccddeeff", "a", "user", "[\"*\"]", ""),
       "hash"},
      {LINE(ID, HASH, "A", "user", "[\"*\"]", ""), "tenant"},
      {LINE(ID, HASH, "", "user", "[\"*\"]", ""), "tenant"},
      {LINE(ID, HASH, "a", "root", "[\"*\"]", ""), "role"},
      {LINE(ID, HASH, "a", "user", "[]", ""), "namespaces"},
      {LINE(ID, HASH, "a", "user", "\"*\"", ""), "namespaces"},
      {LINE(ID, HASH, "a", "user", "[\"*\",\"b\"]", ""), "namespaces"},
      {LINE(ID, HASH, "a", "user", "[\"b,c\"]", ""), "namespaces"},
      {LINE(ID, HASH, "a", "user", "[1]", ""), "namespaces"},
      {LINE(ID, HASH, "a", "user", "[\"*\"]", ",\"expires\":1"), "expires"},
      {LINE(ID, HASH, "a", "user", "[\"*\"]", ",\"expires\":\"soon\""), "expires"},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    AuthzKey key;
    Error err;
    if (parse(ROWS[i].line, &key, &err) != -1)
      fail_msg("taken: %s", ROWS[i].line);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    assert_string_equal(err.field, ROWS[i].field);
  }
  AuthzKey key;
  Error err = {0};
  assert_int_equal(authz_key_parse("{\0}", 3, &key, &err), -1);
}

static void test_namespaces(void **state) {
  Error err = {0};
  char *got = authz_namespaces_parse("default,team-a", &err);
  assert_string_equal(got, "default,team-a");
  str_freep(&got);
  got = authz_namespaces_parse("*", &err);
  assert_string_equal(got, "*");
  str_freep(&got);
  static const char *const BAD[] = {"", ",", "a,", ",a", "a,,b", "A", "a b", "*,a"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    if (authz_namespaces_parse(BAD[i], &err))
      fail_msg("taken: %s", BAD[i]);
}

static void test_make(void **state) {
  AuthzKey a = {0}, b = {0};
  char text[AUTHZ_KEY_TEXT_LEN + 1], other[AUTHZ_KEY_TEXT_LEN + 1], id[AUTHZ_KEY_ID_LEN + 1];
  authz_key_make(&a, text);
  authz_key_make(&b, other);
  assert_string_not_equal(text, other);
  assert_int_equal(strlen(text), AUTHZ_KEY_TEXT_LEN);
  assert_true(authz_key_id_of(text, id));
  assert_string_equal(id, a.id);
  assert_true(authz_key_matches(&a, text));
  assert_false(authz_key_matches(&a, other));
  assert_false(authz_key_matches(&b, text));
  /* any other character anywhere is another key */
  for (size_t i = 0; i < AUTHZ_KEY_TEXT_LEN; i++) {
    char changed[AUTHZ_KEY_TEXT_LEN + 1];
    memcpy(changed, text, sizeof changed);
    changed[i] = changed[i] == 'x' ? 'y' : 'x';
    assert_false(authz_key_matches(&a, changed));
  }
  text[AUTHZ_KEY_TEXT_LEN - 1] = 0;
  assert_false(authz_key_id_of(text, id));
  static const char *const NONE[] = {"", "sp_", "sp_0123456789ab", "v1.x.y", "a-tenant-token-of-someone"};
  for (size_t i = 0; i < ARRAY_LEN(NONE); i++)
    assert_false(authz_key_id_of(NONE[i], id));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_line),       cmocka_unit_test(test_nothing), cmocka_unit_test(test_refused),
      cmocka_unit_test(test_namespaces), cmocka_unit_test(test_make),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
