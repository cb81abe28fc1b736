/* The inside of an HttpConn, shared by its parts, each of which uses those behind it: http_conn.c reads requests,
 * http_answer.c and http_rpc.c write answers, http_conn_end.c ends both. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_HTTP_CONN_STATE_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_HTTP_CONN_STATE_H_

#include "lib/loop/stream.h"
#include "services/router/http/admit.h"
#include "services/router/http/exchange.h"
#include "services/router/http/forward.h"
#include "services/router/http/http2_front.h"
#include "services/router/http/http_conn.h"
#include "services/router/http/http_log.h"

typedef enum Phase { PHASE_IDLE, PHASE_HEAD, PHASE_ANSWER, PHASE_TUNNEL, PHASE_CLOSING, PHASE_HTTP2 } Phase;

struct HttpConn {
  Router *router;
  bool is_grpc;
  void (*closed)(void *arg, HttpConn *conn);
  void *closed_arg;
  HttpConn *next, *prev;
  char peer_ip[64], *subject;
  ForwardPeer peer;  /* of these two */
  Stream *stream;    /* NULL: it is front's */
  Http2Front *front; /* PHASE_HTTP2 */
  bool is_http1;     /* its first bytes were looked at */
  HttpReader *reader;
  LoopTimer *timer;
  Phase phase;
  bool draining;
  uint64_t close_sent;
  int close_steps;

  /* The request being answered. */
  Exchange *exchange;
  RpcHttpCall *rpc; /* instead of an exchange: a call of gRPC-Web */
  bool rpc_ended, rpc_chunked;
  int rpc_status;
  size_t rpc_untaken;
  uint64_t rpc_sent; /* when the timer was started */
  HttpLog log;
  bool request_done; /* its body was read */
  bool keep_alive, is_head, expects_continue, upgrade;
  int minor_version;
  ForwardBody request_body, answer_body;
  bool answered; /* the answer's head was sent */
  bool trailers; /* and its last chunk */
  uint64_t sent_before;
};

/* The answer is sent: the next request, or the end. */
void http_conn_over(HttpConn *conn, int status);
/* Cuts an answer that cannot be completed, so that nobody takes it for whole. */
void http_conn_reset(HttpConn *conn);
/* Waits for the next request. */
void http_conn_idle(HttpConn *conn);
/* Nothing more is sent: the client takes the rest, step by step. */
void http_conn_close(HttpConn *conn);
void http_conn_step_closing(HttpConn *conn);
void http_conn_drop_exchange(HttpConn *conn);
/* At once; closed runs. */
void http_conn_free(HttpConn *conn);

/* The sandbox's answer, as it comes. arg: the HttpConn. */
extern const ExchangeHandlers HTTP_ANSWER_HANDLERS;
/* The router's own. */
void http_answer_error(HttpConn *conn, int status, const char *detail);
/* A refusal of admit.h, or where to go instead. */
void http_answer_admission(HttpConn *conn, const Admission *admission);
void http_answer_health(HttpConn *conn);

#endif
