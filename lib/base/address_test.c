/* Every form there is, and what is none. */
#include "lib/base/address.h"

#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"

#define L100 "a234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890"

static void what_is_taken_comes_back(void **state) {
  static const struct {
    const char *text, *host;
    int port;
    const char *path;
  } ROWS[] = {
      {"127.0.0.1:80", "127.0.0.1", 80, ""},
      {"redis.default.svc:6379", "redis.default.svc", 6379, ""},
      {"under_score:1", "under_score", 1, ""},
      {":7400", "", 7400, ""},
      {"[::1]:65535", "::1", 65535, ""},
      {"[::]:0", "::", 0, ""},
      {"[::ffff:10.0.0.1]:9", "::ffff:10.0.0.1", 9, ""},
      {"unix:/run/a b:c.sock", "", 0, "/run/a b:c.sock"},
      {"unix:/" L100 "123456", "", 0, "/" L100 "123456"}, /* 107 */
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    Address a;
    Error err = {0};
    if (address_parse(ROWS[i].text, &a, &err))
      fail_msg("%s", err.message);
    assert_string_equal(a.host, ROWS[i].host);
    assert_int_equal(a.port, ROWS[i].port);
    assert_string_equal(a.path, ROWS[i].path);
    assert_int_equal(a.kind, *ROWS[i].path ? ADDRESS_UNIX : ADDRESS_TCP);
    char text[ADDRESS_TEXT_MAX];
    address_format(&a, text);
    assert_string_equal(text, ROWS[i].text);
  }
}

static void what_is_none_is_refused_by_its_text(void **state) {
  static const char *const ROWS[] = {
      "",
      "localhost",
      ":",
      "a:",
      "a:-1",
      "a:65536",
      "a:80x",
      "a: 80",
      "a:+80",
      "::1:80",
      "fe80::1",
      "[::1]",
      "[::1:80",
      "[]:80",
      "[a]:80",
      "[::1]x:80",
      "::1]:80",
      "a b:80",
      "a/b:80",
      "a,b:80",
      "http://a:80",
      "u@h:80",
      "unix:",
      "unix:a",
      "unix:a/b:1",
      "[::1%lo]:80",
      "a\n:80",
      ("unix:/" L100 "1234567"),
      "[127.0.0.1]:80",
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    Address a;
    Error err = {0};
    if (address_parse(ROWS[i], &a, &err) != -1)
      fail_msg("took '%s'", ROWS[i]);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    char quoted[256];
    snprintf(quoted, sizeof quoted, "'%s' is not an address", ROWS[i]);
    assert_true(str_starts_with(err.message, quoted));
  }
  CLEANUP(str_freep) char *longest = str_printf("%s%s%.53s:80", L100, L100, L100);
  CLEANUP(str_freep) char *longer = str_printf("%s%s%.54s:80", L100, L100, L100);
  Address a;
  assert_int_equal(address_parse(longest, &a, NULL), 0);
  assert_int_equal(address_parse(longer, &a, NULL), -1);
}

static void a_peer_has_a_port(void **state) {
  Address a;
  Error err = {0};
  assert_int_equal(address_parse_peer("a:0", &a, &err), -1);
  assert_contains(err.message, "port 0");
  assert_ok(address_parse_peer("a:1", &a, &err), &err);
  assert_ok(address_parse_peer("unix:/a", &a, &err), &err);
}

static void numbers_need_no_resolver(void **state) {
  Address a;
  struct sockaddr_storage s;
  assert_int_equal(address_parse("10.1.2.3:80", &a, NULL), 0);
  assert_int_equal(address_sockaddr(&a, &s), sizeof(struct sockaddr_in));
  assert_int_equal(((struct sockaddr_in *)&s)->sin_addr.s_addr, htonl(0x0a010203));
  assert_int_equal(((struct sockaddr_in *)&s)->sin_port, htons(80));
  assert_int_equal(address_parse("[::1]:81", &a, NULL), 0);
  assert_int_equal(address_sockaddr(&a, &s), sizeof(struct sockaddr_in6));
  assert_int_equal(((struct sockaddr_in6 *)&s)->sin6_addr.s6_addr[15], 1);
  assert_int_equal(((struct sockaddr_in6 *)&s)->sin6_port, htons(81));
  assert_int_equal(address_parse("unix:/run/x", &a, NULL), 0);
  assert_int_equal(address_sockaddr(&a, &s), sizeof(struct sockaddr_un));
  assert_string_equal(((struct sockaddr_un *)&s)->sun_path, "/run/x");
  assert_int_equal(address_parse("localhost:80", &a, NULL), 0);
  assert_int_equal(address_sockaddr(&a, &s), 0);
  assert_int_equal(address_parse(":80", &a, NULL), 0);
  assert_int_equal(address_sockaddr(&a, &s), 0);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_taken_comes_back),
      cmocka_unit_test(what_is_none_is_refused_by_its_text),
      cmocka_unit_test(a_peer_has_a_port),
      cmocka_unit_test(numbers_need_no_resolver),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
