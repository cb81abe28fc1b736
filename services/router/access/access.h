/* Who may come in, by which door: the settings of both, and the judgement of the HTTP door.
 *
 * API keys and tenants' tokens open both doors; the router token and scoped tokens open HTTP alone. With nothing set
 * both are open. Anything that is set locks both, unless a flag says that one is meant to be open beside the other:
 * half a lock would be worth nothing, and nobody would know. So gRPC is shut where only HTTP has something that opens
 * it. Never changes but for what its store reads anew, so any thread may ask. Tokens are never logged or passed on.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_ACCESS_ACCESS_H_
#define SANDPLANE_SERVICES_ROUTER_ACCESS_ACCESS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/authz/authz_sources.h"
#include "lib/base/error.h"
#include "lib/http/http_reader.h"
#include "services/router/target.h"

/* "" or NULL: not given. */
typedef struct AccessSettings {
  const char *keys_file, *tokens_file;
  const char *mode;                   /* allow-all or scoped-token */
  const char *bearer;                 /* the router token; surrounding blanks are dropped */
  const char *secret_file;            /* of scoped tokens v1 */
  const char *verification_keys_file; /* of v2 */
  const char *v1_accept_until;        /* RFC 3339; needed where both kinds are taken */
  bool http_open, grpc_open;
} AccessSettings;

typedef struct Access Access;

/* NULL and err (INVALID_ARGUMENT, with the flag): a setting that cannot be used, or two that exclude each other. */
Access *access_new(const AccessSettings *settings, Error *err);
void access_free(Access *access); /* NULL-safe */

bool access_http_is_open(const Access *access);
bool access_grpc_is_open(const Access *access);
/* API keys and tenants' tokens; NULL: there are none. */
AuthzStore *access_store(const Access *access);

/* What stands behind "Bearer" and blanks in an Authorization header, in that header's memory; NULL: it is of another
 * kind, or empty. */
const char *access_credential(const char *authorization);

typedef struct AccessDenial {
  int status; /* 0: allowed */
  const char *detail;
} AccessDenial;

/* Of HTTP, before the routing headers are looked at: whether the credential is any. With scoped tokens the headers come
 * first, as in the Agent Sandbox router, and this says nothing. */
AccessDenial access_check_caller(const Access *access, const HttpHead *head, int64_t now_s);
/* After: whether it is good for this target. What only the sandbox's record can tell is left in the target, as pass.
 */
AccessDenial access_check_target(const Access *access, const HttpHead *head, int64_t now_s, Target *target);
/* The same of a credential that came another way, a cookie's or a query's; NULL: none. */
AccessDenial access_judge(const Access *access, const char *credential, const HttpHead *head, int64_t now_s,
                          Target *target);

#endif
