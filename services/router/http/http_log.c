/* See http_log.h. */
#include "services/router/http/http_log.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"

void http_log_start(HttpLog *log, Router *router, const HttpHead *head, const ForwardPeer *peer) {
  *log = (HttpLog){.active = true, .start_us = clock_mono_us(), .method = "-", .ns = "-", .reason = ""};
  snprintf(log->client_ip, sizeof log->client_ip, "%s", peer->ip);
  snprintf(log->client_subject, sizeof log->client_subject, "%s", peer->subject ? peer->subject : "");
  str_cut_utf8(log->client_subject);
  metrics_add(router->service->metrics, ROUTER_INFLIGHT, 1, NULL, NULL, NULL);
  if (!head)
    return;
  log->method = head->method;
  snprintf(log->path, sizeof log->path, "%.*s", (int)strcspn(head->target, "?"), head->target);
  const char *agent = http_head_get(head, "User-Agent");
  snprintf(log->user_agent, sizeof log->user_agent, "%s", agent ? agent : "");
  log->quiet = strcmp(log->path, "/healthz") == 0;
  if (log->quiet || !router->service->tracer)
    return;
  log->span = trace_start(router->service->tracer, TRACE_SERVER, head->method, http_head_get(head, "Traceparent"),
                          http_head_get(head, "Tracestate"));
  trace_str(log->span, "http.request.method", head->method);
}

/* The path is the sandbox's business and not in it. */
static void end_span(HttpLog *log, int status) {
  if (!log->span)
    return;
  if (*log->target.id) {
    trace_str(log->span, "sandplane.namespace", log->target.ns);
    trace_str(log->span, "sandplane.sandbox", log->target.id);
  }
  trace_int(log->span, "http.response.status_code", status);
  if (status >= 500)
    trace_fail(log->span, log->reason);
  trace_end(log->span);
  log->span = NULL;
}

void http_log_end(HttpLog *log, Router *router, int status, uint64_t bytes_out) {
  if (!log->active)
    return;
  log->active = false;
  end_span(log, status);
  Metrics *m = router->service->metrics;
  double seconds = (double)(clock_mono_us() - log->start_us) / 1e6;
  char code[16];
  snprintf(code, sizeof code, "%d", status);
  metrics_add(m, ROUTER_INFLIGHT, -1, NULL, NULL, NULL);
  metrics_add(m, ROUTER_REQUESTS, 1, log->method, code, log->ns);
  metrics_observe(m, ROUTER_REQUEST_SECONDS, seconds, log->method, code, log->ns);
  if (log->quiet || !router->config->access_log)
    return;
  log_event(LOG_INFO, "request", LOG_STR("method", log->method), LOG_STR("path", log->path), LOG_INT("status", status),
            LOG_DOUBLE("duration_ms", seconds * 1000), LOG_STR("client_ip", log->client_ip),
            LOG_STR("client_subject", log->client_subject), LOG_STR("sandbox_id", log->target.id),
            LOG_STR("sandbox_namespace", log->target.ns), LOG_INT("bytes_out", (int64_t)bytes_out),
            LOG_STR("user_agent", log->user_agent), LOG_STR("reason", log->reason));
}
