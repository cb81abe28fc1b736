/* What every test program begins with: the headers of cmocka in the order it needs, and what it lacks. Tests and
 * fixtures include this, never <cmocka.h>. Whatever is refused here ends the test that runs, as cmocka's own asserts
 * do. */
#ifndef SANDPLANE_LIB_BASE_TEST_H_
#define SANDPLANE_LIB_BASE_TEST_H_

// clang-format off
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
// clang-format on

/* A test between the setup() and teardown() of its file. */
#define TEST(fn) cmocka_unit_test_setup_teardown(fn, setup, teardown)

/* A call that fills *err when it fails: what it says then is printed. */
#define assert_ok(call, err)                                   \
  do {                                                         \
    int test_rc_ = (call);                                     \
    if (test_rc_ != 0)                                         \
      fail_msg("%s: %d, %s", #call, test_rc_, (err)->message); \
  } while (0)

/* Both print what was looked through; a text that is NULL contains nothing, and fails either. */
#define assert_contains(text, part) test_assert_contains((text), (part), 1, __FILE__, __LINE__)
#define assert_lacks(text, part) test_assert_contains((text), (part), 0, __FILE__, __LINE__)
void test_assert_contains(const char *text, const char *part, int is_wanted, const char *file, int line);

/* What a timer of the loop calls when nothing comes: prints so and aborts, from whatever a test is in. */
void test_on_limit(void *arg);

/* A new folder in /tmp, whose name leaves room for that of a socket; the caller removes it. */
void test_folder(char path[64]);
/* FOLDER/NAME is this text then. */
void test_write_file(const char *folder, const char *name, const char *text);

#endif
