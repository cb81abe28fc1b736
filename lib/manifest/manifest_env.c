/* See manifest_env.h. */
#include "lib/manifest/manifest_env.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/str.h"

/* NULL: there is none of that name. */
static const char *value_of(const char *name, size_t len, const ManifestEnv *env, size_t n_env) {
  for (size_t i = n_env; i > 0; i--)
    if (strlen(env[i - 1].name) == len && memcmp(env[i - 1].name, name, len) == 0)
      return env[i - 1].value;
  return NULL;
}

char *manifest_env_expand(const char *value, const ManifestEnv *env, size_t n_env) {
  CLEANUP(buf_deinit) Buf out = BUF_INIT(MANIFEST_ENV_MAX);
  for (const char *p = value; *p;) {
    size_t plain = strcspn(p, "$"), used;
    const char *put = "", *end;
    if (buf_append(&out, p, plain) != 0)
      return NULL;
    p += plain;
    if (!*p)
      break;
    if (p[1] == '$') {
      put = "$";
      used = 2;
    } else if (p[1] == '(' && (end = strchr(p, ')'))) {
      used = (size_t)(end - p) + 1;
      put = value_of(p + 2, used - 3, env, n_env);
    } else {
      put = NULL;
      used = 1;
    }
    int rc = put ? buf_append_str(&out, put) : buf_append(&out, p, used);
    if (rc != 0)
      return NULL;
    p += used;
  }
  return str_dup(buf_str(&out));
}
