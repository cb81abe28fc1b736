/* Who may reach a sandbox over HTTP.
 *
 * allow-all: anybody, or, with a router token, whoever presents it. scoped-token: whoever presents a token
 * for that very sandbox. Decided per request; tokens are never logged or passed on.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_ACCESS_AUTHZ_H_
#define SANDPLANE_SERVICES_ROUTER_ACCESS_AUTHZ_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/http/http_reader.h"
#include "services/router/target.h"

typedef struct Authz {
  bool scoped;
  const char *bearer; /* NULL: none */
  Buf secret;
} Authz;

typedef struct AuthzDenial {
  int status; /* 0: allowed */
  const char *detail;
} AuthzDenial;

/* mode: "allow-all" or "scoped-token", which reads secret_file (whitespace around it is dropped; at least 32
 * bytes must be left). bearer: surrounding blanks are dropped, empty is none. 0 or -1. */
int authz_init(Authz *authz, const char *mode, const char *bearer, const char *secret_file, Error *err) MUST_CHECK;
void authz_deinit(Authz *authz);

/* What stands behind "Bearer" and blanks in an Authorization header, in that header's memory; perhaps empty. NULL: it
 * is of another kind. */
const char *authz_credentials(const char *authorization);

/* Before the routing headers are looked at: the router token. */
AuthzDenial authz_check_bearer(const Authz *authz, const HttpHead *head);
/* After: the scoped token. */
AuthzDenial authz_check_target(const Authz *authz, const HttpHead *head, const Target *target, int64_t now_s);

#endif
