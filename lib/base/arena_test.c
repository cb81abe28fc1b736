/* What an arena gives is zeroed, aligned and apart from all else it gave, also after a reset. */
#include "lib/base/arena.h"

#include <string.h>

#include "lib/base/test.h"

DEFINE_CLEANUP(Arena *, arena_freep, arena_free)

static void check_zeroed(const uint8_t *p, size_t n) {
  assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
  for (size_t i = 0; i < n; i++)
    assert_int_equal(p[i], 0);
}

static void sizes(void **state) {
  CLEANUP(arena_freep) Arena *arena = arena_new();
  static const size_t SIZES[] = {0, 1, 15, 16, 17, 2047, 2048, 2049, 65536, 65537, 1000000, 3};
  uint8_t *given[ARRAY_LEN(SIZES)];
  for (int round = 0; round < 3; round++) {
    for (size_t i = 0; i < ARRAY_LEN(SIZES); i++) {
      given[i] = arena_alloc(arena, SIZES[i]);
      check_zeroed(given[i], SIZES[i]);
      memset(given[i], (int)i + 1, SIZES[i]);
    }
    for (size_t i = 0; i < ARRAY_LEN(SIZES); i++)
      for (size_t k = 0; k < SIZES[i]; k++)
        assert_int_equal(given[i][k], i + 1);
    arena_reset(arena);
  }
}

static void many_small(void **state) {
  CLEANUP(arena_freep) Arena *arena = arena_new();
  char *first = arena_printf(arena, "%d", 0);
  for (int i = 1; i < 20000; i++)
    arena_printf(arena, "%d", i);
  assert_string_equal(first, "0");
}

static void strings(void **state) {
  CLEANUP(arena_freep) Arena *arena = arena_new();
  assert_string_equal(arena_strdup(arena, ""), "");
  assert_string_equal(arena_strdup(arena, "abc"), "abc");
  assert_string_equal(arena_strndup(arena, "abc", 2), "ab");
  assert_string_equal(arena_strndup(arena, "abc", 0), "");
  assert_string_equal(arena_printf(arena, "%s-%d", "a", 5), "a-5");
  char *padded = arena_printf(arena, "%05000d", 1);
  assert_int_equal(strlen(padded), 5000);
}

static void free_null(void **state) {
  arena_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(sizes),
      cmocka_unit_test(many_small),
      cmocka_unit_test(strings),
      cmocka_unit_test(free_null),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
