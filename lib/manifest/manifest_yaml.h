/* One YAML document (JSON is YAML) as a jansson value. */
#ifndef SANDPLANE_LIB_MANIFEST_MANIFEST_YAML_H_
#define SANDPLANE_LIB_MANIFEST_MANIFEST_YAML_H_

#include <jansson.h>

#include "lib/base/error.h"

/* NULL and err: INVALID_ARGUMENT with line and column. Refused: anchors and aliases (their expansion has no
 * bound), tags, duplicate keys, keys that are no strings, more than one document, nesting above 64. */
json_t *manifest_yaml_load(const char *text, size_t len, Error *err);

#endif
