/* See http_reader.h.
 *
 * The reader cuts its input into lines (start line, fields, chunk sizes) and runs of data. A line reaches
 * http-parser whole and checked, so http-parser never decides where a line ends; and a message ends where a
 * piece ends, so nothing of the next message is ever consumed with it. Lines of responses are repaired before.
 */
#include "lib/http/http_reader.h"

#include <http_parser.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/alloc.h"
#include "lib/http/http_line.h"
#include "lib/http/http_repair.h"

/* A chunk line is a number; extensions are read and dropped. */
#define MAX_CHUNK_LINE 4096

typedef enum Part {
  PART_START,
  PART_FIELDS,
  PART_SIZE,
  PART_CHUNK,
  PART_CHUNK_END,
  PART_TRAILERS,
  PART_BODY,
  PART_TO_EOF,
  PART_STOPPED
} Part;

struct HttpReader {
  HttpSide side;
  HttpReaderHandlers handlers;
  void *arg;
  http_parser parser;
  Part part;
  Buf line; /* a line that has not ended yet */
  HttpRepair repair;
  Buf mended;      /* a line of a response */
  bool inexact;    /* there were some, in any message */
  size_t head_len; /* bytes of head, or of trailers, so far */
  uint64_t left;   /* of the body or the chunk */
  bool no_body;    /* see http_reader_expect_no_body */
  bool ended;      /* http-parser saw the end of the message */
  Buf text;        /* target, names and values, each with a NUL behind it */
  Buf tail;        /* the same of trailers: text must not move once the head is out */
  struct {
    size_t name, value;
  } at[HTTP_MAX_HEADERS]; /* offsets into text or tail, which move while they grow */
  size_t n_fields;
  bool named; /* the field under way has its name, and no value yet */
  HttpHeader fields[HTTP_MAX_HEADERS];
  HttpHead head;
};

static size_t keep(HttpReader *r, const char *data, size_t len) {
  Buf *text = r->part == PART_TRAILERS ? &r->tail : &r->text;
  size_t at = text->len;
  /* fits: it holds what the head limit let through, and a NUL for each string */
  if (buf_append(text, data, len) != 0 || buf_append(text, "", 1) != 0)
    abort();
  return at;
}

static int on_url(http_parser *p, const char *data, size_t len) {
  keep(p->data, data, len);
  return 0;
}

static int on_field(http_parser *p, const char *data, size_t len) {
  HttpReader *r = p->data;
  if (r->n_fields == HTTP_MAX_HEADERS)
    return -1;
  r->at[r->n_fields].name = keep(r, data, len);
  r->named = true;
  return 0;
}

/* The last value goes on in a folded line, with the blank that it begins with. */
static void extend(HttpReader *r, const char *data, size_t len) {
  Buf *text = r->part == PART_TRAILERS ? &r->tail : &r->text;
  text->len--;
  keep(r, data, len);
}

static int on_value(http_parser *p, const char *data, size_t len) {
  HttpReader *r = p->data;
  while (len && (data[len - 1] == ' ' || data[len - 1] == '\t'))
    len--;
  if (r->named)
    r->at[r->n_fields++].value = keep(r, data, len);
  else
    extend(r, data, len);
  r->named = false;
  return 0;
}

/* Outcomes http-parser asks for: 0 a body may follow, 1 none does. */
static int on_headers_complete(http_parser *p) {
  HttpReader *r = p->data;
  if (r->side == HTTP_REQUESTS)
    return 0;
  int status = (int)p->status_code;
  bool interim = status < 200;
  bool none = interim || status == 204 || status == 304 || r->no_body;
  if (!interim)
    r->no_body = false;
  return none;
}

static int on_chunk_header(http_parser *p) {
  HttpReader *r = p->data;
  r->left = p->content_length;
  return 0;
}

static int on_body(http_parser *p, const char *data, size_t len) {
  HttpReader *r = p->data;
  r->handlers.on_body(r->arg, (const uint8_t *)data, len);
  return 0;
}

static int on_complete(http_parser *p) {
  HttpReader *r = p->data;
  r->ended = true;
  return 0;
}

static const http_parser_settings SETTINGS = {
    .on_url = on_url,
    .on_header_field = on_field,
    .on_header_value = on_value,
    .on_headers_complete = on_headers_complete,
    .on_chunk_header = on_chunk_header,
    .on_body = on_body,
    .on_message_complete = on_complete,
};

static void start(HttpReader *r) {
  http_parser_init(&r->parser, r->side == HTTP_REQUESTS ? HTTP_REQUEST : HTTP_RESPONSE);
  r->parser.data = r;
  /* of both, the coding counts (RFC 9112, 6.3) */
  r->parser.allow_chunked_length = r->side == HTTP_RESPONSES;
  r->repair = (HttpRepair){0};
  r->part = PART_START;
  r->head_len = r->n_fields = r->text.len = r->tail.len = r->line.len = 0;
  r->ended = false;
}

HttpReader *http_reader_new(HttpSide side, const HttpReaderHandlers *handlers, void *arg) {
  HttpReader *r = new0(HttpReader);
  r->side = side;
  r->handlers = *handlers;
  r->arg = arg;
  r->line = BUF_INIT(HTTP_MAX_HEAD_BYTES);
  r->mended = BUF_INIT(HTTP_MAX_HEAD_BYTES + 2);
  r->text = r->tail = BUF_INIT(HTTP_MAX_HEAD_BYTES + 2 * HTTP_MAX_HEADERS + 1);
  start(r);
  return r;
}

void http_reader_free(HttpReader *r) {
  if (!r)
    return;
  buf_deinit(&r->line);
  buf_deinit(&r->mended);
  buf_deinit(&r->text);
  buf_deinit(&r->tail);
  free(r);
}

void http_reader_expect_no_body(HttpReader *r) {
  r->no_body = true;
}

bool http_reader_is_exact(const HttpReader *r) {
  return !r->inexact;
}

static int execute(HttpReader *r, const char *data, size_t len, Error *err) {
  size_t n = http_parser_execute(&r->parser, &SETTINGS, data, len);
  enum http_errno e = HTTP_PARSER_ERRNO(&r->parser);
  if (e == HPE_CB_header_field)
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "more than %d header fields", HTTP_MAX_HEADERS);
  if (e == HPE_HEADER_OVERFLOW)
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "head is larger than %d bytes", HTTP_MAX_HEAD_BYTES);
  if (e != HPE_OK)
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s", http_errno_description(e));
  if (n != len && !r->ended)
    return error_set(err, ERROR_INVALID_ARGUMENT, "malformed message");
  return 0;
}

/* Fields from the first-th on, whose strings are in text. */
static void resolve(HttpReader *r, size_t first, const char *text) {
  for (size_t i = first; i < r->n_fields; i++)
    r->fields[i] = (HttpHeader){.name = text + r->at[i].name, .value = text + r->at[i].value};
}

/* Fills r->head. Refuses what http-parser allows: see http_reader.h on transfer codings. */
static int build_head(HttpReader *r, Error *err) {
  bool request = r->side == HTTP_REQUESTS;
  resolve(r, 0, buf_str(&r->text));
  r->head = (HttpHead){
      .method = request ? http_method_str((enum http_method)r->parser.method) : NULL,
      .target = request ? buf_str(&r->text) : NULL,
      .status = request ? 0 : (int)r->parser.status_code,
      .minor_version = r->parser.http_minor,
      .headers = r->fields,
      .n_headers = r->n_fields,
      .keep_alive = http_should_keep_alive(&r->parser),
      .chunked = (r->parser.flags & F_CHUNKED) != 0,
      .no_body = r->ended,
      .content_length = -1,
  };
  HttpHead *h = &r->head;
  const char *upgrade = http_head_get(h, "Upgrade");
  h->upgrade = request ? upgrade && *upgrade && http_head_has_token(h, "Connection", "upgrade") : h->status == 101;
  const char *length = http_head_get(h, "Content-Length");
  const char *coding = http_head_get(h, "Transfer-Encoding");
  if (coding) {
    if (http_head_count(h, "Transfer-Encoding") != 1 || strcasecmp(coding, "chunked") != 0 || h->minor_version == 0)
      return error_set(err, ERROR_INVALID_ARGUMENT, "unsupported transfer coding");
    if (length && request)
      return error_set(err, ERROR_INVALID_ARGUMENT, "both Content-Length and Transfer-Encoding");
  }
  if (length) {
    char *end;
    h->content_length = strtoll(length, &end, 10);
    if (http_head_count(h, "Content-Length") != 1 || *length < '0' || *length > '9' || *end)
      return error_set(err, ERROR_INVALID_ARGUMENT, "malformed Content-Length");
    if (h->content_length == INT64_MAX)
      return error_set(err, ERROR_INVALID_ARGUMENT, "Content-Length is too large");
    if (coding && !h->no_body)
      h->content_length = -1;
  }
  return 0;
}

static int end_head(HttpReader *r, Error *err) {
  if (build_head(r, err) != 0)
    return -1;
  if (!r->handlers.on_head(r->arg, &r->head)) {
    r->part = PART_STOPPED;
    return 0;
  }
  r->head_len = 0;
  if (r->head.chunked)
    r->part = PART_SIZE;
  else if (r->head.content_length >= 0)
    r->part = PART_BODY, r->left = (uint64_t)r->head.content_length;
  else
    r->part = PART_TO_EOF;
  return 0;
}

static void end_trailers(HttpReader *r) {
  resolve(r, r->head.n_headers, buf_str(&r->tail));
  for (size_t i = r->head.n_headers; r->handlers.on_trailer && i < r->n_fields; i++)
    r->handlers.on_trailer(r->arg, &r->fields[i]);
}

static HttpLine kind_of_line(const HttpReader *r) {
  if (r->part == PART_START)
    return r->side == HTTP_REQUESTS ? HTTP_LINE_REQUEST : HTTP_LINE_STATUS;
  /* what ends a chunk is an empty line, for which the kind says nothing */
  return r->part == PART_SIZE || r->part == PART_CHUNK_END ? HTTP_LINE_CHUNK : HTTP_LINE_FIELD;
}

static int take_line(HttpReader *r, const char *line, size_t len, bool folded, Error *err);

/* A whole line, with its LF. */
static int take_raw_line(HttpReader *r, const char *line, size_t len, Error *err) {
  if (r->side == HTTP_REQUESTS)
    return take_line(r, line, len, false, err);
  HttpRepaired done = http_repair(&r->repair, kind_of_line(r), line, len, &r->mended);
  if (done == HTTP_LINE_AS_IT_IS)
    return take_line(r, line, len, false, err);
  r->inexact = true;
  if (done == HTTP_LINE_DROPPED)
    return 0;
  return take_line(r, buf_str(&r->mended), r->mended.len, done == HTTP_LINE_FOLDED, err);
}

static int take_line(HttpReader *r, const char *line, size_t len, bool folded, Error *err) {
  bool empty = len == 2 && line[0] == '\r';
  HttpLine kind = kind_of_line(r);
  /* clients of old send an empty line behind a body (RFC 9112, 2.2); it counts as head */
  if (r->part == PART_START && r->side == HTTP_REQUESTS && empty)
    return 0;
  if (r->part == PART_CHUNK_END && !empty)
    return error_set(err, ERROR_INVALID_ARGUMENT, "chunk is longer than its size");
  if (r->part != PART_CHUNK_END && http_line_check(folded ? HTTP_LINE_FOLD : kind, line, len, err) != 0)
    return -1;
  if (execute(r, line, len, err) != 0)
    return -1;
  switch (r->part) {
  case PART_START:
    r->part = PART_FIELDS;
    return 0;
  case PART_FIELDS:
    return empty ? end_head(r, err) : 0;
  case PART_SIZE:
    r->part = r->left ? PART_CHUNK : PART_TRAILERS;
    return 0;
  case PART_CHUNK_END:
    r->part = PART_SIZE;
    return 0;
  default:
    if (empty)
      end_trailers(r);
    return 0;
  }
}

/* Consumes up to the end of the line; a line that comes in one piece is not copied. */
static int feed_line(HttpReader *r, const char *data, size_t len, size_t *ret_used, Error *err) {
  const char *lf = memchr(data, '\n', len);
  size_t n = lf ? (size_t)(lf - data) + 1 : len;
  *ret_used = n;
  if (r->part == PART_SIZE || r->part == PART_CHUNK_END) {
    if (r->line.len + n > MAX_CHUNK_LINE)
      return error_set(err, ERROR_RESOURCE_EXHAUSTED, "chunk line is too long");
  } else if ((r->head_len += n) > HTTP_MAX_HEAD_BYTES) {
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "head is larger than %d bytes", HTTP_MAX_HEAD_BYTES);
  }
  if (lf && r->line.len == 0)
    return take_raw_line(r, data, n, err);
  if (buf_append(&r->line, data, n) != 0)
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "head is larger than %d bytes", HTTP_MAX_HEAD_BYTES);
  if (!lf)
    return 0;
  int rc = take_raw_line(r, buf_str(&r->line), r->line.len, err);
  r->line.len = 0;
  return rc;
}

static int feed_data(HttpReader *r, const char *data, size_t len, size_t *ret_used, Error *err) {
  if (r->part != PART_TO_EOF && len > r->left)
    len = (size_t)r->left;
  *ret_used = len;
  if (execute(r, data, len, err) != 0)
    return -1;
  if (r->part == PART_TO_EOF)
    return 0;
  r->left -= len;
  if (r->part == PART_CHUNK && r->left == 0)
    r->part = PART_CHUNK_END;
  return 0;
}

static void finish(HttpReader *r) {
  start(r);
  if (r->handlers.on_end)
    r->handlers.on_end(r->arg);
}

int http_reader_feed(HttpReader *r, const void *data, size_t len, size_t *ret_used, Error *err) {
  *ret_used = 0;
  if (r->part == PART_STOPPED)
    return error_set(err, ERROR_INTERNAL, "reader was stopped");
  while (*ret_used < len) {
    const char *at = (const char *)data + *ret_used;
    size_t left = len - *ret_used, n = 0;
    bool is_data = r->part == PART_CHUNK || r->part == PART_BODY || r->part == PART_TO_EOF;
    int rc = is_data ? feed_data(r, at, left, &n, err) : feed_line(r, at, left, &n, err);
    if (rc != 0)
      return -1;
    *ret_used += n;
    if (r->part == PART_STOPPED)
      return 0;
    if (r->ended) {
      finish(r);
      return 0;
    }
  }
  return 0;
}

int http_reader_eof(HttpReader *r, Error *err) {
  if (r->part == PART_STOPPED || (r->part == PART_START && r->line.len == 0))
    return 0;
  if (r->part != PART_TO_EOF)
    return error_set(err, ERROR_INVALID_ARGUMENT, "the connection ended inside a message");
  if (execute(r, NULL, 0, err) != 0)
    return -1;
  finish(r);
  return 0;
}
