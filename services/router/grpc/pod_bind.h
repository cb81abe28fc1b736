/* Binds the runtime of a Pod to the claim that has it, or only asks whether there is one of ours.
 *
 * A call into a Pod binds it on the way; HTTP goes straight to the Pod's ports, so it is bound before. The claim's
 * values leave only towards what has said, in the runtime's own protocol, that it is this sandbox and not bound yet.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_GRPC_POD_BIND_H_
#define SANDPLANE_SERVICES_ROUTER_GRPC_POD_BIND_H_

#include "services/router/router.h"

typedef struct PodBind PodBind;
/* err NULL: it is bound, or only answers. FAILED_PRECONDITION: what answers is no runtime of ours, or that of another
 * sandbox; PERMISSION_DENIED: it serves another claim; UNAVAILABLE: its address does not answer. */
typedef void (*PodBindFn)(void *arg, const Error *err);

/* record: copied; its route is a Pod's. bind false: only asks. fn runs later, once, within POD_BIND_MS. */
PodBind *pod_bind_new(const Router *router, const SandboxRecord *record, bool bind, PodBindFn fn, void *arg);
/* fn will not run. NULL-safe; not after fn has run. */
void pod_bind_free(PodBind *b);

/* Far above what a runtime needs that answers at all, below what clients wait for a connection. */
enum { POD_BIND_MS = 4000 };

#endif
