#include "runtime/process/passwd.h"

#include <string.h>

#include "lib/base/compiler.h"
#include "lib/base/test.h"

static void home_of_a_line(void **state) {
  static const struct {
    const char *line, *home;
  } ROWS[] = {
      {"root:x:0:0:root:/root:/bin/sh\n", "/root"},
      {"a:x:1000:1000::/home/a:/bin/sh\n", "/home/a"},
      /* without a password, as some small images have root */
      {"a::1000:1000:A:/home/a:/bin/sh\n", "/home/a"},
      {"a:x:1000::::\n", NULL},
      {"a:x:1000:1000:A:/home/a", "/home/a"},
      {"a:x:1000:1000:A", NULL},
      {"a:x::1000:A:/home/a:/bin/sh\n", NULL},
      {"a:x:1000x:1000:A:/home/a:/bin/sh\n", NULL},
      {"a:x:-1:1000:A:/home/a:/bin/sh\n", NULL},
      {"\n", NULL},
      {"", NULL},
  };
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    char line[128];
    strncpy(line, ROWS[i].line, sizeof line);
    const char *home = passwd_home(line, i ? 1000 : 0);
    if (ROWS[i].home)
      assert_string_equal(home, ROWS[i].home);
    else
      assert_null(home);
  }
}

static void another_user_has_another_line(void **state) {
  char line[] = "a:x:1000:1000:A:/home/a:/bin/sh\n";
  assert_null(passwd_home(line, 1001));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(home_of_a_line),
      cmocka_unit_test(another_user_has_another_line),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
