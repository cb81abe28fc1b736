/* See access.h. */
#include "services/router/access/access.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/authz/authz_file.h"
#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/crypto/crypto.h"
#include "services/router/access/scoped_token_v2.h"
#include "services/router/http/forward.h"

#define SECRET_OPTION "--authz-scoped-token-secret-file"
#define KEYS_OPTION "--authz-scoped-token-verification-keys-file"
#define UNTIL_OPTION "--authz-scoped-token-v1-accept-until"

/* The length of an HMAC-SHA256 key that loses nothing. */
#define MIN_SECRET 32
#define MAX_SECRET 4096

struct Access {
  AuthzStore *store; /* NULL: none */
  bool scoped;
  char *bearer; /* NULL: none */
  Buf secret;   /* empty: tokens v1 are not taken */
  int64_t v1_until_s;
  ScopedKeys *scoped_keys; /* NULL: nor v2 */
  bool http_open, grpc_open;
};

static void trim(Buf *buf) {
  size_t start = 0;
  while (start < buf->len && isspace(buf->data[start]))
    start++;
  buf_consume(buf, start);
  while (buf->len && isspace(buf->data[buf->len - 1]))
    buf->len--;
  if (buf->data)
    buf->data[buf->len] = 0;
}

/* Its mode is the Agent Sandbox router's business too, whose manifests mount it so that others may read. */
static int read_secret(const char *path, Buf *out, Error *err) {
  if (authz_file_read(SECRET_OPTION, path, AUTHZ_FILE_PUBLIC, out, err) != 0)
    return -1;
  trim(out);
  if (out->len < MIN_SECRET)
    return error_set(err, ERROR_INVALID_ARGUMENT, SECRET_OPTION ": %s: fewer than %d bytes", path, MIN_SECRET);
  return 0;
}

/* Tokens of one kind or of both. */
static int read_scoped(Access *a, const AccessSettings *s, Error *err) {
  bool v2 = !str_empty(s->verification_keys_file), v1 = !v2 || !str_empty(s->secret_file);
  int64_t until_ms;
  a->v1_until_s = INT64_MAX;
  if (v1 && read_secret(s->secret_file, &a->secret, err) != 0)
    return -1;
  if (v1 && v2 && str_empty(s->v1_accept_until))
    return error_set(err, ERROR_INVALID_ARGUMENT, UNTIL_OPTION ": is needed where tokens of both kinds are taken");
  if (!str_empty(s->v1_accept_until)) {
    if (clock_parse_rfc3339(s->v1_accept_until, &until_ms) != 0)
      return error_set(err, ERROR_INVALID_ARGUMENT, UNTIL_OPTION ": \"%s\" is no time such as 2027-01-01T00:00:00Z",
                       s->v1_accept_until);
    a->v1_until_s = until_ms / 1000;
  }
  if (v2)
    a->scoped_keys = scoped_keys_read(KEYS_OPTION, s->verification_keys_file, err);
  return v2 && !a->scoped_keys ? -1 : 0;
}

static char *trimmed(const char *s) {
  size_t n;
  while (s && isspace((unsigned char)*s))
    s++;
  if (str_empty(s))
    return NULL;
  for (n = strlen(s); isspace((unsigned char)s[n - 1]); n--)
    ;
  return str_ndup(s, n);
}

static int read_settings(Access *a, const AccessSettings *s, Error *err) {
  a->bearer = trimmed(s->bearer);
  a->scoped = str_equal(s->mode, "scoped-token");
  if (!a->scoped && !str_equal(s->mode, "allow-all"))
    return error_set(err, ERROR_INVALID_ARGUMENT, "--authz-mode: \"%s\" is neither allow-all nor scoped-token",
                     s->mode);
  /* whoever has it could do without the other */
  if (a->scoped && a->bearer)
    return error_set(err, ERROR_INVALID_ARGUMENT, "ROUTER_AUTH_TOKEN and --authz-mode=scoped-token exclude each other");
  if (a->scoped && read_scoped(a, s, err) != 0)
    return -1;
  return authz_store_new(s->keys_file, s->tokens_file, &a->store, err);
}

/* Which doors stand open, and whether that can be meant. */
static int lock(Access *a, const AccessSettings *s, Error *err) {
  bool of_http = a->bearer || a->scoped;
  if (of_http && s->http_open)
    return error_set(err, ERROR_INVALID_ARGUMENT,
                     "--http-open excludes ROUTER_AUTH_TOKEN and --authz-mode=scoped-token");
  a->http_open = s->http_open || (!of_http && !a->store);
  a->grpc_open = s->grpc_open || (!of_http && !a->store);
  return 0;
}

Access *access_new(const AccessSettings *settings, Error *err) {
  Access *a = new0(Access);
  a->secret = BUF_INIT(MAX_SECRET);
  if (read_settings(a, settings, err) == 0 && lock(a, settings, err) == 0)
    return a;
  access_free(a);
  return NULL;
}

void access_free(Access *a) {
  if (!a)
    return;
  if (a->bearer)
    explicit_bzero(a->bearer, strlen(a->bearer));
  free(a->bearer);
  authz_file_forget(&a->secret);
  scoped_keys_free(a->scoped_keys);
  authz_store_free(a->store);
  free(a);
}

bool access_http_is_open(const Access *a) {
  return a->http_open;
}

bool access_grpc_is_open(const Access *a) {
  return a->grpc_open;
}

AuthzStore *access_store(const Access *a) {
  return a->store;
}

const char *access_credential(const char *authorization) {
  if (strncasecmp(authorization, "Bearer", 6) != 0 || (authorization[6] != ' ' && authorization[6] != '\t'))
    return NULL;
  const char *given = authorization + 6 + strspn(authorization + 6, " \t");
  return *given ? given : NULL;
}

/* NULL if there is none, or two fields, of which one may be another's. */
static const char *credential_of(const HttpHead *head) {
  const char *value = http_head_get(head, "Authorization");
  return value && http_head_count(head, "Authorization") == 1 ? access_credential(value) : NULL;
}

/* The words of the Agent Sandbox routers: of the older one for a token, of the newer one where tokens are scoped. */
static AccessDenial unauthenticated(const Access *a, const char *credential) {
  if (a->scoped)
    return (AccessDenial){401, "unauthenticated"};
  return (AccessDenial){401, credential ? "Invalid token." : "Missing or invalid Authorization header."};
}

static const AccessDenial FORBIDDEN = {403, "forbidden"};

/* A principal's may be used where the principal may; whose the sandbox is, its record says. target NULL: anywhere. */
static AccessDenial judge_principal(const AuthzPrincipal *who, Target *target) {
  if (!target)
    return (AccessDenial){0};
  if (!authz_may_use(who, target->ns))
    return FORBIDDEN;
  if (who->role != AUTHZ_ADMIN)
    snprintf(target->pass.owner, sizeof target->pass.owner, "%s", who->tenant);
  return (AccessDenial){0};
}

static bool judge_store(const Access *a, const char *credential, int64_t now_s, Target *target, AccessDenial *ret) {
  if (!a->store)
    return false;
  AuthzSources *sources = authz_store_take(a->store);
  const AuthzPrincipal *who;
  bool known = authz_sources_find(sources, credential, now_s, &who, NULL) == 0;
  if (known)
    *ret = judge_principal(who, target);
  authz_sources_release(sources);
  return known;
}

/* Of a token for one request: whether this is the one. */
static bool is_asked(const ScopedTokenV2 *token, const HttpHead *head, const Target *target) {
  if (!token->port)
    return true;
  const char *path = forward_path(head);
  if (!path)
    return false;
  size_t len = strcspn(path, "?");
  return token->port == target->port && str_equal(token->method, head->method) && strlen(token->path) == len &&
         memcmp(token->path, path, len) == 0;
}

static AccessDenial judge_scoped(const Access *a, const char *credential, const HttpHead *head, int64_t now_s,
                                 Target *target) {
  ScopedTokenV2 token = {0};
  bool v1 = a->secret.len > 0 && now_s < a->v1_until_s &&
            scoped_token_verify(credential, a->secret.data, a->secret.len, now_s, &token.of);
  if (!v1 && !(a->scoped_keys && scoped_token_v2_verify(a->scoped_keys, credential, now_s, &token)))
    return unauthenticated(a, credential);
  if (target->names_address || !str_equal(token.of.ns, target->ns) || !str_equal(token.of.name, target->id) ||
      !is_asked(&token, head, target))
    return FORBIDDEN;
  snprintf(target->pass.uid, sizeof target->pass.uid, "%s", token.uid);
  return (AccessDenial){0};
}

AccessDenial access_judge(const Access *a, const char *credential, const HttpHead *head, int64_t now_s,
                          Target *target) {
  AccessDenial denial = {0};
  if (a->http_open)
    return denial;
  if (!credential)
    return unauthenticated(a, NULL);
  if (a->bearer && crypto_equal(credential, strlen(credential), a->bearer, strlen(a->bearer)))
    return denial;
  if (judge_store(a, credential, now_s, target, &denial))
    return denial;
  if (a->scoped && target)
    return judge_scoped(a, credential, head, now_s, target);
  return unauthenticated(a, credential);
}

AccessDenial access_check_caller(const Access *a, const HttpHead *head, int64_t now_s) {
  return a->scoped ? (AccessDenial){0} : access_judge(a, credential_of(head), head, now_s, NULL);
}

AccessDenial access_check_target(const Access *a, const HttpHead *head, int64_t now_s, Target *target) {
  return access_judge(a, credential_of(head), head, now_s, target);
}
