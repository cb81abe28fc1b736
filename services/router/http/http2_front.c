/* See http2_front.h. */
#include "services/router/http/http2_front.h"

#include "lib/base/alloc.h"
#include "lib/http2/http2_session.h"
#include "services/router/http/http2_call.h"

struct Http2Front {
  Router *router;
  const ForwardPeer *peer;
  Http2Session *session;
  List calls;
  void (*over)(void *arg);
  void *arg;
};

static void count_refused(Http2Front *f, Http2Why why) {
  metrics_add(f->router->service->metrics, ROUTER_HTTP2_REFUSED, 1, http2_why_name(why), NULL, NULL);
}

static void on_request(void *arg, Http2Stream *stream, const Http2Request *request) {
  Http2Front *f = arg;
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

Http2Front *http2_front_new(Router *router, Stream *stream, const ForwardPeer *peer, void (*over)(void *arg),
                            void *arg) {
  Http2Front *f = new0(Http2Front);
  f->router = router;
  f->over = over;
  f->arg = arg;
  list_init(&f->calls);
  f->peer = peer;
  f->session = http2_session_new(router->loop, stream, &HTTP2_DEFAULTS, &HANDLERS, f);
  return f;
}

void http2_front_free(Http2Front *f) {
  if (!f)
    return;
  http2_calls_free(&f->calls);
  http2_session_free(f->session);
  free(f);
}

void http2_front_drain(Http2Front *f) {
  http2_session_drain(f->session);
}
