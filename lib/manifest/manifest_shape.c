/* See manifest_shape in manifest.h. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "lib/manifest/manifest.h"

/* 2^50: a petabyte, and far below what a double in the state's scripts holds exactly. */
#define AMOUNT_MAX (INT64_C(1) << 50)

/* In units, or thousandths of one where milli. */
static int64_t amount(const json_t *container, const char *name, bool milli) {
  const json_t *resources = json_object_get(container, "resources");
  const json_t *value = json_object_get(json_object_get(resources, "requests"), name);
  if (!value)
    value = json_object_get(json_object_get(resources, "limits"), name);
  char number[32];
  const char *text = json_string_value(value);
  if (json_is_number(value)) {
    snprintf(number, sizeof number, "%.15g", json_number_value(value));
    text = number;
  }
  int64_t n = 0;
  if (!value)
    return 0;
  /* what cannot be read is never counted as less than it is */
  if (!text || manifest_quantity(text, &n) != 0)
    return AMOUNT_MAX;
  n = milli ? n : n / 1000;
  return n < AMOUNT_MAX ? n : AMOUNT_MAX;
}

void manifest_shape(const char *json, char out[MANIFEST_SHAPE_MAX]) {
  out[0] = 0;
  json_t *root = json_loads(json, 0, NULL);
  const json_t *spec = json_object_get(root, "spec");
  const json_t *pod = json_object_get(spec ? spec : root, "podTemplate");
  const json_t *containers = json_object_get(json_object_get(pod, "spec"), "containers"), *container;
  int64_t cpu = 0, memory = 0;
  size_t i;
  json_array_foreach(containers, i, container) {
    cpu += amount(container, "cpu", true);
    memory += amount(container, "memory", false);
    if (cpu > AMOUNT_MAX)
      cpu = AMOUNT_MAX;
    if (memory > AMOUNT_MAX)
      memory = AMOUNT_MAX;
  }
  if (pod)
    snprintf(out, MANIFEST_SHAPE_MAX, "%" PRId64 "/%" PRId64, cpu, memory);
  json_decref(root);
}
