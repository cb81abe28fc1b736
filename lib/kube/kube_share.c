/* See kube_share.h. */
#include "lib/kube/kube_share.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

/* Two places for a value, so that one that is seen once does not drive out one that is seen all the time. */
enum { N_SETS = 2048, N_WAYS = 2 };

typedef struct Place {
  uint64_t hash;
  json_t *value;
} Place;

struct KubeShare {
  Place places[N_SETS][N_WAYS]; /* the most recently used first */
};

static uint64_t mix(uint64_t hash, uint64_t with) {
  hash = (hash ^ with) * UINT64_C(0x9e3779b97f4a7c15);
  return hash ^ hash >> 29;
}

static uint64_t hash_text(uint64_t hash, const char *s, size_t len) {
  for (size_t i = 0; i < len; i++)
    hash = (hash ^ (unsigned char)s[i]) * UINT64_C(0x100000001b3);
  return mix(hash, len);
}

/* The remembered value that equals it, or itself, remembered; borrowed. */
static json_t *remember(KubeShare *share, json_t *value, uint64_t hash) {
  Place *set = share->places[hash % N_SETS];
  size_t at = 0;
  while (at < N_WAYS - 1 && !(set[at].hash == hash && set[at].value && json_equal(set[at].value, value)))
    at++;
  Place found = set[at];
  if (!(found.hash == hash && found.value && json_equal(found.value, value))) {
    json_decref(found.value);
    found = (Place){hash, json_incref(value)};
  }
  memmove(set + 1, set, at * sizeof *set);
  set[0] = found;
  return found.value;
}

/* Shares the parts of a value, then returns its hash; depth 0: the object itself. */
static uint64_t share_parts(KubeShare *share, json_t *value, int depth);

/* What stands for a part: shared, unless it is the object's own (the whole of a spec is often that of others). */
static json_t *shared(KubeShare *share, json_t *part, const char *key, int depth, uint64_t *ret_hash) {
  *ret_hash = share_parts(share, part, depth);
  bool own = depth < 2 && !json_is_string(part) && strcmp(key, "spec") != 0;
  bool worth_it = json_is_string(part) || json_is_object(part) || json_is_array(part) || json_is_integer(part);
  return own || !worth_it ? part : remember(share, part, *ret_hash);
}

static uint64_t share_object(KubeShare *share, json_t *object, int depth) {
  const char *key;
  json_t *part;
  uint64_t hash = 7, of_part;
  json_object_foreach(object, key, part) {
    json_t *other = shared(share, part, key, depth + 1, &of_part);
    if (other != part)
      json_object_iter_set(object, json_object_key_to_iter(key), other);
    /* a sum: the order of keys does not matter to equality */
    hash += mix(hash_text(UINT64_C(0xcbf29ce484222325), key, strlen(key)), of_part);
  }
  return mix(hash, json_object_size(object));
}

static uint64_t share_array(KubeShare *share, json_t *array, int depth) {
  size_t i;
  json_t *part;
  uint64_t hash = 11, of_part;
  json_array_foreach(array, i, part) {
    json_t *other = shared(share, part, "", depth + 1, &of_part);
    if (other != part)
      json_array_set(array, i, other);
    hash = mix(hash, of_part);
  }
  return mix(hash, json_array_size(array));
}

static uint64_t share_parts(KubeShare *share, json_t *value, int depth) {
  switch (json_typeof(value)) {
  case JSON_OBJECT:
    return share_object(share, value, depth);
  case JSON_ARRAY:
    return share_array(share, value, depth);
  case JSON_STRING:
    return hash_text(UINT64_C(0x84222325cbf29ce4), json_string_value(value), json_string_length(value));
  case JSON_INTEGER:
    return mix(3, (uint64_t)json_integer_value(value));
  default:
    return mix(5, (uint64_t)json_typeof(value));
  }
}

void kube_share(KubeShare *share, json_t *object) {
  share_parts(share, object, 0);
}

KubeShare *kube_share_new(void) {
  KubeShare *share = new0(KubeShare);
  return share;
}

void kube_share_free(KubeShare *share) {
  if (!share)
    return;
  for (size_t i = 0; i < N_SETS; i++)
    for (size_t k = 0; k < N_WAYS; k++)
      json_decref(share->places[i][k].value);
  free(share);
}
