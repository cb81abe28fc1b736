/* What all parts of the runtime share. There is one; it belongs to the loop's thread. */
#ifndef SANDPLANE_RUNTIME_RUNTIME_H_
#define SANDPLANE_RUNTIME_RUNTIME_H_

#include <stdbool.h>

#include "lib/base/error.h"
#include "lib/loop/loop.h"
#include "runtime/file/path.h"
#include "runtime/process/process.h"

typedef struct RuntimeConfig {
  const char *listen_unix;
  int64_t listen_fd;
  const char *http_address;
  const char *base_dir;
  int64_t exec_timeout_ms;
  const char *user;
  const char *sandbox_name;
  const char *log_level;
} RuntimeConfig;

typedef struct Runtime {
  const RuntimeConfig *config;
  Loop *loop;
  Workspace workspace;
  ProcessTable *processes;
  uid_t uid; /* of commands and of all file work; -1: our own */
  gid_t gid;
  /* Which sandbox this is, by the setting or else by the host name we started with; calls over HTTP's port must name
   * it. */
  char sandbox[254];
  bool calls_by_http; /* no socket takes calls alone, so HTTP's port takes them too */
  /* The one claim this sandbox serves in its life; empty until the first call. */
  char claim_uid[65];
  char **claim_env; /* "NAME=value", NULL-terminated */
} Runtime;

/* Our own environment, overridden by the claim's, overridden by extra (n pairs of name and value). A vector
 * that runtime_environ_free frees. */
char **runtime_environ(const Runtime *rt, const char *const *names, const char *const *values, size_t n);
/* Adds a name that is not there. Returns the vector, which may have moved. */
char **runtime_environ_default(char **env, const char *name, const char *value);
void runtime_environ_free(char **env);

/* File work happens as the sandbox's user, so that the runtime lends nobody its own rights: */
void runtime_become_user(const Runtime *rt);
void runtime_become_self(const Runtime *rt);

/* Binds the sandbox to its claim, once. 0; -1: PERMISSION_DENIED for another uid; FAILED_PRECONDITION when it is
 * unbound and has_values is false. */
int runtime_bind(Runtime *rt, const char *claim_uid, bool has_values, const char *const *names,
                 const char *const *values, size_t n, Error *err) MUST_CHECK;
/* Binds nothing. 0 unless it is bound to another claim than this one; an empty uid is of a sandbox that no claim has.
 * -1: PERMISSION_DENIED. */
int runtime_serves(const Runtime *rt, const char *claim_uid, Error *err) MUST_CHECK;

#endif
