/* See multipart.h. */
#include "runtime/http/multipart.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "runtime/process/disposition.h"

/* A part's header fields: a file name and little else. */
#define HEAD_MAX 16384
#define PENDING_MAX (HEAD_MAX + (128 << 10))
#define PADDING_MAX 64

int multipart_init(Multipart *m, const char *content_type, Error *err) {
  char boundary[MULTIPART_BOUNDARY_MAX + 1];
  static const char TYPE[] = "multipart/form-data";
  if (!content_type || strncasecmp(content_type, TYPE, sizeof TYPE - 1) != 0 ||
      !disposition_parameter(content_type, "boundary", boundary, sizeof boundary) || !*boundary)
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
    if (strncasecmp(line, FIELD, sizeof FIELD - 1) != 0 || !disposition_parameter(line, "name", name, sizeof name) ||
        strcmp(name, "file") != 0)
      continue;
    m->wanted = disposition_filename(line, filename, sizeof filename) && *filename;
    m->nameless = !m->wanted;
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

/* What is behind a boundary: 1 a line's end, so it is one; 2 the end of the form; 0 neither, so it is data that looks
 * like one; -1 more bytes are needed. *ret_len: of blanks before, which some senders pad it with, and of the mark. */
static int behind_boundary(const uint8_t *s, size_t len, size_t *ret_len) {
  if (len >= 2 && s[0] == '-' && s[1] == '-') {
    *ret_len = 2;
    return 2;
  }
  size_t n = 0;
  while (n < len && n < PADDING_MAX && (s[n] == ' ' || s[n] == '\t'))
    n++;
  *ret_len = n;
  if (len - n >= 2)
    return s[n] == '\r' && s[n + 1] == '\n';
  bool may_become = len == n || s[n] == '\r' || (n == 0 && s[0] == '-');
  return n < PADDING_MAX && may_become ? -1 : 0;
}

/* Data up to the next boundary, or as much of it as is none for certain; 1: more bytes are needed. */
static int find_boundary(Multipart *m, Error *err) {
  Buf *b = &m->pending;
  for (size_t from = 0;;) {
    uint8_t *at = memmem(b->data + from, b->len - from, m->boundary, m->boundary_len);
    if (!at) {
      size_t keep = m->boundary_len - 1, safe = b->len > keep ? b->len - keep : 0;
      safe = safe > from ? safe : from;
      return safe && emit(m, safe, err) ? -1 : 1;
    }
    size_t before = (size_t)(at - b->data), mark = 0;
    int kind = behind_boundary(at + m->boundary_len, b->len - before - m->boundary_len, &mark);
    from = before + 1;
    if (kind == 0)
      continue;
    if (emit(m, before, err))
      return -1;
    if (kind < 0)
      return 1;
    /* the line's end belongs to the head, so that an empty head is found too */
    buf_consume(b, m->boundary_len + mark);
    m->state = kind == 2 ? MULTIPART_DONE : MULTIPART_HEAD;
    return 0;
  }
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
  return m->state == MULTIPART_DONE ? 1 : find_boundary(m, err);
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
