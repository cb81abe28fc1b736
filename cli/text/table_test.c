/* Tables as they stand on a terminal. */
#include "cli/text/table.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/test.h"

static void expect_table(Table *table, const char *text) {
  char *got = NULL;
  size_t len = 0;
  FILE *saved = stdout;
  stdout = open_memstream(&got, &len);
  table_print(table);
  fclose(stdout);
  stdout = saved;
  assert_string_equal(got, text);
  free(got);
}

static void columns_line_up(void **state) {
  Table *t = table_new((const char *const[]){"NAME", "SIZE", "PATH", NULL});
  table_row(t, (const char *const[]){"a-longer-name", "1", "x"});
  table_row(t, (const char *const[]){"b", "", NULL});
  expect_table(t, "NAME           SIZE  PATH\n"
                  "a-longer-name  1     x\n"
                  "b              -     -\n");
}

static void width_counts_characters(void **state) {
  Table *t = table_new((const char *const[]){"A", "B", NULL});
  table_row(t, (const char *const[]){"\xc3\xa9\xc3\xa9", "x"});
  table_row(t, (const char *const[]){"abc", "y"});
  expect_table(t, "A    B\n\xc3\xa9\xc3\xa9   x\nabc  y\n");
}

static void no_control_characters(void **state) {
  Table *t = table_new((const char *const[]){"A", NULL});
  table_row(t, (const char *const[]){"a\x1b[31m\nb\x7f\xc2\x9b"
                                     "c\xc2\xa0"});
  expect_table(t, "A\na?[31m?b???c\xc2\xa0\n");
}

static void no_turned_writing(void **state) {
  char text[] = "a\xe2\x80\xae"
                "b\xd8\x9c"
                "c\xe2\x81\xa6"
                "d\xe2\x80\xa8"
                "e\xe2\x82\xac\xd8\xa7\xe2\x80";
  table_printable(text);
  assert_string_equal(text, "a???b??c???d???e\xe2\x82\xac\xd8\xa7\xe2\x80");
}

static void headings_alone(void **state) {
  expect_table(table_new((const char *const[]){"A", "B", NULL}), "A  B\n");
}

static void free_without_print(void **state) {
  table_free(table_new((const char *const[]){"A", NULL}));
  table_free(NULL);
}

static void ages_and_sizes(void **state) {
  static const struct {
    int64_t ms;
    const char *text;
  } AGES[] = {{-1, "-"},         {0, "0s"},       {119999, "119s"},    {120000, "2m"},
              {7199999, "119m"}, {7200000, "2h"}, {172800000LL, "2d"}, {INT64_MAX, NULL}};
  static const struct {
    int64_t bytes;
    const char *text;
  } SIZES[] = {{0, "0 B"},        {1023, "1023 B"},       {1024, "1.0 KiB"},
               {1536, "1.5 KiB"}, {5LL << 30, "5.0 GiB"}, {2048LL << 40, "2048.0 TiB"}};
  char out[16];
  for (size_t i = 0; i < sizeof AGES / sizeof *AGES; i++) {
    table_age(AGES[i].ms, out);
    if (AGES[i].text)
      assert_string_equal(out, AGES[i].text);
    else
      assert_true(strlen(out) < sizeof out);
  }
  for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
    table_size(SIZES[i].bytes, out);
    assert_string_equal(out, SIZES[i].text);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(columns_line_up),       cmocka_unit_test(width_counts_characters),
      cmocka_unit_test(no_control_characters), cmocka_unit_test(no_turned_writing),
      cmocka_unit_test(headings_alone),        cmocka_unit_test(free_without_print),
      cmocka_unit_test(ages_and_sizes),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
