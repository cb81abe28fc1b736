/* One client connection of the HTTP listener: reads requests, one at a time, and writes their answers.
 *
 * A request is answered before the next one is looked at, so pipelined requests are answered in order, and
 * what a client sends ahead waits in at most 64 KiB. A body is never held: as much is read as the sandbox
 * takes, and as much of an answer as the client takes. A request the router refuses ends the connection if a
 * body follows it, and so does one that is malformed: nothing behind it can be trusted to be a request.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_HTTP_CONN_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_HTTP_CONN_H_

#include "lib/crypto/tls_handshake.h"
#include "services/router/router.h"

typedef struct HttpConn HttpConn;

/* A client that has come: fd, or in TLS a handshake that was agreed upon, which is still to be freed. */
typedef struct HttpArrival {
  int fd;
  TlsHandshake *handshake; /* NULL: plain */
  const char *peer_ip;
} HttpArrival;

/* In TLS the protocol is the one that was agreed upon, HTTP/1.1 if none was; else what the first bytes say. closed runs
 * once, when the connection is gone; never from inside. */
HttpConn *http_conn_new(Router *router, const HttpArrival *arrival, void (*closed)(void *arg, HttpConn *conn),
                        void *arg);
/* No further request: ends it now if it is idle, else behind the answer under way. One that has just come, or whose
 * request has, is answered once more. */
void http_conn_drain(HttpConn *conn);
/* Ends it now; closed runs. */
void http_conn_abort(HttpConn *conn);

/* For the listener's list. */
void http_conn_link(HttpConn *conn, HttpConn **head);
void http_conn_unlink(HttpConn *conn, HttpConn **head);
HttpConn *http_conn_next(const HttpConn *conn);

#endif
