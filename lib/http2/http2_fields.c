/* See http2_fields.h. */
#include "lib/http2/http2_fields.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/alloc.h"

static size_t text_size(const Http2Field *fields, size_t n_fields) {
  size_t size = sizeof ":status" + sizeof "000";
  for (size_t i = 0; i < n_fields; i++)
    size += strlen(fields[i].name) + strlen(fields[i].value) + 2;
  return size;
}

/* Copies both to *at, which moves on. */
static nghttp2_nv put(char **at, const char *name, const char *value) {
  nghttp2_nv nv = {.namelen = strlen(name), .valuelen = strlen(value)};
  nv.name = (uint8_t *)*at;
  for (size_t i = 0; i <= nv.namelen; i++)
    *(*at)++ = (char)tolower((unsigned char)name[i]);
  nv.value = (uint8_t *)*at;
  memcpy(*at, value, nv.valuelen + 1);
  *at += nv.valuelen + 1;
  return nv;
}

Http2Fields http2_fields_new(int status, const Http2Field *fields, size_t n_fields) {
  Http2Fields all = {.nv = xcalloc(n_fields + 1, sizeof(nghttp2_nv)), .bytes = text_size(fields, n_fields)};
  char *at = all.text = xmalloc(all.bytes);
  if (status) {
    char code[16];
    snprintf(code, sizeof code, "%03d", status % 1000);
    all.nv[all.n++] = put(&at, ":status", code);
  }
  for (size_t i = 0; i < n_fields; i++)
    all.nv[all.n++] = put(&at, fields[i].name, fields[i].value);
  return all;
}

void http2_fields_clear(Http2Fields *all) {
  free(all->nv);
  free(all->text);
  *all = (Http2Fields){0};
}
