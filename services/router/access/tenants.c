/* See tenants.h. */
#include "services/router/access/tenants.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/compiler.h"
#include "lib/base/str.h"
#include "lib/crypto/crypto.h"
#include "services/router/access/authz.h"

#define OPTION "--tenant-tokens-file"
#define BLANKS " \t\r\n"

typedef struct Row {
  char *name, *token;
  bool admin;
} Row;

struct Tenants {
  Row rows[TENANTS_MAX];
  size_t n_rows;
};

static void close_file(FILE **f) {
  if (*f)
    fclose(*f);
}

static void row_free(Row *row) {
  if (row->token)
    explicit_bzero(row->token, strlen(row->token));
  free(row->token);
  free(row->name);
}

void tenants_free(Tenants *tenants) {
  if (!tenants)
    return;
  for (size_t i = 0; i < tenants->n_rows; i++)
    row_free(&tenants->rows[i]);
  free(tenants);
}

static int bad_line(const char *path, int line, const char *what, Error *err) {
  return error_set(err, ERROR_INVALID_ARGUMENT, OPTION ": %s:%d: %s", path, line, what);
}

static int read_line(Tenants *tenants, char *text, const char *path, int line, Error *err) {
  char *rest, *name = strtok_r(text, BLANKS, &rest);
  if (!name || *name == '#')
    return 0;
  char *token = strtok_r(NULL, BLANKS, &rest), *role = strtok_r(NULL, BLANKS, &rest);
  if (!str_is_dns_label(name))
    return bad_line(path, line, "the tenant must be a DNS label", err);
  if (!token || strlen(token) < TENANTS_MIN_TOKEN || strlen(token) > TENANTS_MAX_TOKEN)
    return bad_line(path, line, "the token must be 16 to 512 characters", err);
  if (strtok_r(NULL, BLANKS, &rest) || (role && !str_equal(role, "admin")))
    return bad_line(path, line, "only \"admin\" may stand behind the token", err);
  for (size_t i = 0; i < tenants->n_rows; i++)
    if (str_equal(tenants->rows[i].token, token))
      return bad_line(path, line, "the token is there already", err);
  if (tenants->n_rows == TENANTS_MAX)
    return bad_line(path, line, "more than 1000 tokens", err);
  tenants->rows[tenants->n_rows++] = (Row){str_dup(name), str_dup(token), role != NULL};
  return 0;
}

Tenants *tenants_read(const char *path, Error *err) {
  CLEANUP(close_file) FILE *f = fopen(path, "re");
  if (!f) {
    error_set(err, ERROR_INVALID_ARGUMENT, OPTION ": %s: %s", path, strerror(errno));
    return NULL;
  }
  Tenants *tenants = new0(Tenants);
  char *text = NULL;
  size_t size = 0;
  int rc = 0;
  for (int line = 1; rc == 0 && getline(&text, &size, f) > 0; line++)
    rc = read_line(tenants, text, path, line, err);
  if (text)
    explicit_bzero(text, size);
  free(text);
  if (rc == 0 && ferror(f))
    rc = error_set(err, ERROR_INVALID_ARGUMENT, OPTION ": %s: %s", path, strerror(errno));
  /* an empty one is a mistake: it would lock everybody out */
  if (rc == 0 && tenants->n_rows == 0)
    rc = error_set(err, ERROR_INVALID_ARGUMENT, OPTION ": %s: holds no token", path);
  if (rc == 0)
    return tenants;
  tenants_free(tenants);
  return NULL;
}

int tenants_find(const Tenants *tenants, const char *authorization, Tenant *ret_tenant, Error *err) {
  const char *given = authorization ? authz_credentials(authorization) : NULL;
  if (!given)
    return error_set(err, ERROR_UNAUTHENTICATED, "the call needs a bearer token");
  const Row *found = NULL;
  for (size_t i = 0; i < tenants->n_rows; i++) {
    const Row *row = &tenants->rows[i];
    if (crypto_equal(given, strlen(given), row->token, strlen(row->token)))
      found = row;
  }
  if (!found)
    return error_set(err, ERROR_UNAUTHENTICATED, "the bearer token is not known");
  *ret_tenant = (Tenant){found->name, found->admin};
  return 0;
}
