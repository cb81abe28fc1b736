/* Single sandboxes: what their holders do, and what makes and ends them. */
#ifndef SANDPLANE_LIB_STATE_STATE_SANDBOX_H_
#define SANDPLANE_LIB_STATE_STATE_SANDBOX_H_

#include "lib/state/state.h"

/* NOT_FOUND. */
void state_get(State *s, const char *ns, const char *id, StateRecordFn fn, void *arg);
/* CLAIMED or FAILED -> RELEASING; uid empty: any claim. Also retires READY ones. Unknown: success. */
void state_release(State *s, const char *ns, const char *id, const char *uid, const char *reason, StateDoneFn fn,
                   void *arg);

/* NOT_FOUND, FAILED_PRECONDITION (not CLAIMED). An expire_ms that has passed releases it in the same step: by the
 * server's clock, not the caller's. */
void state_update(State *s, const char *ns, const char *id, const SandboxUpdate *u, StateRecordFn fn, void *arg);
/* Notes activity for the idle timeout. */
void state_touch(State *s, const char *ns, const char *id, const char *uid, StateDoneFn fn, void *arg);

typedef struct StateExpired {
  int n_ended;
  int64_t next_ms; /* when to look again; INT64_MAX: when something changes */
  int64_t n_waiting;
  int64_t oldest_ms; /* how long the oldest waiter has waited; 0: nobody waits */
} StateExpired;
typedef void (*StateExpiredFn)(void *arg, const StateExpired *e, const Error *err);
/* Ends what is past its time in one pool: claims, unconfirmed grants, waiters (at most 100 a call). */
void state_expire(State *s, const char *ns, const char *pool, StateExpiredFn fn, void *arg);

typedef struct SandboxPage {
  const SandboxRecord *records;
  size_t n_records;
  /* Last id looked at when there may be more, NULL at the end. */
  const char *next;
} SandboxPage;
typedef void (*StatePageFn)(void *arg, const SandboxPage *page, const Error *err);
/* Sandboxes of one pool in lexical order, after the id `after` (empty: from the start), at most limit.
 * Without env. */
void state_list(State *s, const char *ns, const char *pool, const char *after, size_t limit, StatePageFn fn, void *arg);

/* ---- making and ending sandboxes ---- */

/* pools: registers new names as CREATING, all or none; template_name and hash as of now. */
void state_register(State *s, const char *ns, const char *pool, const char *template_name, const char *template_hash,
                    const char *const *ids, size_t n_ids, StateDoneFn fn, void *arg);
typedef enum StateRetire {
  RETIRE_READY = 0,
  RETIRE_STALE = 1, /* READY ones whose hash is not the pool's */
  RETIRE_ANY = 2,   /* CREATING ones first, then READY ones */
} StateRetire;
/* pools: -> RELEASING, for reason. At most n; the newest first. fn gets how many. */
void state_retire(State *s, const char *ns, const char *pool, StateRetire which, size_t n, const char *reason,
                  StateCountFn fn, void *arg);
typedef void (*StateReadyFn)(void *arg, bool granted, const Error *err);
/* reconciler: it runs and answers. CREATING -> READY, or straight to the first waiter's CLAIMED. *granted
 * tells. CLAIMED: its route is brought up to date. FAILED_PRECONDITION: in another state (READY at another route: not
 * any more): destroy it. */
void state_ready(State *s, const char *ns, const char *id, const char *route, const char *runtime_class,
                 StateReadyFn fn, void *arg);
/* reconciler: it ended by itself or never came up. CLAIMED -> FAILED; CREATING and READY: gone at once.
 * reason: CamelCase. Unknown: success. */
void state_failed(State *s, const char *ns, const char *id, const char *reason, const char *message, StateDoneFn fn,
                  void *arg);
/* reconciler: somebody deleted it in the world, or it was lost. As state_failed, and counts as no failed start. */
void state_deleted(State *s, const char *ns, const char *id, const char *reason, const char *message, StateDoneFn fn,
                   void *arg);
typedef void (*StateHeldFn)(void *arg, bool held, const Error *err);
/* reconciler: it is there and can be given to nobody. As state_failed, but one that somebody holds stays as it is:
 * held tells, and then it must not be destroyed. Of a pending grant the waiter is sent away, as nobody has it yet.
 * has_failed: it counts as state_failed counts. */
void state_unfit(State *s, const char *ns, const char *id, bool has_failed, const char *reason, const char *message,
                 StateHeldFn fn, void *arg);
/* reconciler: it is there and not ready just now. READY -> CREATING; any other state, unknown: success. */
void state_unready(State *s, const char *ns, const char *id, StateDoneFn fn, void *arg);
/* reconciler: nothing of it is left. Removes the record. Unknown: success. */
void state_gone(State *s, const char *ns, const char *id, StateDoneFn fn, void *arg);
/* Tells of each record that state_gone removed how long it was RELEASING. */
void state_on_reaped(State *s, void (*fn)(void *arg, int64_t releasing_ms), void *arg);
/* reconciler: the world says that the claim `uid` holds it; the record is made or corrected, the route kept up to date.
 * pool_deleted: it is put back although there is no pool for it any more. Fields read: ns, id, uid, template_name,
 * template_hash, route, runtime_class, labels, env, expire_ms, tenant (NULL: STATE_KUBERNETES_TENANT).
 * FAILED_PRECONDITION: another claim has it here; NOT_FOUND: there is no such pool. */
void state_restore(State *s, const SandboxRecord *held, bool pool_deleted, StateDoneFn fn, void *arg);
typedef void (*StateIdsFn)(void *arg, const char *const *ids, size_t n_ids, const Error *err);
/* pools: CREATING ids of one pool, oldest first, at most 1000. */
void state_creating(State *s, const char *ns, const char *pool, StateIdsFn fn, void *arg);
/* reconciler: ids to destroy in one pool, oldest first, at most 1000. */
void state_releasing(State *s, const char *ns, const char *pool, StateIdsFn fn, void *arg);
void state_on_releasing(State *s, StateHintFn fn, void *arg);

#endif
