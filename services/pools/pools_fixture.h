/* For black-box tests of pools: two replicas of the program on one real Redis, and the reconciler's side
 * played here: a gRPC server that answers as told and makes sandboxes ready in the state. */
#ifndef SANDPLANE_SERVICES_POOLS_POOLS_FIXTURE_H_
#define SANDPLANE_SERVICES_POOLS_POOLS_FIXTURE_H_

#include "api/sandplane/v1/pool_service.pb-c.h"
#include "google/protobuf/empty.pb-c.h"
#include "lib/base/test.h"
#include "lib/service/service_fixture.h"
#include "lib/state/state_fixture.h"

#define NS "namespaces/default"

typedef Sandplane__V1__Pool Pool;
typedef Sandplane__V1__Template Template;

typedef enum Mode {
  MODE_MAKE,   /* ready at once */
  MODE_FORGET, /* accepts, does nothing */
  MODE_REFUSE, /* FAILED_PRECONDITION */
  MODE_FAIL,   /* accepts; each start fails with ImageNotFound */
  MODE_TURNS,  /* as two replicas of which one leads: refuses every other order, makes those of the others */
} Mode;

typedef struct World {
  Fixture *f;
  ServiceProcess replicas[2];
  RpcServer *reconciler;
  Mode mode;
  int n_turns;                     /* of MODE_TURNS */
  int64_t refused_ms, turn_gap_ms; /* from the last refusal to the order after it */
  int n_orders;                    /* sandboxes asked for, repeated ones too */
  char last_hash[16];
} World;

int world_setup(void **state);
int world_teardown(void **state);

/* The manifest of these tests is "NAME HASH"; "refused" is one that cannot be honoured. */
void apply_template(World *w, const char *manifest);
void apply_pool(World *w, const char *name, const char *template_name, int replicas, int strategy);
void call_pool(World *w, ServiceCall *call, const char *method, const ProtobufCMessage *request,
               const ProtobufCMessageDescriptor *answer);
/* GetPool; NULL: NOT_FOUND. */
Pool *get_pool(World *w, ServiceCall *call, const char *name);
void until_ready(World *w, const char *pool, int n);
void until_reason(World *w, const char *pool, const char *reason);
/* Ids of the ready sandboxes of a pool, joined by blanks, in out. */
void ready_ids(World *w, const char *pool, char out[1024]);

#define assert_kind(call, k)                                                                                     \
  do {                                                                                                           \
    if ((call)->status.kind != (k))                                                                              \
      fail_msg("%s %s: %s", error_kind_name((call)->status.kind), (call)->status.field, (call)->status.message); \
  } while (0)

#endif
