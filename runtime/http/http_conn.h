/* One HTTP/1.1 connection: requests in, responses out, one after the other. */
#ifndef SANDPLANE_RUNTIME_HTTP_HTTP_CONN_H_
#define SANDPLANE_RUNTIME_HTTP_HTTP_CONN_H_

#include "lib/http/http_reader.h"
#include "lib/loop/stream.h"
#include "runtime/runtime.h"

typedef struct HttpConn HttpConn;

/* What answers one request. Callbacks may respond at any time after on_start; the rest of the body is then
 * dropped. */
typedef struct HttpHandler {
  /* path: percent-decoded, without query. */
  void (*on_start)(HttpConn *c, const HttpHead *head, const char *path);
  void (*on_body)(HttpConn *c, const uint8_t *data, size_t len);
  /* The request is complete. */
  void (*on_complete)(HttpConn *c);
  /* A streamed response may go on. Optional. */
  void (*on_drained)(HttpConn *c);
  /* The exchange is over, answered or cut: free http_conn_data. Optional. */
  void (*on_end)(HttpConn *c);
} HttpHandler;

/* Finds the handler of a request; NULL: respond has been called. */
typedef const HttpHandler *(*HttpRouteFn)(HttpConn *c, const HttpHead *head, const char *path);

void http_conn_accept(Runtime *rt, int fd, HttpRouteFn route);

Runtime *http_conn_runtime(const HttpConn *c);
void http_conn_set_data(HttpConn *c, void *data);
void *http_conn_data(const HttpConn *c);

/* The whole response. headers: further lines, each ending in CRLF, or "". */
void http_conn_respond(HttpConn *c, int status, const char *type, const char *headers, const void *body, size_t len);
void http_conn_respond_json(HttpConn *c, int status, const char *json);
/* A response in pieces, of known length or, chunked, of any: begin, then data until all has been sent, then finish. */
void http_conn_begin(HttpConn *c, int status, const char *type, const char *headers, int64_t len);
void http_conn_begin_chunked(HttpConn *c, int status, const char *type);
void http_conn_data_out(HttpConn *c, const void *data, size_t len);
/* What makes a response in pieces stops when this is STREAM_HIGH, until on_drained. */
size_t http_conn_pending(const HttpConn *c);
void http_conn_finish(HttpConn *c);
/* Cuts the connection: the only way to say that a begun response went wrong. */
void http_conn_abort(HttpConn *c);

/* Percent-decodes. false: malformed or holds a NUL. out holds strlen(s) + 1 bytes. */
bool http_unquote(const char *s, char *out);

#endif
