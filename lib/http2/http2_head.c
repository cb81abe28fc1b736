/* See http2_head.h. */
#include "lib/http2/http2_head.h"

#include <string.h>
#include <strings.h>

#include "lib/base/alloc.h"

/* RFC 9113, 6.5.2 */
enum { FIELD_OVERHEAD = 32 };

void http2_head_begin(Http2Head *head, int32_t id) {
  http2_head_clear(head);
  head->id = id;
  head->cookie_at = -1;
}

void http2_head_clear(Http2Head *head) {
  for (size_t i = 0; i < head->n_held; i++)
    nghttp2_rcbuf_decref(head->held[i].buf);
  free(head->held);
  free(head->fields);
  buf_deinit(&head->cookie);
  *head = (Http2Head){0};
}

static const char *hold(Http2Head *head, nghttp2_rcbuf *buf) {
  if (head->n_held == head->cap_held) {
    head->cap_held = head->cap_held ? 2 * head->cap_held : 32;
    head->held = xreallocarray(head->held, head->cap_held, sizeof *head->held);
  }
  nghttp2_rcbuf_incref(buf);
  head->held[head->n_held++].buf = buf;
  return (const char *)nghttp2_rcbuf_get_buf(buf).base;
}

static Http2Field *new_field(Http2Head *head) {
  if (head->n_fields == head->cap_fields) {
    head->cap_fields = head->cap_fields ? 2 * head->cap_fields : 16;
    head->fields = xreallocarray(head->fields, head->cap_fields, sizeof *head->fields);
  }
  return &head->fields[head->n_fields++];
}

/* What has a place of its own; NULL: it is a field among others. */
static const char **place_of(Http2Head *head, const char *name) {
  if (strcmp(name, "host") == 0)
    return &head->host;
  if (name[0] != ':')
    return NULL;
  if (strcmp(name, ":method") == 0)
    return &head->method;
  if (strcmp(name, ":scheme") == 0)
    return &head->scheme;
  if (strcmp(name, ":path") == 0)
    return &head->path;
  if (strcmp(name, ":status") == 0)
    return &head->status;
  return &head->authority;
}

/* The text may move while it grows, so its field is filled at the end. */
static int add_cookie(Http2Head *head, nghttp2_rcbuf *name, nghttp2_vec value) {
  if (head->cookie_at < 0) {
    head->cookie_at = (ssize_t)head->n_fields;
    *new_field(head) = (Http2Field){hold(head, name), NULL};
  } else if (buf_append(&head->cookie, "; ", 2) != 0) {
    return -1;
  }
  return buf_append(&head->cookie, value.base, value.len);
}

void http2_head_add(Http2Head *head, const Http2Config *config, nghttp2_rcbuf *name, nghttp2_rcbuf *value) {
  nghttp2_vec n = nghttp2_rcbuf_get_buf(name), v = nghttp2_rcbuf_get_buf(value);
  head->bytes += n.len + v.len + FIELD_OVERHEAD;
  if (head->bytes > config->max_head_bytes || head->n_fields >= config->max_fields)
    head->over = true;
  if (head->over)
    return;
  const char **place = place_of(head, (const char *)n.base);
  if (place)
    *place = hold(head, value);
  else if (strcmp((const char *)n.base, "cookie") != 0)
    *new_field(head) = (Http2Field){hold(head, name), hold(head, value)};
  else if (add_cookie(head, name, v) != 0)
    head->over = true;
}

bool http2_head_finish(Http2Head *head, Http2Request *ret_request) {
  if (head->host && head->authority && strcasecmp(head->host, head->authority) != 0)
    return false;
  if (head->cookie_at >= 0)
    head->fields[head->cookie_at].value = buf_str(&head->cookie);
  *ret_request = (Http2Request){
      .method = head->method,
      .scheme = head->scheme,
      .authority = head->authority ? head->authority : head->host,
      .path = head->path,
      .fields = head->fields,
      .n_fields = head->n_fields,
  };
  return true;
}
