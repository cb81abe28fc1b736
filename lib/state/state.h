/* The shared state: typed access to what keys and scripts hold. See state_keys.h for the keys, scripts/ for
 * the transitions, each one atomic.
 *
 * Everything is asynchronous on the loop. A result is valid during its callback only; err is NULL on
 * success. Outcomes that a caller handles are in the result, not in err. After UNAVAILABLE it is unknown
 * whether a transition took place: all of them may be repeated with the same arguments (but state_retire,
 * which would retire as many again: count first).
 * Here is the state itself; what can be asked of it stands by noun in state_claim.h, state_batch.h, state_sandbox.h,
 * state_pool.h, state_template.h, state_quota.h, state_events.h, state_address.h and state_lease.h.
 */
#ifndef SANDPLANE_LIB_STATE_STATE_H_
#define SANDPLANE_LIB_STATE_STATE_H_

#include "lib/base/error.h"
#include "lib/base/metrics.h"
#include "lib/redis/redis.h"
#include "lib/state/state_record.h"

typedef struct State State;

/* replica: unique name of this process, for grants. now_ms: 0 uses the Redis server's clock, the only one
 * that all services share; tests set their own. */
State *state_new(RedisClient *redis, const char *replica);
/* After redis_client_free, which still runs callbacks. NULL-safe. */
void state_free(State *state);
void state_set_now(State *state, int64_t now_ms);
/* Counts calls to the store and how long they take in metrics, from then on; NULL: no longer. */
void state_count(State *state, Metrics *metrics);
/* In the metrics of another, of the same process. */
void state_count_with(State *state, const State *other);

typedef struct StateNames {
  const char *const *names; /* "namespace/name" */
  size_t n_names;
} StateNames;

typedef void (*StateRecordFn)(void *arg, const SandboxRecord *r, const Error *err);
typedef void (*StateNamesFn)(void *arg, const StateNames *n, const Error *err);
/* Something of this pool changed. ns NULL, after a (re)connect: read all again. */
typedef void (*StateHintFn)(void *arg, const char *ns, const char *pool);
typedef void (*StateDoneFn)(void *arg, const Error *err);
typedef void (*StateCountFn)(void *arg, int n, const Error *err);

#endif
