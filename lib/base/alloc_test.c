/* What is not to be had ends the program, and nothing else does. */
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/compiler.h"
#include "lib/base/test.h"

typedef struct Thing {
  char *name;
  long n[3];
} Thing;

static void what_is_new_is_zeroed(void **state) {
  Thing *t = new0(Thing), none = {0};
  assert_memory_equal(t, &none, sizeof none);
  free(t);
  for (size_t i = 0; i < 2; i++) {
    void *empty[] = {xmalloc(0), xcalloc(0, i), xrealloc(xmalloc(8), 0)};
    for (size_t k = 0; k < ARRAY_LEN(empty); k++) {
      assert_non_null(empty[k]);
      free(empty[k]);
    }
  }
  char *p = xrealloc(NULL, 3);
  memcpy(p, "ab", 3);
  p = xreallocarray(p, 1000, 1000);
  assert_string_equal(p, "ab");
  free(p);
}

/* Whether a child that asks for too much ends there. */
static bool ends(void *(*ask)(size_t much)) {
  pid_t pid = fork();
  assert_true(pid >= 0);
  if (pid == 0) {
    close(2); /* a sanitizer's own words */
    ask(SIZE_MAX / 4);
    _exit(0);
  }
  int status = 0;
  assert_int_equal(waitpid(pid, &status, 0), pid);
  return status != 0; /* by a signal, or as a sanitizer ends it */
}

static void *too_much(size_t much) {
  return xmalloc(much);
}

static void *too_many(size_t much) {
  return xcalloc(much, 8);
}

static void *too_long(size_t much) {
  return xreallocarray(NULL, much, 8);
}

static void what_is_not_to_be_had_ends_it(void **state) {
  assert_true(ends(too_much));
  assert_true(ends(too_many));
  assert_true(ends(too_long));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(what_is_new_is_zeroed),
      cmocka_unit_test(what_is_not_to_be_had_ends_it),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
