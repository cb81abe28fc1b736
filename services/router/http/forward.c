/* See forward.h. */
#include "services/router/http/forward.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <jansson.h>

#include "lib/base/str.h"
#include "services/router/route/cookie.h"

/* Of one connection only (RFC 9110, 7.6.1), with those of old that programs still send. */
static const char *const HOP_BY_HOP[] = {
    "Connection", "Keep-Alive",        "Proxy-Connection", "Proxy-Authenticate", "Proxy-Authorization", "TE", "Trailer",
    "Trailers",   "Transfer-Encoding", "Upgrade",          "Content-Length",     "HTTP2-Settings",
};

/* Seconds until who met 503 tries again: about the time a restart takes. */
#define RETRY_AFTER "1"

/* Written anew, meant for the router, or not for a sandbox. */
static const char *const OF_THE_ROUTER[] = {"Host", "Authorization", "Expect", "Forwarded", "X-Real-IP"};
static const char *const PREFIXES_OF_THE_ROUTER[] = {"X-Sandbox-", "X-Forwarded-"};

static bool listed(const char *const *list, size_t n, const char *name) {
  for (size_t i = 0; i < n; i++)
    if (strcasecmp(list[i], name) == 0)
      return true;
  return false;
}

/* Whether the first n characters are those of the field: to gateways of old (CGI) an underscore is a hyphen. */
static bool is_like(const char *name, const char *field, size_t n) {
  for (size_t i = 0; i < n; i++) {
    char c = name[i] == '_' ? '-' : name[i];
    if (tolower((unsigned char)c) != tolower((unsigned char)field[i]))
      return false;
  }
  return true;
}

static bool is_of_the_router(const char *name) {
  for (size_t i = 0; i < ARRAY_LEN(OF_THE_ROUTER); i++)
    if (is_like(name, OF_THE_ROUTER[i], strlen(OF_THE_ROUTER[i]) + 1))
      return true;
  for (size_t i = 0; i < ARRAY_LEN(PREFIXES_OF_THE_ROUTER); i++)
    if (is_like(name, PREFIXES_OF_THE_ROUTER[i], strlen(PREFIXES_OF_THE_ROUTER[i])))
      return true;
  return false;
}

bool forward_is_hop_by_hop(const HttpHead *head, const char *name) {
  return listed(HOP_BY_HOP, ARRAY_LEN(HOP_BY_HOP), name) || http_head_has_token(head, "Connection", name);
}

/* The buffers given have room for any head: what was read, and a few fields of the router's own. */
static void put(Buf *out, const char *fmt, ...) PRINTF_LIKE(2, 3);
static void put(Buf *out, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  if (buf_vprintf(out, fmt, ap) != 0)
    abort();
  va_end(ap);
}

static void put_field(Buf *out, const char *name, const char *value) {
  if (buf_append_str(out, name) != 0 || buf_append_str(out, ": ") != 0 || buf_append_str(out, value) != 0 ||
      buf_append_str(out, "\r\n") != 0)
    abort();
}

const char *forward_path(const HttpHead *head) {
  const char *target = head->target;
  if (*target == '/' || (strcmp(target, "*") == 0 && strcmp(head->method, "OPTIONS") == 0))
    return target;
  if (strncasecmp(target, "http://", 7) != 0 && strncasecmp(target, "https://", 8) != 0)
    return NULL;
  const char *authority = strstr(target, "://") + 3;
  const char *path = authority + strcspn(authority, "/?");
  if (path == authority)
    return NULL;
  return *path ? path : "/";
}

bool forward_upgrades(const HttpHead *head) {
  return head->upgrade && head->no_body && head->minor_version >= 1 && !http_head_has_token(head, "Upgrade", "h2c");
}

static void put_request_field(Buf *out, const HttpHead *head, const HttpHeader *field, const ForwardRequest *request) {
  if ((request->traceparent && strcasecmp(field->name, "Traceparent") == 0) ||
      forward_is_hop_by_hop(head, field->name) || is_of_the_router(field->name) ||
      (request->then == FORWARD_THEN_UPGRADE && strcasecmp(field->name, "Origin") == 0))
    return;
  if (str_empty(request->cookie) || strcasecmp(field->name, "Cookie") != 0) {
    put_field(out, field->name, field->value);
    return;
  }
  CLEANUP(buf_deinit) Buf rest = {0};
  if (cookie_without(&rest, field->value, request->cookie))
    put_field(out, field->name, buf_str(&rest));
}

ForwardBody forward_request(Buf *out, const HttpHead *head, const ForwardRequest *request) {
  put(out, "%s %s HTTP/1.1\r\nHost: 127.0.0.1:%u\r\n", head->method, request->path, request->port);
  for (size_t i = 0; i < head->n_headers; i++)
    put_request_field(out, head, &head->headers[i], request);
  if (request->traceparent)
    put_field(out, "Traceparent", request->traceparent);
  put_field(out, "X-Forwarded-For", request->peer->ip);
  const char *host = http_head_get(head, "Host");
  if (!str_empty(host))
    put_field(out, "X-Forwarded-Host", host);
  put_field(out, "X-Forwarded-Proto", request->proto);
  if (!str_empty(request->prefix))
    put_field(out, "X-Forwarded-Prefix", request->prefix);
  if (http_head_has_token(head, "TE", "trailers"))
    put_field(out, "TE", "trailers");
  ForwardBody body = FORWARD_NO_BODY;
  if (head->chunked) {
    put_field(out, "Transfer-Encoding", "chunked");
    body = FORWARD_CHUNKED;
  } else if (head->content_length >= 0) {
    put(out, "Content-Length: %lld\r\n", (long long)head->content_length);
    body = FORWARD_LENGTH;
  }
  if (request->then == FORWARD_THEN_UPGRADE) {
    put_field(out, "Connection", "Upgrade");
    put_field(out, "Upgrade", http_head_get(head, "Upgrade"));
  } else if (request->then == FORWARD_THEN_CLOSE) {
    put_field(out, "Connection", "close");
  }
  put(out, "\r\n");
  return body;
}

static void put_status(Buf *out, const HttpHead *head) {
  put(out, "HTTP/1.1 %d %s\r\n", head->status, http_status_text(head->status));
  for (size_t i = 0; i < head->n_headers; i++)
    if (!forward_is_hop_by_hop(head, head->headers[i].name))
      put_field(out, head->headers[i].name, head->headers[i].value);
}

ForwardBody forward_response(Buf *out, const HttpHead *head, ForwardClient client, bool *ret_keep_alive) {
  ForwardBody body = FORWARD_NO_BODY;
  put_status(out, head);
  if (head->content_length >= 0 && head->status != 204) {
    put(out, "Content-Length: %lld\r\n", (long long)head->content_length);
    if (!head->no_body)
      body = FORWARD_LENGTH;
  } else if (!head->no_body) {
    body = client.minor_version >= 1 ? FORWARD_CHUNKED : FORWARD_TO_CLOSE;
    if (body == FORWARD_CHUNKED)
      put_field(out, "Transfer-Encoding", "chunked");
  }
  *ret_keep_alive = client.keep_alive && body != FORWARD_TO_CLOSE;
  if (!*ret_keep_alive)
    put_field(out, "Connection", "close");
  else if (client.minor_version == 0)
    put_field(out, "Connection", "keep-alive");
  put(out, "\r\n");
  return body;
}

void forward_switch(Buf *out, const HttpHead *head) {
  put_status(out, head);
  put_field(out, "Connection", "Upgrade");
  const char *protocol = http_head_get(head, "Upgrade");
  if (!str_empty(protocol))
    put_field(out, "Upgrade", protocol);
  put(out, "\r\n");
}

void forward_chunk(Buf *out, const uint8_t *data, size_t len) {
  /* one block for all of it: the size takes at most 16 digits */
  if (!buf_reserve(out, len + 24))
    abort();
  put(out, "%zx\r\n", len);
  if (buf_append(out, data, len) != 0 || buf_append_str(out, "\r\n") != 0)
    abort();
}

bool forward_allows_trailer(const char *name) {
  return !listed(HOP_BY_HOP, ARRAY_LEN(HOP_BY_HOP), name) && !is_of_the_router(name) &&
         strncasecmp(name, "Content-", 8) != 0 && strcasecmp(name, "Set-Cookie") != 0;
}

/* Details may hold what others wrote: the reason that a sandbox ended for. */
void forward_error_body(Buf *out, const ForwardError *error) {
  json_t *body = json_object(), *detail = json_string(error->detail);
  json_object_set_new(body, "detail", detail ? detail : json_string(http_status_text(error->status)));
  if (!str_empty(error->reason))
    json_object_set_new(body, "reason", json_string(error->reason));
  CLEANUP(str_freep) char *text = json_dumps(body, JSON_COMPACT);
  json_decref(body);
  if (!text)
    abort();
  put(out, "%s\n", text);
}

size_t forward_error_fields(const ForwardError *error, HttpHeader fields[FORWARD_ERROR_FIELDS]) {
  size_t n = 0;
  fields[n++] = (HttpHeader){"Content-Type", "application/json"};
  if (error->allow)
    fields[n++] = (HttpHeader){"Allow", error->allow};
  if (!str_empty(error->location))
    fields[n++] = (HttpHeader){"Location", error->location};
  if (!str_empty(error->set_cookie)) {
    fields[n++] = (HttpHeader){"Cache-Control", "no-store"};
    fields[n++] = (HttpHeader){"Set-Cookie", error->set_cookie};
  }
  if (error->status == 401)
    fields[n++] = (HttpHeader){"WWW-Authenticate", "Bearer"};
  if (error->status == 503)
    fields[n++] = (HttpHeader){"Retry-After", RETRY_AFTER};
  return n;
}

void forward_error(Buf *out, const ForwardError *error, bool keep_alive, bool no_body) {
  CLEANUP(buf_deinit) Buf body = {0};
  HttpHeader fields[FORWARD_ERROR_FIELDS];
  size_t n = forward_error_fields(error, fields);
  forward_error_body(&body, error);
  put(out, "HTTP/1.1 %d %s\r\n", error->status, http_status_text(error->status));
  put_field(out, fields[0].name, fields[0].value);
  put(out, "Content-Length: %zu\r\n", body.len);
  for (size_t i = 1; i < n; i++)
    put_field(out, fields[i].name, fields[i].value);
  if (!keep_alive)
    put_field(out, "Connection", "close");
  put(out, "\r\n%s", no_body ? "" : buf_str(&body));
}
