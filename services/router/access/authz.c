/* See authz.h. */
#include "services/router/access/authz.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "lib/base/compiler.h"
#include "lib/base/str.h"
#include "lib/crypto/crypto.h"
#include "services/router/access/scoped_token.h"

/* The length of an HMAC-SHA256 key that loses nothing. */
#define MIN_SECRET 32
#define MAX_SECRET 4096

static void close_file(FILE **f) {
  if (*f)
    fclose(*f);
}

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

static int read_secret(const char *path, Buf *out, Error *err) {
  CLEANUP(close_file) FILE *f = fopen(path, "re");
  if (!f)
    return error_set(err, ERROR_INVALID_ARGUMENT, "--authz-scoped-token-secret-file: %s: %s", path, strerror(errno));
  char block[512];
  for (size_t n; (n = fread(block, 1, sizeof block, f)) > 0;)
    if (buf_append(out, block, n) != 0)
      return error_set(err, ERROR_INVALID_ARGUMENT, "--authz-scoped-token-secret-file: %s: more than %d bytes", path,
                       MAX_SECRET);
  if (ferror(f))
    return error_set(err, ERROR_INVALID_ARGUMENT, "--authz-scoped-token-secret-file: %s: %s", path, strerror(errno));
  trim(out);
  if (out->len < MIN_SECRET)
    return error_set(err, ERROR_INVALID_ARGUMENT, "--authz-scoped-token-secret-file: %s: fewer than %d bytes", path,
                     MIN_SECRET);
  return 0;
}

int authz_init(Authz *authz, const char *mode, const char *bearer, const char *secret_file, Error *err) {
  *authz = (Authz){.secret = BUF_INIT(MAX_SECRET)};
  while (isspace((unsigned char)*bearer))
    bearer++;
  if (*bearer)
    authz->bearer = bearer;
  if (str_equal(mode, "scoped-token")) {
    authz->scoped = true;
    /* one Authorization header cannot carry both */
    if (authz->bearer)
      return error_set(err, ERROR_INVALID_ARGUMENT,
                       "ROUTER_AUTH_TOKEN and --authz-mode=scoped-token exclude each other");
    return read_secret(secret_file, &authz->secret, err);
  }
  if (!str_equal(mode, "allow-all"))
    return error_set(err, ERROR_INVALID_ARGUMENT, "--authz-mode: \"%s\" is neither allow-all nor scoped-token", mode);
  return 0;
}

void authz_deinit(Authz *authz) {
  if (authz->secret.data)
    explicit_bzero(authz->secret.data, authz->secret.len);
  buf_deinit(&authz->secret);
}

static size_t trimmed_len(const char *s) {
  size_t n = strlen(s);
  while (n && isspace((unsigned char)s[n - 1]))
    n--;
  return n;
}

const char *authz_credentials(const char *authorization) {
  if (strncasecmp(authorization, "Bearer", 6) != 0 || (authorization[6] != ' ' && authorization[6] != '\t'))
    return NULL;
  return authorization + 6 + strspn(authorization + 6, " \t");
}

/* The credentials behind "Bearer", NULL if there are none (or two fields, of which one may be another's). */
static const char *bearer_of(const HttpHead *head) {
  const char *value = http_head_get(head, "Authorization");
  if (!value || http_head_count(head, "Authorization") != 1)
    return NULL;
  const char *given = authz_credentials(value);
  return given && *given ? given : NULL;
}

AuthzDenial authz_check_bearer(const Authz *authz, const HttpHead *head) {
  if (!authz->bearer)
    return (AuthzDenial){0};
  const char *given = bearer_of(head);
  if (!given)
    return (AuthzDenial){401, "Missing or invalid Authorization header."};
  if (!crypto_equal(given, strlen(given), authz->bearer, trimmed_len(authz->bearer)))
    return (AuthzDenial){401, "Invalid token."};
  return (AuthzDenial){0};
}

AuthzDenial authz_check_target(const Authz *authz, const HttpHead *head, const Target *target, int64_t now_s) {
  if (!authz->scoped)
    return (AuthzDenial){0};
  const char *given = bearer_of(head);
  ScopedToken token;
  if (!given || !scoped_token_verify(given, authz->secret.data, authz->secret.len, now_s, &token))
    return (AuthzDenial){401, "unauthenticated"};
  if (target->names_address || !str_equal(token.ns, target->ns) || !str_equal(token.name, target->id))
    return (AuthzDenial){403, "forbidden"};
  return (AuthzDenial){0};
}
