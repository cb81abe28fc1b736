/* An HTTPS server for the few, small questions that Kubernetes asks its webhooks (evhttp over OpenSSL).
 *
 * Handlers run on the loop and answer at once. Whatever a client can make grow has a limit: body, head, number of
 * connections, time for a request. A certificate is replaced while running: connections that are open keep
 * theirs, new ones get the new. TLS 1.2 and later, HTTP/1.1 only. Client certificates are not asked for: who
 * may reach the port is the network's business, and nothing is told that the asker did not send.
 *
 * The server answers by itself: 404 to a path without a route, 405 to another method, 413 to a body that is too
 * large, 400 to what is not HTTP or has too long a head. A client that sends on meanwhile may see a reset instead. One
 * that asks whether to go on (Expect) must wait for the answer: evhttp can drop a connection whose body comes with
 * the question. Needs SIGPIPE ignored, as lib/service has it.
 */
#ifndef SANDPLANE_LIB_HTTPS_HTTPS_SERVER_H_
#define SANDPLANE_LIB_HTTPS_HTTPS_SERVER_H_

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/loop/loop.h"

/* Valid during the handler. */
typedef struct HttpsRequest {
  const char *method;
  const char *path;         /* raw, without the query */
  const char *query;        /* raw, may be NULL */
  const char *content_type; /* may be NULL */
  const uint8_t *body;      /* not terminated */
  size_t body_len;
} HttpsRequest;

/* Starts as 200 and empty. */
typedef struct HttpsReply {
  int status;
  const char *content_type; /* NULL: application/json; read when the handler has returned */
  Buf body;
} HttpsReply;

typedef struct HttpsRoute {
  const char *method; /* "GET", "POST", ... */
  const char *path;
  void (*handle)(void *arg, const HttpsRequest *in, HttpsReply *out);
} HttpsRoute;

typedef struct HttpsConfig {
  const char *address; /* "host:port", ":port" for all of IPv4; port 0: any */
  /* The certificate (first) and its chain, and the key. */
  const char *cert_pem, *key_pem;
  const HttpsRoute *routes; /* kept by reference */
  size_t n_routes;
  void *arg; /* of all handlers */
  size_t max_body;
  /* Further ones wait in the kernel until one of these ends. */
  int max_connections;
  /* From the accept or the first byte of a request to its last one; also for the client to take the answer. */
  int64_t request_timeout_ms;
  /* Between an answer and the first byte of the next request. */
  int64_t idle_timeout_ms;
} HttpsConfig;

typedef struct HttpsServer HttpsServer;

/* NULL and err: an address that cannot be bound, a certificate that cannot be used. */
HttpsServer *https_server_new(Loop *loop, const HttpsConfig *config, Error *err);
/* Closes all connections; their last memory goes with the loop's next turn, or with the loop. */
void https_server_free(HttpsServer *server); /* NULL-safe */
uint16_t https_server_port(const HttpsServer *server);
/* For connections from now on. -1: it cannot be used, and the old one stays. */
int https_server_set_certificate(HttpsServer *server, const char *cert_pem, const char *key_pem, Error *err) MUST_CHECK;

#endif
