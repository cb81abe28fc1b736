/* See service_trace.h. Names and attributes are those of the OpenTelemetry conventions for RPC. */
#include "lib/service/service_trace.h"

#include <string.h>

#include "lib/base/str.h"

TraceSpan *service_trace_begin(Tracer *tracer, const RpcCall *call) {
  if (!tracer)
    return NULL;
  const char *path = rpc_call_path(call) + 1; /* "package.Service/Method" */
  TraceSpan *span = trace_start(tracer, TRACE_SERVER, path, rpc_call_metadata(call, "traceparent"),
                                rpc_call_metadata(call, "tracestate"));
  const char *slash = strrchr(path, '/');
  if (!slash || !trace_is_recorded(span))
    return span;
  CLEANUP(str_freep) char *service = str_ndup(path, (size_t)(slash - path));
  trace_str(span, "rpc.system", "grpc");
  trace_str(span, "rpc.service", service);
  trace_str(span, "rpc.method", slash + 1);
  return span;
}

/* Those that are the server's fault, by the conventions: a caller's mistake is no error of the server's span. */
static bool is_fault(ErrorKind status) {
  switch (status) {
  case ERROR_UNKNOWN:
  case ERROR_DEADLINE_EXCEEDED:
  case ERROR_UNIMPLEMENTED:
  case ERROR_INTERNAL:
  case ERROR_UNAVAILABLE:
  case ERROR_DATA_LOSS:
    return true;
  default:
    return false;
  }
}

void service_trace_end(TraceSpan *span, ErrorKind status) {
  trace_int(span, "rpc.grpc.status_code", status);
  if (is_fault(status))
    trace_fail(span, error_kind_name(status));
  trace_end(span);
}
