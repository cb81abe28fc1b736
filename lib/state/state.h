/* The shared state: typed access to what keys and scripts hold. See state_keys.h for the keys, scripts/ for
 * the transitions, each one atomic.
 *
 * Everything is asynchronous on the loop. A result is valid during its callback only; err is NULL on
 * success. Outcomes that a caller handles are in the result, not in err. After UNAVAILABLE it is unknown
 * whether a transition took place: all of them may be repeated with the same arguments (but state_retire,
 * which would retire as many again: count first).
 */
#ifndef SANDPLANE_LIB_STATE_STATE_H_
#define SANDPLANE_LIB_STATE_STATE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/metrics.h"
#include "lib/redis/redis.h"
#include "lib/state/state_keys.h"

typedef enum SandboxState {
  SANDBOX_UNKNOWN = 0, /* numbers as in sandplane.v1.Sandbox.State */
  SANDBOX_CREATING = 1,
  SANDBOX_READY = 2,
  SANDBOX_CLAIMED = 3,
  SANDBOX_RELEASING = 4,
  SANDBOX_FAILED = 5,
} SandboxState;

/* A key and a value; used for labels and env. */
typedef struct StatePair {
  const char *key;
  const char *value;
} StatePair;

typedef struct SandboxRecord {
  const char *ns;
  const char *pool;
  const char *id;
  SandboxState state;
  const char *uid; /* of the claim; empty before */
  const char *template_name;
  const char *template_hash;
  const char *runtime_class;
  /* Where the runtime listens: "unix:/path" or "tcp:host:port"; "pod:IP" (no brackets): a Pod, whose ports are
   * reached as they are and which need not have our runtime. */
  const char *route;
  /* Why it is not usable, for FAILED and RELEASING. */
  const char *reason;
  const char *message;
  int64_t create_ms, ready_ms, claim_ms;
  int64_t expire_ms;       /* end of the time to live; 0: never */
  int64_t idle_timeout_ms; /* 0: none */
  int64_t active_ms;       /* last call seen */
  int64_t wait_ms;         /* time in the queue */
  bool pending;            /* granted to a waiter that has not confirmed yet */
  const char *tenant;      /* whose quota the claim counts against; empty before */
  const StatePair *labels;
  size_t n_labels;
  const StatePair *env;
  size_t n_env;
} SandboxRecord;

typedef struct State State;

/* replica: unique name of this process, for grants. now_ms: 0 uses the Redis server's clock, the only one
 * that all services share; tests set their own. */
State *state_new(RedisClient *redis, const char *replica);
/* After redis_client_free, which still runs callbacks. NULL-safe. */
void state_free(State *state);
void state_set_now(State *state, int64_t now_ms);
/* Counts calls to the store and how long they take in metrics, from then on; NULL: no longer. */
void state_count(State *state, Metrics *metrics);

/* ---- claims ---- */

/* Of callers that nobody has told apart, and of claims that are objects of a cluster. */
#define STATE_DEFAULT_TENANT "default"
#define STATE_KUBERNETES_TENANT "kubernetes"

typedef struct ClaimRequest {
  const char *ns;
  const char *pool;
  const char *uid;                 /* made by the caller, kept across retries */
  const char *request_id;          /* empty: none; of the tenant's own */
  int64_t ttl_ms, idle_timeout_ms; /* 0: none */
  const StatePair *labels;
  size_t n_labels;
  const StatePair *env;
  size_t n_env;
  /* 0: do not queue. Otherwise the waiter is dropped this long after it was queued. */
  int64_t max_wait_ms;
  const char *tenant; /* a DNS label; NULL: STATE_DEFAULT_TENANT */
  int priority;       /* -1, 0 or 1, among the waiters of the tenant: a level is worth 10 s of waiting */
} ClaimRequest;

typedef enum ClaimOutcome {
  CLAIM_GRANTED, /* record is the claimed sandbox */
  CLAIM_QUEUED,  /* token: a grant follows on the grant channel, then state_confirm */
  CLAIM_EMPTY,   /* nothing ready, max_wait_ms 0 */
  CLAIM_FULL,    /* the tenant has as many waiters as there are places left: 10,000 of its own when it is alone */
  CLAIM_NO_POOL,
  CLAIM_ENDED,   /* request_id belongs to a claim whose sandbox is gone */
  CLAIM_REFUSED, /* the tenant's quota has no room: refusal */
} ClaimOutcome;

/* Which limit of a quota a claim would have broken. */
typedef struct QuotaRefusal {
  const char *limit; /* "live", "cpu" (thousandths), "memory" (bytes), "rate"; "shape": what the template asks for is
                      * not known yet */
  const char *allowed, *used; /* rate: claims a second, burst */
  int64_t retry_ms;           /* when to ask again; 0: when something was let go of */
} QuotaRefusal;

typedef struct ClaimResult {
  ClaimOutcome outcome;
  const SandboxRecord *record;
  const char *token;
  const QuotaRefusal *refusal;
} ClaimResult;

/* Idempotent by uid and by request_id: the same sandbox again (GRANTED, in whatever state it is by now; when
 * record->pending, state_confirm is still owed) or the same place in the queue (QUEUED). INVALID_ARGUMENT:
 * labels or env are not UTF-8. */
void state_claim(State *s, const ClaimRequest *request, void (*fn)(void *arg, const ClaimResult *r, const Error *err),
                 void *arg);
/* Remembers for an hour which pool a claim from a template with this request_id went to, so that a repeated
 * one goes there as well. fn gets the remembered one: `pool`, unless another came first. */
void state_pin(State *s, const char *ns, const char *template_name, const char *tenant, const char *request_id,
               const char *pool, void (*fn)(void *arg, const char *pool, const Error *err), void *arg);
/* Forgets it: the claim was tried at once and came to nothing. */
void state_unpin(State *s, const char *ns, const char *template_name, const char *tenant, const char *request_id,
                 void (*fn)(void *arg, const Error *err), void *arg);
/* A granted waiter takes its sandbox for good; without it the sandbox is destroyed 10 s after the grant.
 * record NULL and NOT_FOUND: too late. */
void state_confirm(State *s, const char *ns, const char *pool, const char *token,
                   void (*fn)(void *arg, const SandboxRecord *r, const Error *err), void *arg);
/* The caller has gone: leaves the queue, or lets go of what was granted meanwhile. */
void state_cancel_wait(State *s, const char *ns, const char *pool, const char *token,
                       void (*fn)(void *arg, const Error *err), void *arg);
/* Grants to waiters of all replicas: only tokens of one's own are of interest. id empty: the pool was deleted
 * and the waiter sent away; "batch": see state_batch. token NULL after a (re)connect: confirm or claim again what
 * waits. */
void state_on_grant(State *s, void (*fn)(void *arg, const char *token, const char *id), void *arg);

/* Several at once. All of them, or as many as are ready but not fewer than min_count. */
typedef struct BatchRequest {
  /* uid: the batch's token, 32 digits that end in 0000; its claims count up from there. No priority. */
  ClaimRequest each;
  int count;     /* 1 to STATE_BATCH_MAX */
  int min_count; /* 1 to count */
} BatchRequest;

typedef struct BatchResult {
  ClaimOutcome outcome;
  const SandboxRecord *records;
  size_t n_records;
  const char *token;
  const QuotaRefusal *refusal; /* of CLAIM_REFUSED: min_count would not fit */
} BatchResult;

/* Idempotent by uid and by request_id, as state_claim: what is left of the same sandboxes again (GRANTED), or the same
 * place. QUEUED: waits under token and holds nothing. state_on_grant tells the token when enough is ready; then ask
 * again, and without being told now and then, because nothing is promised: whoever asks first gets it. */
void state_batch(State *s, const BatchRequest *request, void (*fn)(void *arg, const BatchResult *r, const Error *err),
                 void *arg);
/* The caller has gone: no longer waits; give_back: releases all that was granted, too. */
void state_batch_leave(State *s, const char *ns, const char *pool, const char *token, bool give_back,
                       void (*fn)(void *arg, const Error *err), void *arg);

typedef void (*StateRecordFn)(void *arg, const SandboxRecord *r, const Error *err);
typedef void (*StateDoneFn)(void *arg, const Error *err);

/* NOT_FOUND. */
void state_get(State *s, const char *ns, const char *id, StateRecordFn fn, void *arg);
/* CLAIMED or FAILED -> RELEASING; uid empty: any claim. Also retires READY ones. Unknown: success. */
void state_release(State *s, const char *ns, const char *id, const char *uid, const char *reason, StateDoneFn fn,
                   void *arg);

enum { STATE_UPDATE_LABELS = 1, STATE_UPDATE_EXPIRE = 2, STATE_UPDATE_IDLE = 4 };
typedef struct SandboxUpdate {
  int mask;
  const StatePair *labels;
  size_t n_labels;
  int64_t expire_ms; /* absolute; 0: never */
  int64_t idle_timeout_ms;
} SandboxUpdate;
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
/* Ends what is past its time in one pool: claims, unconfirmed grants, waiters (at most 100 a call). */
void state_expire(State *s, const char *ns, const char *pool,
                  void (*fn)(void *arg, const StateExpired *e, const Error *err), void *arg);

typedef struct SandboxPage {
  const SandboxRecord *records;
  size_t n_records;
  /* Last id looked at when there may be more, NULL at the end. */
  const char *next;
} SandboxPage;
/* Sandboxes of one pool in lexical order, after the id `after` (empty: from the start), at most limit.
 * Without env. */
void state_list(State *s, const char *ns, const char *pool, const char *after, size_t limit,
                void (*fn)(void *arg, const SandboxPage *page, const Error *err), void *arg);

/* ---- history for watchers ---- */

typedef struct StateEvent {
  const char *stream_id; /* "ms-seq" */
  const char *id;
  const char *uid;
  bool deleted;
} StateEvent;
typedef struct StateEvents {
  const StateEvent *events;
  size_t n_events;
  bool trimmed;        /* entries after `after` are lost */
  const char *last_id; /* newest entry of the stream, "0-0" when it is empty */
} StateEvents;
/* Events of one pool after stream id `after` (exclusive), at most 500. after "$": none, only last_id. */
void state_events(State *s, const char *ns, const char *pool, const char *after,
                  void (*fn)(void *arg, const StateEvents *e, const Error *err), void *arg);
void state_on_events(State *s, void (*fn)(void *arg, const char *ns, const char *pool),
                     void *arg); /* ns NULL: re-read all */

/* ---- pools and templates ---- */

typedef struct PoolRecord {
  const char *ns, *name;
  const char *template_name;
  int replicas;
  int strategy; /* as in sandplane.v1.Pool.UpdateStrategy */
  int64_t generation, create_ms;
  bool implicit;             /* made for claims straight from a template; goes when it is empty */
  bool deleted;              /* no more refills; goes when its last sandbox is gone */
  const char *template_hash; /* what is fresh, as last set */
  const char *reason, *message;
  int64_t n_creating, n_ready, n_claimed, n_releasing;
  int64_t n_waiting; /* sandboxes waited for: one for each waiter, as many as it needs for a batch */
  /* Records ever made and removed; at any time made = removed + creating + ready + claimed + releasing. -1: not counted
   * yet, in a pool from before. */
  int64_t n_created, n_destroyed;
  /* Starts that failed since the last one that succeeded, those that ended within a minute after they were ready, and
   * when the last of either was (0: never). Counted by state_failed and state_unfit of a CREATING or READY sandbox,
   * which leave their reason on the pool; state_ready clears the first, state_pool_heal both. */
  int64_t n_failures, n_early, failure_ms;
  /* What a sandbox of its template asks for, as manifest_shape writes it; NULL or empty: not known. Of state_pool_apply
   * only, for an implicit pool; others get it with their hash. */
  const char *shape;
} PoolRecord;

typedef void (*StatePoolFn)(void *arg, const PoolRecord *p, const Error *err);

/* Creates or changes spec fields (template_name, replicas, strategy); implicit makes an implicit pool when
 * there is none and changes nothing when there is one. template_name NULL: changes replicas alone, NOT_FOUND
 * when there is no pool or it is deleted. */
void state_pool_apply(State *s, const PoolRecord *spec, StatePoolFn fn, void *arg);
void state_pool_get(State *s, const char *ns, const char *name, StatePoolFn fn, void *arg); /* NOT_FOUND */
void state_pool_delete(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg);
void state_pool_set_reason(State *s, const char *ns, const char *name, const char *reason, const char *message,
                           StateDoneFn fn, void *arg);
/* Forgets failed starts, what ended early, and the reason. */
void state_pool_heal(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg);
/* All there is of a pool whose name is none (longer than STATE_POOL_NAME_MAX, or no label). */
void state_pool_purge(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg);
/* Marks which template hash is fresh; re-scores the ready set when it changed (at most once a change). shape: see
 * PoolRecord. */
void state_pool_set_hash(State *s, const char *ns, const char *name, const char *hash, const char *shape,
                         StateDoneFn fn, void *arg);

typedef struct StateNames {
  const char *const *names; /* "namespace/name" */
  size_t n_names;
} StateNames;
/* Index of pools or templates after `after`, at most limit (0: all). ns empty: all namespaces. */
void state_pool_names(State *s, const char *ns, const char *after, size_t limit,
                      void (*fn)(void *arg, const StateNames *n, const Error *err), void *arg);
void state_template_names(State *s, const char *ns, const char *after, size_t limit,
                          void (*fn)(void *arg, const StateNames *n, const Error *err), void *arg);
void state_on_pools(State *s, void (*fn)(void *arg, const char *ns, const char *pool),
                    void *arg); /* ns NULL: re-read all */

typedef struct TemplateRecord {
  const char *ns, *name;
  const char *manifest, *hash, *runtime_class, *image;
  int64_t generation, create_ms;
} TemplateRecord;
typedef void (*StateTemplateFn)(void *arg, const TemplateRecord *t, const Error *err);
void state_template_apply(State *s, const TemplateRecord *t, StateTemplateFn fn, void *arg);
void state_template_get(State *s, const char *ns, const char *name, StateTemplateFn fn, void *arg);
void state_template_delete(State *s, const char *ns, const char *name, StateDoneFn fn, void *arg);

/* ---- making and ending sandboxes ---- */

/* pools: registers new names as CREATING, all or none; template_name and hash as of now. */
void state_register(State *s, const char *ns, const char *pool, const char *template_name, const char *template_hash,
                    const char *const *ids, size_t n_ids, StateDoneFn fn, void *arg);
typedef enum StateRetire {
  RETIRE_READY = 0,
  RETIRE_STALE = 1,          /* READY ones whose hash is not the pool's */
  RETIRE_STALE_STARTING = 2, /* the same of CREATING ones */
  RETIRE_ANY = 3,            /* CREATING ones first, then READY ones */
} StateRetire;
/* pools: -> RELEASING, for reason. At most n; the newest first. fn gets how many. */
void state_retire(State *s, const char *ns, const char *pool, StateRetire which, size_t n, const char *reason,
                  void (*fn)(void *arg, int n_retired, const Error *err), void *arg);
/* reconciler: it runs and answers. CREATING -> READY, or straight to the first waiter's CLAIMED. *granted
 * tells. CLAIMED: its route is brought up to date. FAILED_PRECONDITION: in another state (READY at another route: not
 * any more): destroy it. */
void state_ready(State *s, const char *ns, const char *id, const char *route, const char *runtime_class,
                 void (*fn)(void *arg, bool granted, const Error *err), void *arg);
/* reconciler: it ended by itself or never came up. CLAIMED -> FAILED; CREATING and READY: gone at once.
 * reason: CamelCase. Unknown: success. */
void state_failed(State *s, const char *ns, const char *id, const char *reason, const char *message, StateDoneFn fn,
                  void *arg);
/* reconciler: somebody deleted it in the world, or it was lost. As state_failed, and counts as no failed start. */
void state_deleted(State *s, const char *ns, const char *id, const char *reason, const char *message, StateDoneFn fn,
                   void *arg);
/* reconciler: it is there and can be given to nobody. As state_failed, but one that somebody holds stays as it is:
 * held tells, and then it must not be destroyed. Of a pending grant the waiter is sent away, as nobody has it yet.
 * has_failed: it counts as state_failed counts. */
void state_unfit(State *s, const char *ns, const char *id, bool has_failed, const char *reason, const char *message,
                 void (*fn)(void *arg, bool held, const Error *err), void *arg);
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
/* pools: CREATING ids of one pool, oldest first, at most 1000. */
void state_creating(State *s, const char *ns, const char *pool,
                    void (*fn)(void *arg, const char *const *ids, size_t n_ids, const Error *err), void *arg);
/* reconciler: ids to destroy in one pool, oldest first, at most 1000. */
void state_releasing(State *s, const char *ns, const char *pool,
                     void (*fn)(void *arg, const char *const *ids, size_t n_ids, const Error *err), void *arg);
void state_on_releasing(State *s, void (*fn)(void *arg, const char *ns, const char *pool),
                        void *arg); /* ns NULL: re-read all */

/* ---- addresses: Sandbox objects of a cluster that are no record under their own name ---- */

/* reconciler: NAME answers at route; NULL: no longer. Router: NOT_FOUND. */
void state_address_set(State *s, const char *ns, const char *name, const char *route, StateDoneFn fn, void *arg);
void state_address_get(State *s, const char *ns, const char *name,
                       void (*fn)(void *arg, const char *route, const Error *err), void *arg);
/* All names, for whoever has to find out which are stale. */
void state_address_names(State *s, void (*fn)(void *arg, const StateNames *n, const Error *err), void *arg);

/* ---- quotas ---- */

/* What one tenant may hold in a namespace. 0: no limit. What it holds already stays when a limit is lowered. */
typedef struct QuotaRecord {
  const char *ns, *tenant;
  int64_t max_live;         /* sandboxes held, and claims that wait */
  int64_t max_cpu_milli;    /* of what their templates ask for */
  int64_t max_memory_bytes; /* likewise */
  double rate;              /* claims a second */
  int64_t burst;            /* at once, with rate; at least 1 */
  int64_t weight;           /* of its turns in a pool's queue; 0: 1 */
  /* Output only. */
  int64_t live, cpu_milli, memory_bytes;
} QuotaRecord;
typedef void (*StateQuotaFn)(void *arg, const QuotaRecord *q, const Error *err);
void state_quota_set(State *s, const QuotaRecord *quota, StateQuotaFn fn, void *arg);
void state_quota_get(State *s, const char *ns, const char *tenant, StateQuotaFn fn, void *arg); /* NOT_FOUND */
/* No such quota: success. */
void state_quota_delete(State *s, const char *ns, const char *tenant, StateDoneFn fn, void *arg);
typedef struct StateQuotas {
  const QuotaRecord *quotas;
  size_t n_quotas;
} StateQuotas;
/* In order of tenants, after `after` (exclusive, empty: from the start), at most limit. */
void state_quota_list(State *s, const char *ns, const char *after, size_t limit,
                      void (*fn)(void *arg, const StateQuotas *q, const Error *err), void *arg);

/* ---- epoch ---- */

/* reconciler, at every connect: *same tells whether the data set carries `known` (the newest epoch that the
 * world's marks name; empty: none). When it does not, a new epoch is written and returned: everything from
 * before is unproven and must be destroyed. */
void state_epoch(State *s, const char *known, void (*fn)(void *arg, bool same, const char *epoch, const Error *err),
                 void *arg);

/* ---- leadership (pools, reconciler) ---- */

/* Takes or keeps the lease `name` for this replica for ttl_ms. fn: whether it is held. */
void state_lease(State *s, const char *name, int64_t ttl_ms, void (*fn)(void *arg, bool held, const Error *err),
                 void *arg);
void state_lease_release(State *s, const char *name, StateDoneFn fn, void *arg);

#endif
