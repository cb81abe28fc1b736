/* A span of every gRPC call that a service serves (internal to lib/service). */
#ifndef SANDPLANE_LIB_SERVICE_SERVICE_TRACE_H_
#define SANDPLANE_LIB_SERVICE_SERVICE_TRACE_H_

#include "lib/rpc/rpc_server.h"
#include "lib/trace/trace.h"

/* Of the caller's trace, if it named one. NULL without a tracer. */
TraceSpan *service_trace_begin(Tracer *tracer, const RpcCall *call);
void service_trace_end(TraceSpan *span, ErrorKind status);

#endif
