/* The connections that evhttp does not show: how many there are, and until when each must be done.
 *
 * evhttp limits only the pause between two bytes, which a client that sends one byte a second never exceeds, and
 * knows no maximum of connections. So each has one timer that a whole request must beat, and the listener
 * rests while there are as many as allowed. A connection's end is seen where its SSL is freed; that comes a
 * turn of the loop after evhttp let it go, perhaps after the server is gone, so the group is counted.
 */
#ifndef SANDPLANE_LIB_HTTPS_HTTPS_CONN_H_
#define SANDPLANE_LIB_HTTPS_HTTPS_CONN_H_

#include <stdint.h>

#include "lib/crypto/tls.h"
#include "lib/loop/loop.h"

struct bufferevent;
struct evconnlistener;
struct evhttp_request;

typedef struct HttpsConns HttpsConns;

HttpsConns *https_conns_new(Loop *loop, int max, int64_t request_timeout_ms, int64_t idle_timeout_ms);
/* The server's part in it ends; what it listened on is not touched again. */
void https_conns_release(HttpsConns *conns);
void https_conns_set_listener(HttpsConns *conns, struct evconnlistener *listener);
/* A connection is accepted: its TLS, for evhttp, which owns it. */
struct bufferevent *https_conns_accept(HttpsConns *conns, Tls *tls);
/* A request is there whole, and its answer is about to be sent. */
void https_conn_answering(struct evhttp_request *req);

#endif
