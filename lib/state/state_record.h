/* What the shared state knows and is asked for: plain values, valid as long as whoever handed them out says. Needs no
 * connection, so that what decides about them can be pure. */
#ifndef SANDPLANE_LIB_STATE_STATE_RECORD_H_
#define SANDPLANE_LIB_STATE_STATE_RECORD_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

typedef struct TemplateRecord {
  const char *ns, *name;
  const char *manifest, *hash, *runtime_class, *image;
  int64_t generation, create_ms;
} TemplateRecord;

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

/* Of callers that nobody has told apart, and of claims that are objects of a cluster. */
#define STATE_DEFAULT_TENANT "default"
#define STATE_KUBERNETES_TENANT "kubernetes"

typedef struct ClaimRequest {
  const char *ns;
  const char *pool;
  const char *uid;                 /* made by the caller, kept across retries; stands for one sandbox */
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
  /* The uid was given by somebody else and may stand for one sandbox after another, as a SandboxClaim's does when what
   * it got proves to be gone. Not of batches. */
  bool takes_again;
} ClaimRequest;

enum { STATE_UPDATE_LABELS = 1, STATE_UPDATE_EXPIRE = 2, STATE_UPDATE_IDLE = 4 };
typedef struct SandboxUpdate {
  int mask;
  const StatePair *labels;
  size_t n_labels;
  int64_t expire_ms; /* absolute; 0: never */
  int64_t idle_timeout_ms;
} SandboxUpdate;

/* Which limit of a quota a claim would have broken. */
typedef struct QuotaRefusal {
  const char *limit; /* "live", "cpu" (thousandths), "memory" (bytes), "rate"; "shape": what the template asks for is
                      * not known yet */
  const char *allowed, *used; /* rate: claims a second, burst */
  int64_t retry_ms;           /* when to ask again; 0: when something was let go of */
} QuotaRefusal;

#endif
