/* All principals of the files that an installation has, and whose a credential is.
 *
 * AuthzSources is one reading: it never changes, and any thread may look something up. AuthzStore holds the newest one.
 * A reader takes a reference and keeps it for as long as it uses a principal; a reload puts another reading in its
 * place and touches none that is held. A file that cannot be used, or may not be trusted, changes nothing.
 */
#ifndef SANDPLANE_LIB_AUTHZ_AUTHZ_SOURCES_H_
#define SANDPLANE_LIB_AUTHZ_AUTHZ_SOURCES_H_

#include <stddef.h>
#include <stdint.h>

#include "lib/authz/authz.h"

/* Of --tenant-tokens-file: "TENANT TOKEN [admin]". */
enum {
  AUTHZ_TOKENS_MAX = 1000,
  AUTHZ_TOKEN_MIN = 16, /* bytes; shorter ones can be guessed */
  AUTHZ_TOKEN_MAX = 512,
};

#define AUTHZ_KEYS_OPTION "--api-keys-file"
#define AUTHZ_TOKENS_OPTION "--tenant-tokens-file"

typedef struct AuthzSources AuthzSources;

/* Whose it is. -1: UNAUTHENTICATED, and the same words whether there is no such key or another secret. */
int authz_sources_find(const AuthzSources *sources, const char *credential, int64_t now_s,
                       const AuthzPrincipal **ret_who, Error *err) MUST_CHECK;
/* How many keys and tokens there are. */
size_t authz_sources_count(const AuthzSources *sources);
void authz_sources_release(AuthzSources *sources); /* NULL-safe; any thread */

typedef struct AuthzStore AuthzStore;

/* "" or NULL: no such file. -1 with INVALID_ARGUMENT: what cannot be used. A file of keys may be empty, and lets nobody
 * in; one of tokens may not, as it never could. *ret_store is NULL when neither is given. */
int authz_store_new(const char *keys_path, const char *tokens_path, AuthzStore **ret_store, Error *err) MUST_CHECK;
void authz_store_free(AuthzStore *store); /* NULL-safe; readings that are held live on */
/* A reference, for authz_sources_release. */
AuthzSources *authz_store_take(AuthzStore *store);
/* Looks whether the files have changed. 0: not; 1: the new reading is in place; -1: err says why the old one stays,
 * once for each change. One thread. */
int authz_store_reload(AuthzStore *store, Error *err) MUST_CHECK;

#endif
