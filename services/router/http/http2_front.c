/* See http2_front.h. */
#include "services/router/http/http2_front.h"

#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/http2/http2_session.h"
#include "lib/rpc/rpc_http2.h"
#include "services/router/http/http2_call.h"
#include "services/router/http/http_peer.h"

/* Clients look the name up again when a connection ends: so they find replicas that were added. A replica that takes no
 * new connections has none left after it, and then loses no call at its end: the chart lets its Pods sleep longer
 * (preStopSleepSeconds). Calls under way go on. Spread by a tenth, so that not all come back at once. */
#define CONNECTION_AGE_MS 10000

struct Http2Front {
  Router *router;
  bool is_grpc;
  const ForwardPeer *peer;
  char name[HTTP_PEER_SIZE]; /* as gRPC has it */
  Http2Session *session;
  List calls;
  List rpc_calls;
  LoopTimer *age; /* of gRPC's clients alone */
  void (*over)(void *arg);
  void *arg;
};

static void count_refused(Http2Front *f, Http2Why why) {
  metrics_add(f->router->service->metrics, ROUTER_HTTP2_REFUSED, 1, http2_why_name(why), NULL, NULL);
}

/* A request that names a sandbox is for a port of it, whatever it carries. */
static bool is_for_the_router(const Router *r, bool is_grpc, const Http2Request *request) {
  for (size_t i = 0; i < request->n_fields; i++)
    if (strcmp(request->fields[i].name, "x-sandbox-id") == 0)
      return false;
  return is_grpc || r->all->grpc_by_http;
}

static void on_request(void *arg, Http2Stream *stream, const Http2Request *request) {
  Http2Front *f = arg;
  if (is_for_the_router(f->router, f->is_grpc, request) &&
      rpc_http2_take(f->router->rpc, stream, request, f->name, &f->rpc_calls))
    return;
  http2_call_new(f->router, stream, request, f->peer, &f->calls);
}

static void on_refused(void *arg, Http2Why why) {
  count_refused(arg, why);
}

/* Whether a bound was passed; all else is how connections end. */
static bool is_bound(Http2Why why) {
  return why != HTTP2_WHY_CLOSED && why != HTTP2_WHY_DRAINED && why != HTTP2_WHY_ENDED && why != HTTP2_WHY_IDLE;
}

static void on_over(void *arg, Http2Why why) {
  Http2Front *f = arg;
  if (is_bound(why)) {
    count_refused(f, why);
    log_event(LOG_INFO, "http2_refused", LOG_STR("bound", http2_why_name(why)), LOG_STR("client_ip", f->peer->ip));
  }
  f->over(f->arg);
}

static const Http2Handlers HANDLERS = {
    .on_request = on_request,
    .on_body = http2_call_body,
    .on_end = http2_call_end,
    .on_drain = http2_call_drain,
    .on_close = http2_call_close,
    .on_refused = on_refused,
    .on_over = on_over,
};

static void on_age(void *arg) {
  Http2Front *f = arg;
  http2_session_drain(f->session);
}

static void start_ageing(Http2Front *f) {
  uint16_t dice;
  random_bytes(&dice, sizeof dice);
  f->age = loop_timer_new(f->router->loop, on_age, f);
  loop_timer_start(f->age, CONNECTION_AGE_MS * 9 / 10 + dice % (CONNECTION_AGE_MS / 5));
}

Http2Front *http2_front_new(Router *router, bool is_grpc, Stream *stream, const ForwardPeer *peer,
                            void (*over)(void *arg), void *arg) {
  Http2Front *f = new0(Http2Front);
  f->is_grpc = is_grpc;
  f->router = router;
  f->over = over;
  f->arg = arg;
  list_init(&f->calls);
  list_init(&f->rpc_calls);
  f->peer = peer;
  http_peer_name(peer->ip, stream_fd(stream), f->name);
  f->session = http2_session_new(router->loop, stream, is_grpc ? &RPC_HTTP2_CONFIG : &HTTP2_DEFAULTS, &HANDLERS, f);
  if (is_grpc)
    start_ageing(f);
  return f;
}

void http2_front_free(Http2Front *f) {
  if (!f)
    return;
  loop_timer_free(f->age);
  http2_calls_free(&f->calls);
  rpc_http2_close(&f->rpc_calls);
  http2_session_free(f->session);
  free(f);
}

void http2_front_drain(Http2Front *f) {
  http2_session_drain(f->session);
}
