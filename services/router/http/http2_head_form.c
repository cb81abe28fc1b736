/* See http2_head_form.h. */
#include "services/router/http/http2_head_form.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "services/router/http/forward.h"

/* Those of http-parser: a method is a label of metrics, and nobody may make them up. */
static const char *const METHODS[] = {
    "GET",    "HEAD",       "POST",      "PUT",    "DELETE",      "OPTIONS", "PATCH",     "CONNECT", "TRACE",
    "COPY",   "LOCK",       "MKCOL",     "MOVE",   "PROPFIND",    "SEARCH",  "PROPPATCH", "UNLOCK",  "BIND",
    "REBIND", "UNBIND",     "ACL",       "REPORT", "MKACTIVITY",  "MERGE",   "CHECKOUT",  "NOTIFY",  "M-SEARCH",
    "PURGE",  "MKCALENDAR", "SUBSCRIBE", "LINK",   "UNSUBSCRIBE", "UNLINK",  "SOURCE",
};

static const char *known_method(const char *method) {
  for (size_t i = 0; i < ARRAY_LEN(METHODS); i++)
    if (strcmp(METHODS[i], method) == 0)
      return METHODS[i];
  return NULL;
}

bool http2_request_head(const Http2Request *request, HttpHeader *fields, HttpHead *ret_head) {
  const char *method = known_method(request->method);
  size_t n = 0;
  if (request->authority)
    fields[n++] = (HttpHeader){"host", request->authority};
  for (size_t i = 0; i < request->n_fields; i++)
    fields[n++] = (HttpHeader){request->fields[i].name, request->fields[i].value};
  *ret_head = (HttpHead){
      .method = method ? method : "-",
      .target = request->path ? request->path : "",
      .minor_version = 1,
      .headers = fields,
      .n_headers = n,
      .keep_alive = true,
      .no_body = request->ended,
      .content_length = -1,
  };
  int64_t length;
  const char *text = http_head_get(ret_head, "content-length");
  /* the session has checked it, and holds the body to it */
  if (text && str_to_int64(text, 0, INT64_MAX, &length) == 0)
    ret_head->content_length = length;
  ret_head->chunked = !request->ended && ret_head->content_length < 0;
  return method != NULL;
}

size_t http2_answer_fields(const HttpHead *head, Http2Field *fields, char length[24]) {
  size_t n = 0;
  for (size_t i = 0; i < head->n_headers; i++)
    if (!forward_is_hop_by_hop(head, head->headers[i].name))
      fields[n++] = (Http2Field){head->headers[i].name, head->headers[i].value};
  if (head->content_length >= 0 && head->status != 204) {
    snprintf(length, 24, "%lld", (long long)head->content_length);
    fields[n++] = (Http2Field){"content-length", length};
  }
  return n;
}
