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
/* What a runtime in a Pod sends first. Nothing it sends before is believed. */
typedef enum RuntimeAnswer {
  RUNTIME_MORE,     /* it has not sent all of it */
  RUNTIME_ACCEPTED, /* it is the sandbox that was meant, and lets the call in: *ret_used bytes of data say so */
  RUNTIME_ENDED,    /* with *ret_status */
  RUNTIME_STRANGER, /* no runtime of ours */
} RuntimeAnswer;
RuntimeAnswer runtime_first_answer(const uint8_t *data, size_t len, size_t *ret_used, Error *ret_status);
/* The STATUS frame as an error; kind ERROR_NONE when it says OK. A malformed one is INTERNAL. */
void runtime_status(const WireFrame *frame, Error *ret_status);

#endif
