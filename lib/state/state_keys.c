/* See state_keys.h. */
#include "lib/state/state_keys.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

void state_key_pool(char out[STATE_KEY_MAX], const char *ns, const char *pool, const char *suffix) {
  snprintf(out, STATE_KEY_MAX, "sp:{%s}/%s:%s", ns, pool, suffix);
}

void state_key_template(char out[STATE_KEY_MAX], const char *ns, const char *name) {
  snprintf(out, STATE_KEY_MAX, "sp:template:%s/%s", ns, name);
}

bool state_pool_of(const char *id, char *out) {
  const char *hyphen = strrchr(id, '-');
  if (!hyphen || hyphen == id || strlen(hyphen + 1) != STATE_SUFFIX_LEN || (size_t)(hyphen - id) > STATE_POOL_NAME_MAX)
    return false;
  memcpy(out, id, (size_t)(hyphen - id));
  out[hyphen - id] = 0;
  return str_is_dns_label(out);
}

const char *state_name_split(const char *text, char ret_ns[STATE_NAME_MAX + 1]) {
  const char *slash = strchr(text, '/');
  if (!slash || slash - text > STATE_NAME_MAX)
    return NULL;
  memcpy(ret_ns, text, (size_t)(slash - text));
  ret_ns[slash - text] = 0;
  return slash + 1;
}
