/* Lists as they stand in the arguments of other programs, and what is refused of them. */
#include "lib/crypto/tls_suites.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"

static void names_of_both_kinds(void **state) {
  static const struct {
    const char *list, *wanted;
  } ROWS[] = {
      {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "ECDHE-RSA-AES128-GCM-SHA256"},
      {"TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384, ECDHE-RSA-CHACHA20-POLY1305 ",
       "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-CHACHA20-POLY1305"},
      /* without its hash, as old programs in Go have it */
      {"TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305,TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
       "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-CHACHA20-POLY1305"},
      {"TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", "ECDHE-RSA-AES128-SHA"},
      {"TLS_AES_128_GCM_SHA256,TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_CHACHA20_POLY1305_SHA256",
       "ECDHE-RSA-AES128-GCM-SHA256"},
      {"TLS_AES_256_GCM_SHA384", ""},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    CLEANUP(str_freep) char *list = NULL;
    Error err;
    assert_ok(tls_suites_parse(ROWS[i].list, &list, &err), &err);
    assert_string_equal(list, ROWS[i].wanted);
  }
}

static void what_is_refused(void **state) {
  static const struct {
    const char *list, *name, *why;
  } ROWS[] = {
      {"TLS_RSA_WITH_AES_128_GCM_SHA256", "'TLS_RSA_WITH_AES_128_GCM_SHA256'", "has no forward secrecy or a weak"},
      {"ECDHE-RSA-NULL-SHA", "'ECDHE-RSA-NULL-SHA'", "has no forward secrecy or a weak"},
      {"AECDH-AES128-SHA", "'AECDH-AES128-SHA'", "has no forward secrecy or a weak"},
      {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,TLS_MADE_UP", "'TLS_MADE_UP'", "is no cipher suite"},
      {"ECDHE", "'ECDHE'", "is no cipher suite"},
      {"ALL:@SECLEVEL=0", "'ALL:@SECLEVEL=0'", "is no cipher suite"},
      {"TLS_AES_256_GCM_SHA384,,", "''", "is no cipher suite"},
      {" ", "''", "is no cipher suite"},
      {"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256_TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "'TLS_ECDHE", "is no cipher"},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    char *list = NULL;
    Error err;
    assert_int_equal(tls_suites_parse(ROWS[i].list, &list, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    assert_contains(err.message, ROWS[i].name);
    assert_contains(err.message, ROWS[i].why);
    assert_null(list);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(names_of_both_kinds), cmocka_unit_test(what_is_refused)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
