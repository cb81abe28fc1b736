/* What is remembered of an HTTP request for its access log line and its metrics. Queries and credentials are
 * not in it. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_HTTP_LOG_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_HTTP_LOG_H_

#include "lib/http/http_reader.h"
#include "services/router/http/forward.h"
#include "services/router/router.h"
#include "services/router/target.h"

typedef struct HttpLog {
  bool active;
  bool quiet; /* /healthz */
  int64_t start_us;
  const char *method;
  char path[512];
  char user_agent[128];
  char client_ip[64];
  char client_subject[256]; /* cut; empty: none */
  Target target;
  const char *ns; /* label: "-" until the sandbox was found */
  int status;     /* of the answer under way */
  /* Of FAILURES, when a sandbox did not answer, or not to the end; "" otherwise. */
  const char *reason;
  TraceSpan *span; /* NULL: traces are off */
} HttpLog;

/* head NULL: bytes that were no request. */
void http_log_start(HttpLog *log, Router *router, const HttpHead *head, const ForwardPeer *peer);
/* Nothing when none is active. */
void http_log_end(HttpLog *log, Router *router, int status, uint64_t bytes_out);

#endif
