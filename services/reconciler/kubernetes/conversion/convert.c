/* See convert.h. */
#include "services/reconciler/kubernetes/conversion/convert.h"

#include <string.h>

#include "lib/kube/kube_object.h"

/* The value at the path, NULL when there is none or it is null; -1 when the way leads through no map. */
static int find(const json_t *object, const char *path, json_t **ret_value, Error *err) {
  const char *key = path;
  *ret_value = NULL;
  for (;;) {
    if (!object || json_is_null(object))
      return 0;
    if (!json_is_object(object))
      return error_field(err, path, "%s does not lead through maps", path);
    size_t n = strcspn(key, ".");
    object = json_object_getn(object, key, n);
    if (!key[n])
      break;
    key += n + 1;
  }
  *ret_value = json_is_null(object) ? NULL : (json_t *)object;
  return 0;
}

int convert_map(const json_t *object, const char *path, json_t **ret_map, Error *err) {
  if (find(object, path, ret_map, err))
    return -1;
  if (*ret_map && !json_is_object(*ret_map))
    return error_field(err, path, "%s is not a map", path);
  return 0;
}

static int text_of(const json_t *value, const char *what, const char **ret_text, Error *err) {
  *ret_text = json_string_value(value);
  /* what is compared and cut below are names, which have no NUL */
  if (value && (!*ret_text || strlen(*ret_text) != json_string_length(value)))
    return error_field(err, what, "%s is not a string", what);
  return 0;
}

int convert_text(const json_t *object, const char *path, const char **ret_text, Error *err) {
  json_t *value;
  return find(object, path, &value, err) ? -1 : text_of(value, path, ret_text, err);
}

int convert_int(const json_t *object, const char *path, int64_t *ret_value, Error *err) {
  json_t *value;
  if (find(object, path, &value, err))
    return -1;
  *ret_value = value ? json_integer_value(value) : CONVERT_NO_INT;
  if (value && (!json_is_integer(value) || *ret_value < INT32_MIN || *ret_value > INT32_MAX))
    return error_field(err, path, "%s is not an integer of 32 bits", path);
  return 0;
}

int convert_annotation(const json_t *object, const char *key, const char **ret_value, Error *err) {
  json_t *map;
  if (convert_map(object, "metadata.annotations", &map, err))
    return -1;
  return text_of(json_object_get(map, key), key, ret_value, err);
}

void convert_remove_annotation(json_t *object, const char *key) {
  json_t *map = kube_get(object, "metadata.annotations");
  if (json_object_del(map, key) == 0 && json_object_size(map) == 0)
    convert_remove(object, "metadata", "annotations");
}

void convert_remove(json_t *object, const char *parent, const char *key) {
  json_object_del(json_object_get(object, parent), key);
}
