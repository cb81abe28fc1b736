/* What many tests need and cmocka has not. */
#include "lib/base/test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void test_assert_contains(const char *text, const char *part, int is_wanted, const char *file, int line) {
  if (text && (strstr(text, part) != NULL) == is_wanted)
    return;
  print_error("%s\"%s\" in:\n%s\n", is_wanted ? "no " : "", part, text ? text : "NULL");
  _fail(file, line);
}

void test_on_limit(void *arg) {
  (void)arg;
  fprintf(stderr, "nothing happened in time\n");
  abort();
}

void test_folder(char path[64]) {
  snprintf(path, 64, "/tmp/test-XXXXXX");
  assert_non_null(mkdtemp(path));
}

void test_write_file(const char *folder, const char *name, const char *text) {
  char path[4096];
  assert_in_range(snprintf(path, sizeof path, "%s/%s", folder, name), 0, sizeof path - 1);
  FILE *f = fopen(path, "we");
  assert_non_null(f);
  assert_true(fputs(text, f) >= 0);
  assert_int_equal(fclose(f), 0);
}
