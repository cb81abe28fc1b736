/* What the router asks the shared state about a sandbox, for every call and request anew.
 *
 * Nothing is cached: a read is one round trip on a pipelined connection, and DeleteSandbox promises that the
 * sandbox cannot be reached once it has returned. The claim's uid that goes to the runtime fences what
 * happens between the read and the call.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_SANDBOX_STORE_H_
#define SANDPLANE_SERVICES_ROUTER_SANDBOX_STORE_H_

#include "lib/base/error.h"
#include "lib/loop/loop.h"
#include "lib/state/state.h"
#include "services/router/target.h"

typedef struct SandboxLookup SandboxLookup;

/* record: of a CLAIMED sandbox, valid during the call. Otherwise NULL and err: NOT_FOUND, FAILED_PRECONDITION
 * (not claimed, or why it ended), or what the state store answered. */
typedef void (*SandboxLookupFn)(void *arg, const SandboxRecord *record, const Error *err);

/* Of a FAILED_PRECONDITION: nobody has claimed it, rather than it has ended. */
bool sandbox_is_unclaimed(const Error *err);

/* pass: NOT_FOUND for another owner's, as if there was none; PERMISSION_DENIED for another claim's. A Sandbox object
 * that no claim of ours holds is the tenant STATE_KUBERNETES_TENANT's, and has no uid. fn runs later, once, never from
 * inside. */
SandboxLookup *sandbox_lookup(State *state, Loop *loop, const char *ns, const char *id, const TargetPass *pass,
                              SandboxLookupFn fn, void *arg);
/* A sandbox that was CLAIMED by uid did not answer or broke off: waits up to 2 s for the state to say why. fn
 * gets UNAVAILABLE with the reason; record is NULL. */
SandboxLookup *sandbox_lookup_end(State *state, Loop *loop, const char *ns, const char *id, const char *uid,
                                  SandboxLookupFn fn, void *arg);
/* fn will not run. NULL-safe. */
void sandbox_lookup_cancel(SandboxLookup *lookup);

/* Keeps a claimed sandbox from idling out while it is in use. */
typedef struct Activity Activity;
/* steady: it is in use until activity_stop; otherwise only when noted. NULL when the claim has no idle
 * timeout; the functions below take it. now_ms: wall clock. */
Activity *activity_start(State *state, Loop *loop, const SandboxRecord *record, bool steady, int64_t now_ms);
void activity_note(Activity *activity, int64_t now_ms);
void activity_stop(Activity *activity, int64_t now_ms);

#endif
