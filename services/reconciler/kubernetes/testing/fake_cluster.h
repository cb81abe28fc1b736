/* A cluster for tests of whole passes: an API server in memory, whose answers and watch events come when time passes on
 * a loop that holds it (fake_cluster_pass), and that can do what real ones do.
 *
 * - It lags: watch events wait until fake_cluster_catch_up, so that the kept copies are behind.
 * - It refuses: one write, or all of a kind, with an HTTP status, as a conflict or an admission policy does.
 * - It loses an answer: the write took place, and whoever asked is told UNAVAILABLE.
 * - The reconciler dies, before or after a write: nothing it asked for is answered any more. fake_cluster_restart is
 *   the next one's beginning: new copies, listed from what there is.
 *
 * It knows names, uids, resource versions, generations, merge patches and preconditions; no schema, no garbage
 * collector, no finalizers. Nothing else of Cluster is a fake: what follows from answers is cluster_write.c's.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TESTING_FAKE_CLUSTER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TESTING_FAKE_CLUSTER_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

#define FAKE_NS "ns"

typedef enum FakeFault {
  FAKE_NO_FAULT,
  FAKE_REFUSED,     /* with FakeCluster.status; it does not take place */
  FAKE_ANSWER_LOST, /* it takes place */
  FAKE_DEAD_BEFORE, /* the reconciler: the write never reaches the server */
  FAKE_DEAD_AFTER,
} FakeFault;

typedef struct FakeCluster {
  Cluster c;
  ReconcilerConfig config;
  Loop *loop;
  json_t *objects[CLUSTER_N_RESOURCES]; /* of the server: "ns/name" -> object */
  long version;
  int n_writes; /* that were asked for, Events aside */
  /* The write of this number, from 1, fails in this way; 0: none. */
  int fault_at;
  FakeFault fault;
  int status;
  /* And every write of this kind, with status: "create", "patch", "replace" or "delete"; NULL: none. */
  const char *refused_verb;
  ClusterResource refused;
  bool lags, dead;
  json_t *unseen; /* watch events: {"resource", "type", "object"} */
  json_t *told;   /* reasons of Events, in order */
  struct FakeRequest *requests;
  LoopTimer *watch, *turn;
} FakeCluster;

/* Leads, with copies of nothing. State and on_change of f->c are the test's to set, before anything is put. */
void fake_cluster_init(FakeCluster *f);
void fake_cluster_deinit(FakeCluster *f);
/* Ends what is under way with CANCELLED, as when the reconciler ends. */
void fake_cluster_disconnect(FakeCluster *f);
/* The next reconciler's copies; after its predecessor's controllers are gone and its own are there. */
void fake_cluster_restart(FakeCluster *f);

/* Somebody else creates it, or writes it anew; with a uid and all. */
void fake_cluster_put(FakeCluster *f, ClusterResource r, json_t *object /* stolen */);
/* Somebody else changes it; sub: "status" or NULL. */
void fake_cluster_change(FakeCluster *f, ClusterResource r, const char *name, const char *sub,
                         json_t *patch /* stolen */);
void fake_cluster_remove(FakeCluster *f, ClusterResource r, const char *name);
/* As the server has it; NULL: there is none. Borrowed. */
json_t *fake_cluster_get(const FakeCluster *f, ClusterResource r, const char *name);

/* Watch events come as they happen from now on, and those that did not. */
void fake_cluster_catch_up(FakeCluster *f);
/* Time passes, up to the first moment after ms for which anything waits; unless the reconciler dies. */
void fake_cluster_pass(FakeCluster *f, int64_t ms);

#endif
