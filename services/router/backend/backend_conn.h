/* One connection to a replica: from the attempt over HTTP/2's greeting to its end. On the loop's thread. */
#ifndef SANDPLANE_SERVICES_ROUTER_BACKEND_BACKEND_CONN_H_
#define SANDPLANE_SERVICES_ROUTER_BACKEND_BACKEND_CONN_H_

#include "lib/base/address.h"
#include "lib/base/list.h"
#include "lib/http2/http2_client.h"

typedef enum BackendConnState {
  BACKEND_CONN_CONNECTING, /* until the replica's SETTINGS */
  BACKEND_CONN_READY,
  BACKEND_CONN_LEAVING, /* no further request; those under way may go on */
  BACKEND_CONN_OVER,    /* to be freed */
} BackendConnState;

typedef struct BackendConn BackendConn;
struct BackendConn {
  ListLink link; /* the owner's */
  BackendConnState state;
  Http2Session *session; /* NULL while it connects, and when it is over */
  char why[64];          /* it is over */
  bool was_ready;
  /* inside */
  Loop *loop;
  struct StreamConnect *connect;
  Http2ClientHandlers handlers;
  void (*fn)(void *arg, BackendConn *conn);
  void *arg;
};

/* streams: what requests are told, by their owners; on_change and on_over are left out. fn runs later, whenever state
 * may have changed or the session has room again, also inside of handlers of requests; it may free the connection. */
BackendConn *backend_conn_new(Loop *loop, const Address *to, const Http2ClientHandlers *streams,
                              void (*fn)(void *arg, BackendConn *conn), void *arg);
/* Requests under way are not told. NULL-safe. */
void backend_conn_free(BackendConn *conn);
/* For one more request. */
bool backend_conn_has_room(const BackendConn *conn);
/* Not while it connects: no further request; it is over behind the last. fn follows. */
void backend_conn_retire(BackendConn *conn);

#endif
