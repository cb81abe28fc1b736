/* See answer_rewrite.h. */
#include "services/router/route/answer_rewrite.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/str.h"
#include "services/router/route/path_route.h"

/* Fields that speak for the whole origin: another host for it, its stored data, its workers, its encryption. */
static const char *const OF_THE_ORIGIN[] = {"Alt-Svc",   "Clear-Site-Data",        "NEL",
                                            "Report-To", "Service-Worker-Allowed", "Strict-Transport-Security"};

typedef struct Place {
  const char *folder; /* "" by host */
  size_t folder_len;
  const Target *target;
  Buf *text;
} Place;

/* The buffer holds what the reader let through, and a folder for each field at most. */
static void put(Buf *out, const void *data, size_t len) {
  if (buf_append(out, data, len) != 0)
    abort();
}

static void put_str(Buf *out, const char *s) {
  put(out, s, strlen(s));
}

/* Programs that were told X-Forwarded-Prefix have put it there themselves. */
static bool is_below(const Place *p, const char *path, size_t len) {
  return len >= p->folder_len && strncmp(path, p->folder, p->folder_len) == 0 &&
         (len == p->folder_len || strchr("/?#", path[p->folder_len]));
}

static void put_path(const Place *p, const char *path, size_t len) {
  if (!is_below(p, path, len))
    put(p->text, p->folder, p->folder_len);
  /* "//x" at the start would be a host */
  if (p->folder_len == 0 && len > 1 && (path[1] == '/' || path[1] == '\\'))
    put_str(p->text, "/.");
  put(p->text, path, len);
}

/* ---- Location ---- */

/* Whether the authority is the program itself: by the name that the client has for it, or by those that it may have. */
static bool is_own(const Place *p, const char *authority, size_t len) {
  char local[2][24];
  snprintf(local[0], sizeof local[0], "127.0.0.1:%u", (unsigned)p->target->port);
  snprintf(local[1], sizeof local[1], "localhost:%u", (unsigned)p->target->port);
  const char *const own[] = {p->target->authority, local[0], local[1]};
  for (size_t i = 0; i < ARRAY_LEN(own); i++)
    if (*own[i] && strlen(own[i]) == len && strncasecmp(own[i], authority, len) == 0)
      return true;
  return false;
}

/* What follows the authority, or NULL: no absolute URL of HTTP, or another's. */
static const char *path_of_own_url(const Place *p, const char *url) {
  size_t scheme = strncasecmp(url, "http:", 5) == 0 ? 5 : strncasecmp(url, "https:", 6) == 0 ? 6 : 0;
  if (strncmp(url + scheme, "//", 2) != 0)
    return NULL;
  const char *authority = url + scheme + 2;
  size_t n = strcspn(authority, "/?#");
  return is_own(p, authority, n) ? authority + n : NULL;
}

static void put_location(const Place *p, const char *value) {
  const char *path = path_of_own_url(p, value);
  if (path && *path == '/') {
    put_path(p, path, strlen(path));
  } else if (path) {
    put_path(p, "/", 1);
    put_str(p->text, path);
  } else if (value[0] == '/' && value[1] != '/' && value[1] != '\\') {
    put_path(p, value, strlen(value));
  } else {
    put_str(p->text, value);
  }
}

/* ---- Set-Cookie ---- */

static bool is_cookie(const char *value, const char *name) {
  size_t n = strlen(name);
  value += strspn(value, " \t");
  return strncmp(value, name, n) == 0 && value[n + strspn(value + n, " \t")] == '=';
}

static bool has_name(const char *attribute, size_t len, const char *name) {
  size_t n = strlen(name);
  if (len < n || strncasecmp(attribute, name, n) != 0)
    return false;
  while (n < len && isspace((unsigned char)attribute[n]))
    n++;
  return n == len || attribute[n] == '=';
}

/* "; Path=/x", from behind its blanks. */
static void put_attribute(const Place *p, const char *s, size_t len) {
  const char *equals = memchr(s, '=', len);
  if (has_name(s, len, "Domain"))
    return;
  put_str(p->text, "; ");
  if (p->folder_len == 0 || !equals || !has_name(s, len, "Path")) {
    put(p->text, s, len);
    return;
  }
  const char *path = equals + 1, *end = s + len;
  while (path < end && isspace((unsigned char)*path))
    path++;
  /* any other means the folder of the URL that was asked for (RFC 6265, 5.2.4) */
  if (path == end || *path != '/') {
    put(p->text, s, len);
    return;
  }
  put_str(p->text, "Path=");
  put_path(p, path, (size_t)(end - path));
}

static void put_cookie(const Place *p, const char *value) {
  size_t n = strcspn(value, ";");
  put(p->text, value, n);
  for (const char *at = value + n; *at == ';'; at += n) {
    at++;
    at += strspn(at, " \t");
    n = strcspn(at, ";");
    if (n > 0)
      put_attribute(p, at, n);
  }
}

/* ---- The head ---- */

static bool is_dropped(const Target *target, const char *cookie, const HttpHeader *field) {
  if (!str_empty(cookie) && strcasecmp(field->name, "Set-Cookie") == 0 && is_cookie(field->value, cookie))
    return true;
  if (target->way != ROUTING_BY_PATH)
    return false;
  for (size_t i = 0; i < ARRAY_LEN(OF_THE_ORIGIN); i++)
    if (strcasecmp(field->name, OF_THE_ORIGIN[i]) == 0)
      return true;
  return false;
}

/* A field's value as it was, or where in place->text the new one begins. */
static bool put_value(const Place *p, const HttpHeader *field) {
  if (strcasecmp(field->name, "Location") == 0)
    put_location(p, field->value);
  else if (strcasecmp(field->name, "Set-Cookie") == 0)
    put_cookie(p, field->value);
  else
    return false;
  put(p->text, "", 1);
  return true;
}

const HttpHead *answer_rewrite(const Routing *routing, const Target *target, const char *cookie, const HttpHead *head,
                               AnswerRewrite *ret) {
  size_t at[HTTP_MAX_HEADERS], n = 0;
  if (target->way == ROUTING_BY_HEADERS)
    return head;
  CLEANUP(buf_deinit) Buf folder = {0};
  if (target->way == ROUTING_BY_PATH) {
    RouteName name = {.port = target->port};
    snprintf(name.ns, sizeof name.ns, "%s", target->ns);
    snprintf(name.id, sizeof name.id, "%s", target->id);
    path_route_folder(&folder, routing->prefix, &name);
  }
  const Place place = {buf_str(&folder), folder.len, target, &ret->text};
  bool keeps = target->way == ROUTING_BY_PATH && routing->keeps_answers;
  ret->text = (Buf){0};
  for (size_t i = 0; i < head->n_headers && n < HTTP_MAX_HEADERS; i++) {
    if (is_dropped(target, cookie, &head->headers[i]))
      continue;
    ret->fields[n] = head->headers[i];
    at[n] = ret->text.len;
    if (!keeps && put_value(&place, &head->headers[i]))
      ret->fields[n].value = NULL;
    n++;
  }
  /* only now the text stays where it is */
  for (size_t i = 0; i < n; i++)
    if (!ret->fields[i].value)
      ret->fields[i].value = buf_str(&ret->text) + at[i];
  ret->head = *head;
  ret->head.headers = ret->fields;
  ret->head.n_headers = n;
  return &ret->head;
}

void answer_rewrite_deinit(AnswerRewrite *rewrite) {
  buf_deinit(&rewrite->text);
}
