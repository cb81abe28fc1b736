/* The controllers of Sandboxes and claims over a fake cluster and a fake state, with a pool of warm members: where
 * tests of whole passes begin. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TESTING_PASS_FIXTURE_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TESTING_PASS_FIXTURE_H_

#include "services/reconciler/kubernetes/claim/claim_controller.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_controller.h"
#include "services/reconciler/kubernetes/testing/fake_cluster.h"
#include "services/reconciler/kubernetes/testing/fake_state.h"

typedef struct PassFixture {
  FakeCluster cluster; /* first: the callbacks of its Cluster find the rest */
  FakeState state;
  BackendEvents events;
  RuntimeBinder *binder;
  Controller *sandboxes, *claims;
} PassFixture;

/* A template "t" and a pool "p" of it, and no member yet. */
void pass_fixture_init(PassFixture *f);
void pass_fixture_deinit(PassFixture *f);
/* In every way in which a write can fail: the one of the number at, from now on, from 1; 0: none. */
enum { PASS_FIXTURE_FAULTS = 6 };
void pass_fixture_fail(PassFixture *f, int at, int way);
/* A member "p-NAME" that is ready, with its Pod, or still starting; the state has it. */
void pass_fixture_member(PassFixture *f, const char *id, bool is_ready);
/* A claim of a pool; "shadow-pool-t": as a v1alpha1 client makes it, which names the template. */
void pass_fixture_claim(PassFixture *f, const char *name, const char *pool);
/* Its Pod came up. */
void pass_fixture_pod_ready(PassFixture *f, const char *pod);
/* Long enough for passes, their repetitions after failures, and all answers; where the reconciler dies (FAKE_DEAD_...)
 * the next one leads. */
void pass_fixture_settle(PassFixture *f);
/* Of the object's Ready condition; NULL: it has none. */
const char *pass_fixture_ready(PassFixture *f, ClusterResource r, const char *name, const char *field);
/* How many Sandboxes the claim controls. */
size_t pass_fixture_held(PassFixture *f, const char *claim);

#endif
