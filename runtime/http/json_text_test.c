/* Against what Python 3.11's json.dumps(data.decode(errors="replace"), ensure_ascii=False) and its decoder's error
 * gave. */
#include <stdlib.h>
#include <string.h>

#include "runtime/http/json_text.h"

#include "lib/base/test.h"

#define BAD "\xef\xbf\xbd"

static const struct {
  const char *in, *out, *error;
} CASES[] = {
    {"plain", "plain", ""},
    {"a\"b\\c\x01\t\x7f", "a\\\"b\\\\c\\u0001\\t\x7f", ""},
    {"10%\r50%\r\n\r\r\nx\n\n", "10%\\n50%\\n\\n\\nx\\n\\n", ""},
    {"na\xc3\xafve \xf0\x9f\x9a\x80", "na\xc3\xafve \xf0\x9f\x9a\x80", ""},
    {"ok \xc3\x28 ok", "ok " BAD "( ok",
     "'utf-8' codec can't decode byte 0xc3 in position 3: invalid continuation byte"},
    {"\xed\xa0\x80", BAD BAD BAD, "'utf-8' codec can't decode byte 0xed in position 0: invalid continuation byte"},
    {"a\xf0\x9f\x9a", "a" BAD, "'utf-8' codec can't decode bytes in position 1-3: unexpected end of data"},
    {"\xf0\x9f\x9ax", BAD "x", "'utf-8' codec can't decode bytes in position 0-2: invalid continuation byte"},
    {"\xc0\x80", BAD BAD, "'utf-8' codec can't decode byte 0xc0 in position 0: invalid start byte"},
    {"\xe2\xe2\x82\xac", BAD "\xe2\x82\xac",
     "'utf-8' codec can't decode byte 0xe2 in position 0: invalid continuation byte"},
    {"\xf4\x90\x80\x80", BAD BAD BAD BAD,
     "'utf-8' codec can't decode byte 0xf4 in position 0: invalid continuation byte"},
    {"\xe2\r\n", BAD "\\n", "'utf-8' codec can't decode byte 0xe2 in position 0: invalid continuation byte"},
};

static void any_cut_gives_what_python_gives(void **state) {
  for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
    size_t len = strlen(CASES[i].in);
    for (size_t cut = 0; cut <= len; cut++) {
      const uint8_t *in = (const uint8_t *)CASES[i].in;
      JsonText t = {0};
      Buf out = BUF_INIT(0);
      assert_int_equal(json_text_feed(&t, in, cut, &out), 0);
      assert_int_equal(json_text_feed(&t, in + cut, len - cut, &out), 0);
      assert_int_equal(json_text_end(&t, &out), 0);
      assert_string_equal(buf_str(&out), CASES[i].out);
      assert_string_equal(t.error, CASES[i].error);
      buf_deinit(&out);
    }
  }
}

static void names_keep_their_line_ends(void **state) {
  char *quoted = json_text_quote("a\r\nb\xff\""), *repaired = json_text_repair("a\r\nb\xff\"");
  assert_string_equal(quoted, "\"a\\r\\nb" BAD "\\\"\"");
  assert_string_equal(repaired, "a\r\nb" BAD "\"");
  free(quoted);
  free(repaired);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(any_cut_gives_what_python_gives),
                                     cmocka_unit_test(names_keep_their_line_ends)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
