/* Mutations of a JSON text as a value: a part of another type, one that is gone, one from another place. Bytes that
 * are flipped in such a text mostly give no JSON, and never reach what reads the objects. */
#include <jansson.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed);

/* Past the stack of a decoder that recurses is not what this looks for: the parser has a limit of its own. */
enum { MAX_VALUES = 4096 };

typedef struct Place {
  json_t *parent; /* an object with key, or an array with index */
  const char *key;
  size_t index;
} Place;

static Place places[MAX_VALUES];
static size_t n_places;
static uint32_t random_state;

static size_t below(size_t n) {
  random_state = random_state * 1664525u + 1013904223u;
  return (size_t)(random_state >> 8) % n;
}

static void collect(json_t *value) {
  const char *key;
  json_t *child;
  size_t i;
  json_object_foreach(value, key, child) {
    if (n_places == MAX_VALUES)
      return;
    places[n_places++] = (Place){.parent = value, .key = key};
    collect(child);
  }
  json_array_foreach(value, i, child) {
    if (n_places == MAX_VALUES)
      return;
    places[n_places++] = (Place){.parent = value, .index = i};
    collect(child);
  }
}

static json_t *value_at(const Place *p) {
  return p->key ? json_object_get(p->parent, p->key) : json_array_get(p->parent, p->index);
}

static json_t *odd_string(void) {
  static const char *const ODD[] = {"",
                                    "a",
                                    ".",
                                    "/",
                                    "a/b",
                                    "-",
                                    "0",
                                    "-1",
                                    "1Gi",
                                    "0.5",
                                    "99999999999999999999Ei",
                                    "true",
                                    "True",
                                    "False",
                                    "None",
                                    "Delete",
                                    "Retain",
                                    "Suspended",
                                    "Running",
                                    "2026-01-31T12:00:00Z",
                                    "2026-01-31T12:00:00.123456789+14:00",
                                    "9999-12-31T23:59:59Z",
                                    "0000-00-00T00:00:00Z",
                                    "{}",
                                    "[]",
                                    "{\"spec\":[]}",
                                    "null",
                                    "\xf0\x9f\x98\x80",
                                    "%s%n",
                                    "a\nb",
                                    "sandbox.users.io/x",
                                    "agents.x-k8s.io/x",
                                    "SandboxWarmPool",
                                    "Sandbox"};
  if (below(8) > 0)
    return json_string(ODD[below(sizeof ODD / sizeof *ODD)]);
  /* longer than any name may be, and than the buffers that hold one */
  char text[700];
  size_t n = below(sizeof text);
  memset(text, 'x', n);
  return json_stringn(text, n);
}

static json_t *odd_value(void) {
  static const json_int_t INTS[] = {0, 1, -1, 65535, 65536, INT32_MAX, INT32_MIN, INT64_MAX, INT64_MIN, 253402300800};
  switch (below(10)) {
  case 0:
    return json_null();
  case 1:
    return json_boolean(below(2));
  case 2:
    return json_integer(INTS[below(sizeof INTS / sizeof *INTS)]);
  case 3:
    return json_real(below(2) ? 1e308 : -0.5);
  case 4:
    return json_array();
  case 5:
    return json_object();
  case 6:
    return json_pack("[n,s,i,{}]", "a", 1);
  case 7:
    return json_pack("{s:n,s:{s:s}}", "a", "name", "b", "c");
  default:
    return odd_string();
  }
}

static void put(const Place *p, json_t *value) {
  if (p->key)
    json_object_set_new(p->parent, p->key, value);
  else
    json_array_set_new(p->parent, p->index, value);
}

static void change(void) {
  const Place *p = &places[below(n_places)], *from = &places[below(n_places)];
  json_t *value = value_at(p);
  switch (below(8)) {
  case 0: /* gone */
    if (p->key)
      json_object_del(p->parent, p->key);
    else
      json_array_remove(p->parent, p->index);
    break;
  case 1:
    put(p, json_deep_copy(value_at(from)));
    break;
  case 2: /* one more of it */
    if (!p->key)
      json_array_insert_new(p->parent, p->index, json_deep_copy(value));
    else if (json_is_array(value))
      json_array_append_new(value, odd_value());
    else
      put(p, odd_value());
    break;
  case 3: /* a key of another object */
    if (from->key && json_is_object(value))
      json_object_set_new(value, from->key, json_deep_copy(value_at(from)));
    else
      put(p, odd_value());
    break;
  case 4: /* wrapped */
    put(p, json_pack("[O]", value));
    break;
  case 5:
    put(p, odd_string());
    break;
  default:
    put(p, odd_value());
  }
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t max, unsigned seed) {
  random_state = seed;
  json_t *root = below(20) == 0 ? NULL : json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL);
  if (!root)
    return LLVMFuzzerMutate(data, size, max);
  for (size_t i = 1 + below(3); i > 0; i--) {
    n_places = 0;
    collect(root);
    if (n_places > 0)
      change();
  }
  size_t len = json_dumpb(root, (char *)data, max, JSON_COMPACT);
  /* too large now: json_dumpb wrote what had room */
  if (len > max)
    len = max;
  json_decref(root);
  return len;
}
