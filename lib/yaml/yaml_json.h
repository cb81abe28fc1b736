/* One YAML document (JSON is YAML) as a jansson value: manifests and kubeconfig files. */
#ifndef SANDPLANE_LIB_YAML_YAML_JSON_H_
#define SANDPLANE_LIB_YAML_YAML_JSON_H_

#include <jansson.h>

#include "lib/base/error.h"

/* NULL and err: INVALID_ARGUMENT with line and column. Refused: anchors and aliases (their expansion has no
 * bound), tags, duplicate keys, keys that are no strings, more than one document, nesting above 64. */
json_t *yaml_json_load(const char *text, size_t len, Error *err);

#endif
