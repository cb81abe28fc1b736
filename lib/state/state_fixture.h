/* For tests: State made synchronous. Each call runs the loop until its callback has run, copies what the test
 * looks at, and fails the test when nothing comes within a few seconds. */
#ifndef SANDPLANE_LIB_STATE_STATE_FIXTURE_H_
#define SANDPLANE_LIB_STATE_STATE_FIXTURE_H_

#include "lib/state/state.h"
#include "lib/state/state_batch.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_sandbox.h"

typedef struct Fixture {
  Loop *loop;
  RedisClient *redis;
  State *state;
  LoopTimer *limit;
  bool timed_out;
  /* of the last call */
  Error err;
  ClaimOutcome outcome;
  char token[64];
  char id[64], uid[64], reason[64], labels[256], env[256];
  SandboxState sandbox_state;
  int64_t number, next_ms;
  bool takes_again; /* set by a test: as ClaimRequest's */
  bool flag;
  PoolRecord pool;
  char text[512];
} Fixture;

/* Server from REDIS_ADDRESS (with REDIS_CLUSTER set: a cluster), emptied. */
Fixture *fixture_new(const char *replica, bool flush);
/* Another server, as it is. */
Fixture *fixture_new_at(const char *replica, const RedisConfig *config);
void fixture_free(Fixture *f);
void fixture_wait(Fixture *f);
/* Callbacks that note the result and end fixture_wait; arg: the Fixture. */
void fixture_done(void *arg, const Error *err);
void fixture_record(void *arg, const SandboxRecord *r, const Error *err);
void fixture_claimed(void *arg, const ClaimResult *r, const Error *err);
void fixture_pool(void *arg, const PoolRecord *p, const Error *err);
void fixture_batch(void *arg, const BatchResult *r, const Error *err);
void fixture_count(void *arg, int n, const Error *err);
void fixture_ready(void *arg, bool granted, const Error *err);
void fixture_expired(void *arg, const StateExpired *e, const Error *err);

/* Shortcuts on pool "default/p". */
void fixture_make_pool(Fixture *f, int replicas);
void fixture_make_ready(Fixture *f, const char *id);
ClaimOutcome fixture_claim(Fixture *f, const char *uid, const char *request_id, int64_t ttl_ms, int64_t max_wait_ms);
SandboxState fixture_get(Fixture *f, const char *id);
/* A command on the server that has its key, and the number it answers. */
int64_t fixture_number(Fixture *f, size_t argc, const char *const *argv);
/* A command on each server; the sum of what they answer, if those are numbers. */
int64_t fixture_everywhere(Fixture *f, size_t argc, const char *const *argv);
/* Whether the sets, records, uids, waiters and charges of the pool and its tenants say the same; empty, or the first
 * thing that does not fit. Asks again while the server is away. */
void fixture_audit(Fixture *f, char *complaint, size_t max);
/* How many there are, but for the uids that are spent: those go by themselves. */
int64_t fixture_keys(Fixture *f);

#endif
