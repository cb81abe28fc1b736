/* See multipart.h. */
#include "runtime/multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

/* A part's header fields: a file name and little else. */
#define HEAD_MAX 16384
#define PENDING_MAX (HEAD_MAX + (128 << 10))

/* Value of a parameter ("; name=value" or quoted) into out. */
static bool parameter(const char *header, const char *name, char *out, size_t max) {
  size_t len = strlen(name);
  for (const char *p = strchr(header, ';'); p; p = strchr(p, ';')) {
    p += 1 + strspn(p + 1, " \t");
    if (strncasecmp(p, name, len) != 0 || p[len] != '=')
      continue;
    p += len + 1;
    bool quoted = *p == '"';
    p += quoted;
    size_t n = 0;
    for (; *p && (quoted ? *p != '"' : *p != ';'); p++) {
      if (quoted && *p == '\\' && (p[1] == '"' || p[1] == '\\'))
        p++;
      if (n + 1 == max)
        return false;
      out[n++] = *p;
    }
    while (!quoted && n > 0 && (out[n - 1] == ' ' || out[n - 1] == '\t'))
      n--;
    out[n] = 0;
    return true;
  }
  return false;
}

int multipart_init(Multipart *m, const char *content_type, Error *err) {
  char boundary[71];
  static const char TYPE[] = "multipart/form-data";
  if (!content_type || strncasecmp(content_type, TYPE, sizeof TYPE - 1) != 0 ||
      !parameter(content_type, "boundary", boundary, sizeof boundary) || !*boundary)
    return error_set(err, ERROR_INVALID_ARGUMENT, "not multipart/form-data with a boundary");
  m->boundary_len = (size_t)snprintf(m->boundary, sizeof m->boundary, "\r\n--%s", boundary);
  m->pending = BUF_INIT(PENDING_MAX);
  m->state = MULTIPART_BETWEEN;
  /* the first boundary has no line before it */
  return buf_append(&m->pending, "\r\n", 2);
}

void multipart_deinit(Multipart *m) {
  buf_deinit(&m->pending);
}

static int begin_part(Multipart *m, char *head, Error *err) {
  char name[64], filename[4096];
  m->wanted = false;
  for (char *save, *line = strtok_r(head, "\r\n", &save); line; line = strtok_r(NULL, "\r\n", &save)) {
    static const char FIELD[] = "content-disposition:";
    if (strncasecmp(line, FIELD, sizeof FIELD - 1) != 0)
      continue;
    m->wanted = !m->found && parameter(line, "name", name, sizeof name) && strcmp(name, "file") == 0 &&
                parameter(line, "filename", filename, sizeof filename) && *filename;
  }
  if (!m->wanted)
    return 0;
  m->found = true;
  return m->on_file(m->arg, filename, err);
}

static int emit(Multipart *m, size_t len, Error *err) {
  int rc = m->wanted && len ? m->on_data(m->arg, m->pending.data, len, err) : 0;
  buf_consume(&m->pending, len);
  return rc;
}

/* One step; 1: more bytes are needed. */
static int step(Multipart *m, Error *err) {
  Buf *b = &m->pending;
  if (m->state == MULTIPART_HEAD) {
    uint8_t *end = memmem(b->data, b->len, "\r\n\r\n", 4);
    if (!end)
      return b->len > HEAD_MAX ? error_set(err, ERROR_INVALID_ARGUMENT, "a part's header is too long") : 1;
    *end = 0;
    int rc = begin_part(m, (char *)b->data, err);
    buf_consume(b, (size_t)(end + 4 - b->data));
    m->state = MULTIPART_DATA;
    return rc;
  }
  uint8_t *at = memmem(b->data, b->len, m->boundary, m->boundary_len);
  if (!at) {
    size_t keep = m->boundary_len - 1;
    return b->len > keep && emit(m, b->len - keep, err) ? -1 : 1;
  }
  size_t before = (size_t)(at - b->data), need = before + m->boundary_len + 2;
  if (b->len < need)
    return emit(m, before, err) ? -1 : 1;
  if (emit(m, before, err))
    return -1;
  const uint8_t *after = b->data + m->boundary_len;
  bool last = after[0] == '-' && after[1] == '-';
  if (!last && !(after[0] == '\r' && after[1] == '\n'))
    return error_set(err, ERROR_INVALID_ARGUMENT, "malformed boundary");
  /* the line's end belongs to the head, so that an empty head is found too */
  buf_consume(b, m->boundary_len + (last ? 2 : 0));
  m->state = last ? MULTIPART_DONE : MULTIPART_HEAD;
  return 0;
}

int multipart_feed(Multipart *m, const uint8_t *data, size_t len, Error *err) {
  if (m->state == MULTIPART_DONE)
    return 0; /* an epilogue means nothing */
  if (buf_append(&m->pending, data, len))
    return error_set(err, ERROR_INVALID_ARGUMENT, "a part's header is too long");
  int rc = 0;
  while (rc == 0 && m->state != MULTIPART_DONE)
    rc = step(m, err);
  return rc < 0 ? -1 : 0;
}
