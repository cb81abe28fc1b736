/* HTTP/1.x messages out of bytes: a thin, pull-free wrapper of http-parser (RFC 9112), no I/O.
 *
 * One reader a connection and direction. It gives the head of a message whole, then its body piece by piece,
 * then the end. Refused in requests: both Content-Length and Transfer-Encoding, a second Content-Length, a transfer
 * coding other than chunked, bare CR and bare LF, obsolete line folding, whitespace before a colon, control
 * characters in names and values, versions other than 1.0 and 1.1, more than HTTP_MAX_HEAD_BYTES of head or
 * HTTP_MAX_HEADERS fields. It holds one head at most; body bytes pass through.
 *
 * Responses are read as browsers read them, for they come from small programs. A bare LF ends a line; folded lines are
 * joined; lines that are no field are left out, and so are blanks before a colon, an equal second Content-Length, a
 * coding of HTTP/1.0 or called identity, and empty lines before the first; of both lengths the coding counts. So what
 * comes behind a response that is not exact must not be another's.
 */
#ifndef SANDPLANE_LIB_HTTP_HTTP_READER_H_
#define SANDPLANE_LIB_HTTP_HTTP_READER_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

enum { HTTP_MAX_HEADERS = 128, HTTP_MAX_HEAD_BYTES = 64 << 10 };

typedef struct HttpHeader {
  const char *name;  /* as sent */
  const char *value; /* without surrounding blanks */
} HttpHeader;

/* Valid until the end of the message. */
typedef struct HttpHead {
  const char *method; /* requests */
  const char *target; /* requests, raw: "/a%20b?c=d" */
  int status;         /* responses */
  int minor_version;  /* HTTP/1.x */
  const HttpHeader *headers;
  size_t n_headers;
  bool keep_alive;
  bool upgrade; /* a request that asks to (Connection: upgrade), or a 101 */
  bool chunked;
  bool no_body;           /* nothing follows the head, whatever its fields say */
  int64_t content_length; /* -1: none */
} HttpHead;

typedef struct HttpReader HttpReader;

typedef enum HttpSide { HTTP_REQUESTS, HTTP_RESPONSES } HttpSide;

typedef struct HttpReaderHandlers {
  /* Return false to stop parsing behind the head (for example an upgrade): feed then returns with what it
   * used, and all further bytes are not HTTP. */
  bool (*on_head)(void *arg, const HttpHead *head);
  void (*on_body)(void *arg, const uint8_t *data, size_t len);
  /* One field behind the last chunk; may be NULL. */
  void (*on_trailer)(void *arg, const HttpHeader *field);
  void (*on_end)(void *arg);
} HttpReaderHandlers;

HttpReader *http_reader_new(HttpSide side, const HttpReaderHandlers *handlers, void *arg);
void http_reader_free(HttpReader *r); /* NULL-safe */
/* Responses: the next final (not 1xx) one answers a HEAD request and has no body. */
void http_reader_expect_no_body(HttpReader *r);
/* Responses: no line of what was read so far had to be mended or left out. Of both lengths the head tells. */
bool http_reader_is_exact(const HttpReader *r);
/* Parses up to len bytes, stopping after the end of one message. 0 and *ret_used; -1 and err
 * (INVALID_ARGUMENT; head too large: RESOURCE_EXHAUSTED), after which the reader is of no more use.
 * The handlers must not free the reader. */
int http_reader_feed(HttpReader *r, const void *data, size_t len, size_t *ret_used, Error *err) MUST_CHECK;
/* The peer closed: 0 when that is a proper end (between messages, or of a response without length), -1 when
 * it cuts a message. */
int http_reader_eof(HttpReader *r, Error *err) MUST_CHECK;

/* Value of the first field of that name, case-insensitive; NULL if there is none. */
const char *http_head_get(const HttpHead *head, const char *name);
/* Number of fields of that name. */
size_t http_head_count(const HttpHead *head, const char *name);
/* Whether a comma list holds the token, case-insensitive; of a head: in any field of that name. */
bool http_list_has_token(const char *list, const char *token);
bool http_head_has_token(const HttpHead *head, const char *name, const char *token);
const char *http_status_text(int status);

#endif
