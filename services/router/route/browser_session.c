/* See browser_session.h. */
#include "services/router/route/browser_session.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/str.h"
#include "services/router/route/cookie.h"
#include "services/router/route/path_route.h"

bool browser_session_is_on(const BrowserSession *session) {
  return !str_empty(session->cookie);
}

/* ---- Settings ---- */

static const char *const SAME_SITE[][2] = {{"lax", "Lax"}, {"strict", "Strict"}, {"none", "None"}};

static const char *same_site_of(const char *text) {
  if (!text)
    text = "lax";
  for (size_t i = 0; i < ARRAY_LEN(SAME_SITE); i++)
    if (str_equal(SAME_SITE[i][0], text))
      return SAME_SITE[i][1];
  return NULL;
}

/* list, and from then on what is left of it: NULL is none. */
static bool next_origin(const char **at, const char **ret_origin, size_t *ret_len) {
  if (!*at)
    return false;
  *at += strspn(*at, ", ");
  *ret_origin = *at;
  *ret_len = strcspn(*at, ", ");
  *at += *ret_len;
  return *ret_len > 0;
}

/* scheme://host[:port], as browsers write it. */
static bool is_origin(const char *s, size_t len) {
  const char *slashes = memmem(s, len, "://", 3);
  if (!slashes || slashes == s || slashes + 3 == s + len)
    return false;
  for (const char *c = slashes + 3; c < s + len; c++)
    if (!isalnum((unsigned char)*c) && !strchr("-._:[]", *c))
      return false;
  return true;
}

static int check_origins(const char *list, Error *err) {
  const char *origin;
  size_t n;
  for (const char *at = list; next_origin(&at, &origin, &n);)
    if (!is_origin(origin, n))
      return error_set(err, ERROR_INVALID_ARGUMENT,
                       "--authz-cookie-allowed-origins: \"%.*s\" is no origin like https://app.example", (int)n,
                       origin);
  return 0;
}

static int refuse(Error *err, const char *text) {
  return error_set(err, ERROR_INVALID_ARGUMENT, "%s", text);
}

/* Browsers refuse cookies of such names that are less than they say. */
static int check_name(const BrowserSession *s, const Routing *routing, Error *err) {
  if (!cookie_is_name(s->cookie) || strlen(s->cookie) > 64)
    return error_set(err, ERROR_INVALID_ARGUMENT, "--authz-cookie-name: \"%s\" is no name of a cookie", s->cookie);
  bool of_host = strncasecmp(s->cookie, "__Host-", 7) == 0;
  if (of_host && !str_empty(routing->prefix))
    return refuse(err,
                  "--authz-cookie-name: a cookie __Host-... cannot have a path, as --path-routing-prefix needs it");
  if ((of_host || strncasecmp(s->cookie, "__Secure-", 9) == 0) && s->insecure)
    return refuse(err, "--authz-cookie-insecure: a cookie __Host-... or __Secure-... is secure");
  return 0;
}

int browser_session_check(const BrowserSession *s, const Routing *routing, bool lets_all, Error *err) {
  if (!same_site_of(s->same_site))
    return error_set(err, ERROR_INVALID_ARGUMENT, "--authz-cookie-samesite: \"%s\" is neither lax, strict nor none",
                     s->same_site);
  if (!browser_session_is_on(s)) {
    if (!str_empty(s->query_param) || !str_empty(s->allowed_origins) || s->insecure)
      return refuse(err, "--authz-cookie-query-param, -allowed-origins and -insecure need --authz-cookie-name");
    return 0;
  }
  if (str_empty(routing->prefix) && str_empty(routing->domain))
    return refuse(err, "--authz-cookie-name: needs --path-routing-prefix or --host-routing-domain");
  if (lets_all)
    return refuse(err, "--authz-cookie-name: needs an --authz-mode other than allow-all");
  if (str_equal(s->same_site, "none") && s->insecure)
    return refuse(err, "--authz-cookie-samesite: none needs a secure cookie, and --authz-cookie-insecure is set");
  for (const char *c = s->query_param; c && *c; c++)
    if (!isalnum((unsigned char)*c) && *c != '-' && *c != '_')
      return error_set(err, ERROR_INVALID_ARGUMENT,
                       "--authz-cookie-query-param: \"%s\" is not letters, digits, - and _", s->query_param);
  if (check_name(s, routing, err) != 0)
    return -1;
  return check_origins(s->allowed_origins, err);
}

/* ---- Requests ---- */

static void put(Buf *out, const char *s, size_t len) {
  if (buf_append(out, s, len) != 0)
    abort(); /* a part of a head */
}

static int hex(char c) {
  return isdigit((unsigned char)c) ? c - '0' : isxdigit((unsigned char)c) ? tolower((unsigned char)c) - 'a' + 10 : -1;
}

/* Once; "+" is itself, for no credential has a blank. */
static void put_decoded(Buf *out, const char *s, size_t len) {
  for (size_t i = 0; i < len; i++) {
    int high = s[i] == '%' && i + 2 < len ? hex(s[i + 1]) : -1, low = high < 0 ? -1 : hex(s[i + 2]);
    char c = low < 0 ? s[i] : (char)(high << 4 | low);
    put(out, &c, 1);
    i += low < 0 ? 0 : 2;
  }
}

size_t browser_session_take_query(const BrowserSession *session, const char *path, Buf *ret_path, Buf *ret_credential) {
  size_t found = 0, n = strcspn(path, "?"), name = str_empty(session->query_param) ? 0 : strlen(session->query_param);
  char before = '?';
  put(ret_path, path, n);
  for (const char *at = path + n; *at; at += n) {
    at++;
    n = strcspn(at, "&");
    if (name > 0 && n >= name && strncmp(at, session->query_param, name) == 0 && (n == name || at[name] == '=')) {
      if (found++ == 0 && n > name)
        put_decoded(ret_credential, at + name + 1, n - name - 1);
      continue;
    }
    put(ret_path, &before, 1);
    put(ret_path, at, n);
    before = '&';
  }
  return found;
}

static bool is_safe(const char *method) {
  return str_equal(method, "GET") || str_equal(method, "HEAD") || str_equal(method, "OPTIONS");
}

static bool is_own_origin(const char *origin, const char *scheme, const Routed *routed) {
  size_t n = strlen(scheme);
  return routed->authority_len > 0 && strncmp(origin, scheme, n) == 0 && strncmp(origin + n, "://", 3) == 0 &&
         strlen(origin + n + 3) == routed->authority_len &&
         strncasecmp(origin + n + 3, routed->authority, routed->authority_len) == 0;
}

bool browser_session_allows(const BrowserSession *session, const HttpHead *head, bool upgrade, const char *scheme,
                            const Routed *routed) {
  if (is_safe(head->method) && !upgrade)
    return true;
  const char *origin = http_head_get(head, "Origin"), *allowed;
  size_t n;
  if (!origin || http_head_count(head, "Origin") != 1)
    return false;
  if (is_own_origin(origin, scheme, routed))
    return true;
  for (const char *at = session->allowed_origins; next_origin(&at, &allowed, &n);)
    if (strlen(origin) == n && strncasecmp(origin, allowed, n) == 0)
      return true;
  return false;
}

void browser_session_cookie(const BrowserSession *session, const Routing *routing, const Target *target,
                            const char *credential, Buf *out) {
  CLEANUP(buf_deinit) Buf folder = {0};
  if (target->way == ROUTING_BY_PATH) {
    RouteName name = {0};
    snprintf(name.ns, sizeof name.ns, "%s", target->ns);
    snprintf(name.id, sizeof name.id, "%s", target->id);
    path_route_folder(&folder, routing->prefix, &name);
  }
  if (buf_printf(out, "%s=%s; Path=%s/; HttpOnly; SameSite=%s%s", session->cookie, credential, buf_str(&folder),
                 same_site_of(session->same_site), session->insecure ? "" : "; Secure") != 0)
    abort(); /* a part of a head */
}
