/* What of a message is passed on, and how it is framed on the other side. No I/O.
 *
 * Heads are written anew, field by field: hop-by-hop fields and whatever Connection names are dropped,
 * framing fields are the router's own, credentials and routing fields stay outside the sandbox, and claims
 * about where a request came from (Forwarded, X-Forwarded-*) are replaced by what the router saw itself.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_FORWARD_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_FORWARD_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/compiler.h"
#include "lib/http/http_reader.h"

typedef enum ForwardBody { FORWARD_NO_BODY, FORWARD_LENGTH, FORWARD_CHUNKED, FORWARD_TO_CLOSE } ForwardBody;

/* Whether a request asks for an upgrade that a program is to be told of. An offer of HTTP/2 is none: it is the router's
 * to take, a server may leave it (RFC 9110, 7.8), and Java's and JetBrains' clients send it with every request. */
bool forward_upgrades(const HttpHead *head);
/* The raw path and query of an origin-form or absolute-form target, or "*" of OPTIONS; NULL: neither. */
const char *forward_path(const HttpHead *head);

/* What becomes of the connection to the program behind the answer. */
typedef enum ForwardThen { FORWARD_THEN_CLOSE, FORWARD_THEN_KEEP, FORWARD_THEN_UPGRADE } ForwardThen;

/* Who is at the other end of a client's connection. */
typedef struct ForwardPeer {
  const char *ip;
  bool tls;
  const char *subject; /* of its certificate; NULL: it has shown none */
} ForwardPeer;

typedef struct ForwardRequest {
  const char *path;   /* with its query */
  const char *prefix; /* where path begins for the client; NULL or "": at the root */
  const ForwardPeer *peer;
  const char *proto;       /* "http" or "https", of the client's URL */
  uint16_t port;           /* inside the sandbox */
  ForwardThen then;        /* an upgrade is to what the client asks for */
  const char *traceparent; /* in the place of the client's; NULL: that is passed on */
  const char *cookie;      /* name of the router's own; NULL or "": none */
} ForwardRequest;

/* The result says how the body is to be written. -1 never comes: out must have room for 2 * HTTP_MAX_HEAD_BYTES. */
ForwardBody forward_request(Buf *out, const HttpHead *head, const ForwardRequest *request);

typedef struct ForwardClient {
  int minor_version;
  bool keep_alive; /* the client wants it and nothing on the router's side forbids it */
} ForwardClient;

/* *ret_keep_alive: the connection may serve another request behind this answer. */
ForwardBody forward_response(Buf *out, const HttpHead *head, ForwardClient client, bool *ret_keep_alive);
/* Answer to an upgrade that the sandbox agreed to. */
void forward_switch(Buf *out, const HttpHead *head);
/* One chunk of a chunked body; len is not 0. */
void forward_chunk(Buf *out, const uint8_t *data, size_t len);
/* Whether a field may stand behind a chunked body. */
bool forward_allows_trailer(const char *name);

typedef struct ForwardError {
  int status;
  const char *detail;
  const char *reason; /* a label; NULL or empty: none */
  /* Values of fields; NULL or "": none. */
  const char *allow, *location, *set_cookie;
} ForwardError;

/* Of one connection only, by its name or because Connection names it. */
bool forward_is_hop_by_hop(const HttpHead *head, const char *name);

/* Type, Allow, Location, Cache-Control, Set-Cookie, WWW-Authenticate, Retry-After. */
enum { FORWARD_ERROR_FIELDS = 7 };
/* The body of an answer of the router itself, {"detail": ..., "reason": ...}, and its fields but its length: how many.
 */
void forward_error_body(Buf *out, const ForwardError *error);
size_t forward_error_fields(const ForwardError *error, HttpHeader fields[FORWARD_ERROR_FIELDS]);
/* All of it. no_body: answers a HEAD request. */
void forward_error(Buf *out, const ForwardError *error, bool keep_alive, bool no_body);

#endif
