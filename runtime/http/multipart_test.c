/* The form parser, with every way its bytes can be cut. */
#include <string.h>

#include "runtime/http/multipart.h"

#include "lib/base/test.h"

typedef struct Got {
  char filename[64];
  Buf data;
} Got;

static int on_file(void *arg, const char *filename, Error *err) {
  Got *g = arg;
  strncpy(g->filename, filename, sizeof g->filename - 1);
  return 0;
}

static int on_data(void *arg, const uint8_t *data, size_t len, Error *err) {
  return buf_append(&((Got *)arg)->data, data, len);
}

static int feed(const char *type, const char *body, size_t len, size_t cut, Got *g, bool *complete) {
  Multipart m = {0};
  Error err;
  memset(g, 0, sizeof *g);
  if (multipart_init(&m, type, &err))
    return -2;
  m.on_file = on_file;
  m.on_data = on_data;
  m.arg = g;
  int rc = multipart_feed(&m, (const uint8_t *)body, cut, &err);
  if (rc == 0)
    rc = multipart_feed(&m, (const uint8_t *)body + cut, len - cut, &err);
  *complete = multipart_complete(&m);
  multipart_deinit(&m);
  return rc;
}

static const char TYPE[] = "multipart/form-data; boundary=b1";
static void any_cut_gives_the_same(void **state) {
  static const char SOUND[] =
      "preamble\r\n--b1\r\nContent-Disposition: form-data; name=\"other\"\r\n\r\nignored\r\n--b1 \r\n"
      "content-disposition: form-data; name=\"file\"; filename=\"dir/a \\\"b\\\".txt\"\r\nContent-Type: x/y\r\n\r\n"
      "data\r\n--b\r\n--b1x\r\n--b1-\r\n--b1\r-\r\n\r\n--b1--\r\nepilogue";
  static const char DATA[] = "data\r\n--b\r\n--b1x\r\n--b1-\r\n--b1\r-\r\n";
  for (size_t cut = 0; cut < sizeof SOUND; cut++) {
    Got g;
    bool complete = false;
    assert_int_equal(feed(TYPE, SOUND, sizeof SOUND - 1, cut < sizeof SOUND - 1 ? cut : 0, &g, &complete), 0);
    assert_true(complete);
    assert_string_equal(g.filename, "dir/a \"b\".txt");
    assert_int_equal(g.data.len, strlen(DATA));
    assert_memory_equal(g.data.data, DATA, g.data.len);
    buf_deinit(&g.data);
  }
}

static void malformed_forms(void **state) {
  Got g;
  bool complete = false;
  assert_int_equal(feed("text/plain", "", 0, 0, &g, &complete), -2);
  assert_int_equal(feed("multipart/form-data", "", 0, 0, &g, &complete), -2);
  assert_int_equal(feed(TYPE, "--b1\r\nname", 10, 0, &g, &complete), 0);
  assert_false(complete);
  static char huge[40000] = "--b1\r\n";
  memset(huge + 6, 'x', sizeof huge - 6);
  assert_int_equal(feed(TYPE, huge, sizeof huge, 100, &g, &complete), -1);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(any_cut_gives_the_same), cmocka_unit_test(malformed_forms)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
