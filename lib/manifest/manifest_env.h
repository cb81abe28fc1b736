/* $(VAR) in the value of an environment variable, as Kubernetes has it. */
#ifndef SANDPLANE_LIB_MANIFEST_MANIFEST_ENV_H_
#define SANDPLANE_LIB_MANIFEST_MANIFEST_ENV_H_

#include "lib/manifest/manifest.h"

/* What one string of a process's environment may have: Linux' MAX_ARG_STRLEN. */
enum { MANIFEST_ENV_MAX = 128 << 10 };

/* value with the variables of env in the place of "$(NAME)", the last one of a name; "$$" stands for "$", so that
 * "$$(NAME)" is a way to write "$(NAME)"; a name that is not among them stays as it is written. The caller frees it.
 * NULL: longer than MANIFEST_ENV_MAX. */
char *manifest_env_expand(const char *value, const ManifestEnv *env, size_t n_env);

#endif
