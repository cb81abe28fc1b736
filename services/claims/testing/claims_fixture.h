/* For black-box tests of claims: two replicas of the program on one real Redis, called over gRPC. The part of
 * the reconciler is played by calling lib/state. */
#ifndef SANDPLANE_SERVICES_CLAIMS_TESTING_CLAIMS_FIXTURE_H_
#define SANDPLANE_SERVICES_CLAIMS_TESTING_CLAIMS_FIXTURE_H_

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "google/protobuf/empty.pb-c.h"
#include "lib/base/test.h"
#include "lib/service/service_fixture.h"
#include "lib/state/state_fixture.h"

#define NS "namespaces/default"
#define METHOD(name) "/sandplane.v1.SandboxService/" name

typedef Sandplane__V1__Sandbox Sandbox;
typedef Sandplane__V1__CreateSandboxRequest CreateRequest;

typedef struct World {
  Fixture *f;
  ServiceProcess replicas[2];
} World;

/* cmocka group set-up and tear-down; *state is the World. */
int world_setup(void **state);
int world_teardown(void **state);

void world_template(World *w, const char *name);
/* Pools in namespace "default", template "t" unless said otherwise. */
void world_pool(World *w, const char *name);
void world_pool_of(World *w, const char *name, const char *template_name);
/* Registers and makes ready "<pool>-<suffix>". */
void world_ready(World *w, const char *pool, const char *suffix);
SandboxState world_state(World *w, const char *id);
void world_until_waiting(World *w, const char *pool, int64_t n);
void world_until_state(World *w, const char *id, SandboxState state);

/* Requests. */
CreateRequest create_from(const char *pool);
/* Starts CreateSandbox at replica i. */
void create_start(World *w, int i, ServiceCall *call, const CreateRequest *request, int64_t timeout_ms);
/* And waits; fails the test when the call does. The sandbox lives in call. */
Sandbox *create_ok(World *w, int i, ServiceCall *call, const CreateRequest *request);
void call_wait(World *w, ServiceCall *call);

void get_sandbox(World *w, int i, ServiceCall *call, const char *name);
void delete_sandbox(World *w, int i, const char *name);
/* Of that claim alone; uid may be empty. Fails unless the answer is kind. */
void delete_uid(World *w, int i, const char *name, const char *uid, ErrorKind kind);

#define assert_kind(call, k)                                                                                     \
  do {                                                                                                           \
    if ((call)->status.kind != (k))                                                                              \
      fail_msg("%s %s: %s", error_kind_name((call)->status.kind), (call)->status.field, (call)->status.message); \
  } while (0)

#endif
