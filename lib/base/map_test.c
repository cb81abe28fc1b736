/* Against an array of what should be there, with keys that come back. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/compiler.h"
#include "lib/base/map.h"
#include "lib/base/test.h"

enum { KEYS = 500, STEPS = 50000 };

static void key_of(size_t i, char key[16]) {
  snprintf(key, 16, "ns/p%zu", i);
}

static void it_holds_what_was_put(void **state) {
  CLEANUP(map_freep) Map *map = map_new();
  static char values[KEYS * 2];
  void *model[KEYS] = {0};
  size_t count = 0;
  char key[16];
  for (int step = 0; step < STEPS; step++) {
    size_t i = (size_t)rand() % KEYS;
    void *value = &values[rand() % (KEYS * 2)];
    key_of(i, key);
    assert_ptr_equal(map_get(map, key), model[i]);
    if (rand() % 2) {
      assert_ptr_equal(map_put(map, key, value), model[i]);
      count += !model[i];
      model[i] = value;
    } else {
      assert_ptr_equal(map_remove(map, key), model[i]);
      count -= model[i] != NULL;
      model[i] = NULL;
    }
    memset(key, 'x', sizeof key - 1); /* the map has a copy */
    assert_int_equal(map_count(map), count);
  }
  assert_true(count > 0);
}

typedef struct Told {
  Map *map;
  size_t n;
} Told;

static void drop(void *arg, const char *key, void *value) {
  Told *told = arg;
  told->n++;
  assert_string_equal(key, value);
  assert_ptr_equal(map_remove(told->map, (const char *)value), value);
}

static void each_may_be_removed_as_it_is_told(void **state) {
  CLEANUP(map_freep) Map *map = map_new();
  static char keys[KEYS][16];
  for (size_t i = 0; i < KEYS; i++) {
    key_of(i, keys[i]);
    assert_null(map_put(map, keys[i], keys[i]));
  }
  Told told = {.map = map};
  map_each(map, drop, &told);
  assert_int_equal(told.n, KEYS);
  assert_int_equal(map_count(map), 0);
  assert_null(map_get(map, ""));
  assert_null(map_put(map, "", &told));
  assert_ptr_equal(map_get(map, ""), &told);
  map_free(NULL);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(it_holds_what_was_put),
      cmocka_unit_test(each_may_be_removed_as_it_is_told),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
