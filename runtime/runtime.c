/* See runtime.h. */
#include "runtime/runtime.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "runtime/process/identity.h"

extern char **environ;

static size_t name_len(const char *entry) {
  return strcspn(entry, "=");
}

/* Sets one entry of a vector with room for it, replacing one of the same name. Takes the entry over. */
static void put_entry(char **env, size_t *n, char *entry) {
  size_t len = name_len(entry);
  for (size_t i = 0; i < *n; i++) {
    if (name_len(env[i]) != len || memcmp(env[i], entry, len) != 0)
      continue;
    free(env[i]);
    env[i] = entry;
    return;
  }
  env[(*n)++] = entry;
}

static size_t count(char *const *v) {
  size_t n = 0;
  while (v && v[n])
    n++;
  return n;
}

char **runtime_environ(const Runtime *rt, const char *const *names, const char *const *values, size_t n) {
  char **env = xcalloc(count(environ) + count(rt->claim_env) + n + 1, sizeof *env);
  size_t len = 0;
  for (char **e = environ; *e; e++)
    put_entry(env, &len, str_dup(*e));
  for (char **e = rt->claim_env; e && *e; e++)
    put_entry(env, &len, str_dup(*e));
  for (size_t i = 0; i < n; i++)
    put_entry(env, &len, str_printf("%s=%s", names[i], values[i]));
  return env;
}

char **runtime_environ_default(char **env, const char *name, const char *value) {
  size_t n = count(env), len = strlen(name);
  for (size_t i = 0; i < n; i++)
    if (name_len(env[i]) == len && memcmp(env[i], name, len) == 0)
      return env;
  env = xrealloc(env, (n + 2) * sizeof *env);
  env[n] = str_printf("%s=%s", name, value);
  env[n + 1] = NULL;
  return env;
}

void runtime_environ_free(char **env) {
  for (char **e = env; e && *e; e++)
    free(*e);
  free(env);
}

void runtime_become_user(const Runtime *rt) {
  identity_assume(rt->uid, rt->gid);
}

void runtime_become_self(const Runtime *rt) {
  identity_restore(rt->uid);
}

int runtime_serves(const Runtime *rt, const char *claim_uid, Error *err) {
  if (*rt->claim_uid && *claim_uid && strcmp(rt->claim_uid, claim_uid) != 0)
    return error_set(err, ERROR_PERMISSION_DENIED, "this sandbox serves another claim");
  return 0;
}

int runtime_bind(Runtime *rt, const char *claim_uid, bool has_values, const char *const *names,
                 const char *const *values, size_t n, Error *err) {
  if (str_empty(claim_uid) || strlen(claim_uid) >= sizeof rt->claim_uid)
    return error_field(err, "claim_uid", "must have 1 to %zu characters", sizeof rt->claim_uid - 1);
  if (*rt->claim_uid)
    return runtime_serves(rt, claim_uid, err);
  if (!has_values)
    return error_set(err, ERROR_FAILED_PRECONDITION, "unbound");
  for (size_t i = 0; i < n; i++)
    if (!str_is_env_name(names[i]))
      return error_field(err, "bind.env", "\"%s\" is not a name of an environment variable", names[i]);
  rt->claim_env = xcalloc(n + 1, sizeof *rt->claim_env);
  for (size_t i = 0; i < n; i++)
    rt->claim_env[i] = str_printf("%s=%s", names[i], values[i]);
  snprintf(rt->claim_uid, sizeof rt->claim_uid, "%s", claim_uid);
  return 0;
}
