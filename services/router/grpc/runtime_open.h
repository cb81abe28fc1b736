/* First frame of a call to the runtime in a sandbox, and its last one. */
#ifndef SANDPLANE_SERVICES_ROUTER_GRPC_RUNTIME_OPEN_H_
#define SANDPLANE_SERVICES_ROUTER_GRPC_RUNTIME_OPEN_H_

#include "lib/base/buf.h"
#include "lib/state/state.h"
#include "lib/wire/wire.h"

/* Appends OPEN. The claim's env goes along always: the runtime takes it at first contact, whichever router
 * that is, and ignores it afterwards. In a Pod the call names the sandbox, too. port: "Connect" only. timeout_ms: 0
 * none. traceparent: NULL none. -1: over out->max. */
int runtime_open(Buf *out, const char *method, const SandboxRecord *record, uint16_t port, int64_t timeout_ms,
                 const char *traceparent) MUST_CHECK;
/* The same without the claim's values: a runtime that is not bound answers RUNTIME_UNBOUND, and nothing is bound;
 * "Connect" in a Pod needs no binding. -1: as above. */
int runtime_open_bare(Buf *out, const char *method, const SandboxRecord *record, uint16_t port) MUST_CHECK;
/* FAILED_PRECONDITION with these words: not bound yet, and no values were given. */
#define RUNTIME_UNBOUND "unbound"
/* The STATUS frame as an error; kind ERROR_NONE when it says OK. A malformed one is INTERNAL. */
void runtime_status(const WireFrame *frame, Error *ret_status);

#endif
