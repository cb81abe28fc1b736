/* The cluster as the controllers see it: kept copies of its objects, one connection to write through, leadership.
 *
 * Every write puts its answer into the kept copy before its callback runs, so that a controller that looks again
 * sees what it did: a pass is "look, do the first thing that is missing, look again", and is safe to break off
 * anywhere, because the next one starts from what is there.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_CLUSTER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_CLUSTER_H_

#include "lib/base/metrics.h"
#include "lib/kube/kube_informer.h"
#include "lib/kube/kube_lease.h"
#include "lib/kube/kube_queue.h"
#include "lib/state/state.h"
#include "services/reconciler/backend.h"
#include "services/reconciler/config.h"

typedef enum ClusterResource {
  CLUSTER_SANDBOX,
  CLUSTER_CLAIM,
  CLUSTER_TEMPLATE,
  CLUSTER_POOL,
  CLUSTER_POD,
  CLUSTER_SERVICE,
  CLUSTER_VOLUME_CLAIM,
  CLUSTER_POLICY,
  CLUSTER_N_RESOURCES,
} ClusterResource;

/* Where each kind lies at an API server. */
extern const struct ClusterPlace {
  const char *group_path, *plural, *selector; /* selector: of the objects that copies are kept of; NULL: all */
} CLUSTER_RESOURCES[CLUSTER_N_RESOURCES];

/* Whether anybody waits for a write: one for which nobody does leaves room for others (KubeRequest.patient). */
typedef enum ClusterHaste { CLUSTER_AWAITED, CLUSTER_PATIENT } ClusterHaste;

typedef struct Cluster Cluster;

/* What is asked of the API server: cluster_api is the real one, testing/fake_cluster one that lags, refuses and dies.
 * Each ends once in fn, as kube_request does; bodies are borrowed. What follows from an answer (the kept copy has it at
 * once, what was asked to go is known to be going) is the same for all, see cluster_write.c. */
typedef struct ClusterApi {
  void (*create)(Cluster *c, ClusterResource r, const char *ns, const json_t *body, const char *manager,
                 ClusterHaste haste, KubeDoneFn fn, void *arg);
  void (*patch)(Cluster *c, ClusterResource r, const char *ns, const char *name, const char *sub, const json_t *patch,
                ClusterHaste haste, KubeDoneFn fn, void *arg);
  void (*replace)(Cluster *c, ClusterResource r, const json_t *object, ClusterHaste haste, KubeDoneFn fn, void *arg);
  void (*delete)(Cluster *c, ClusterResource r, const json_t *object, const char *propagation, ClusterHaste haste,
                 KubeDoneFn fn, void *arg);
  void (*read)(Cluster *c, ClusterResource r, const char *ns, const char *name, KubeDoneFn fn, void *arg);
  /* One of events.k8s.io/v1. */
  void (*tell)(Cluster *c, const char *ns, const json_t *event, KubeDoneFn fn, void *arg);
} ClusterApi;

struct Cluster {
  Loop *loop;
  const ReconcilerConfig *config;
  State *state;
  Metrics *metrics;
  /* Who hears of members, and of their end. */
  const BackendEvents *events;
  void *events_arg;
  char epoch[40]; /* cluster_epoch */
  KubeConfig *kube_config;
  char *host; /* of the API server, with its port */
  KubeClient *client;
  const ClusterApi *api;
  KubeInformer *informers[CLUSTER_N_RESOURCES];
  KubeLease *lease;
  LoopTimer *resync;
  bool leads, synced;
  int n_unsynced;
  /* What members of pools name as their second owner (cluster_anchor); "": nothing. */
  char anchor_uid[64];
  bool anchor_known;
  LoopTimer *anchor_again;
  json_t *pool_names, *template_names; /* state_names.h */
  json_t *ending; /* uids of what a DELETE was sent for and the copies still show (cluster_is_ending) */
  /* Told of each change; before or after is NULL for what is new or gone. Set before cluster_start. */
  void (*on_change)(Cluster *c, ClusterResource r, const json_t *before, const json_t *after);
  /* Leadership with complete copies begins (true) or ends. */
  void (*on_lead)(Cluster *c, bool leads);
  /* While it leads: look at everything again. */
  void (*on_resync)(Cluster *c);
  /* The Sandboxes' own: held by those who hand a Pod over (controller_hold). */
  struct Controller *sandboxes;
  struct KubernetesBackend *backend;
};

/* -1: the kubeconfig. */
int cluster_connect(Cluster *c, Error *err) MUST_CHECK;
/* The kept copies, of c->client; NULL: of what kube_informer_feed tells. */
void cluster_keep(Cluster *c);
/* Begins to keep copies and to stand for leader. */
void cluster_start(Cluster *c);
/* Gives leadership back; done comes on the loop. */
void cluster_resign(Cluster *c, void (*done)(void *arg), void *arg);
/* Ends every call under way with CANCELLED. */
void cluster_disconnect(Cluster *c);
/* After all that was waiting for calls has been freed. */
void cluster_deinit(Cluster *c);

/* New reference: the owner reference that keeps a member of a pool from the garbage collector when its pool is deleted,
 * so that whoever holds it by the shared state keeps it; those that nobody holds are deleted by us. NULL: there is none
 * here.
 */
json_t *cluster_anchor(const Cluster *c);

/* Mark of the data set, for new members; NULL: not known yet. */
const char *cluster_epoch(const Cluster *c);
/* A member that can be given to nobody: the state is asked, and its object is deleted unless somebody holds it. failed:
 * see on_unfit. */
void cluster_spoil(Cluster *c, const json_t *sandbox, bool failed, const char *reason, const char *message);

const json_t *cluster_get(const Cluster *c, ClusterResource r, const char *ns, const char *name);
/* "namespace/name", as what is kept about objects is keyed by; state_name_split takes it apart. The caller frees it. */
char *cluster_key(const char *ns, const char *name);

/* fn must not cause changes of these copies. */
void cluster_each(const Cluster *c, ClusterResource r, void (*fn)(void *arg, const json_t *object), void *arg);
/* Those that the object with this uid controls; NULL: none. */
void cluster_each_of(const Cluster *c, ClusterResource r, const char *uid, void (*fn)(void *arg, const json_t *object),
                     void *arg);
/* What was read past the kept copy is kept at once. */
void cluster_put(Cluster *c, ClusterResource r, json_t *object);

/* manager: fieldManager. body is borrowed. */
void cluster_create(Cluster *c, ClusterResource r, const char *ns, const json_t *body, const char *manager,
                    ClusterHaste haste, KubeDoneFn fn, void *arg);
/* Merge patch; sub: "status" or NULL. */
void cluster_patch(Cluster *c, ClusterResource r, const char *ns, const char *name, const char *sub,
                   const json_t *patch, ClusterHaste haste, KubeDoneFn fn, void *arg);
void cluster_replace(Cluster *c, ClusterResource r, const json_t *object, ClusterHaste haste, KubeDoneFn fn, void *arg);
/* Of exactly this object (its uid). propagation: "Background" or "Foreground". NOT_FOUND, and ABORTED when another has
 * its name. */
void cluster_delete(Cluster *c, ClusterResource r, const json_t *object, const char *propagation, ClusterHaste haste,
                    KubeDoneFn fn, void *arg);
/* Is being deleted, or was asked to be by cluster_delete and the kept copy does not show it yet. */
bool cluster_is_ending(const Cluster *c, const json_t *object);
/* Past the kept copy: for what its selector leaves out. */
void cluster_read(Cluster *c, ClusterResource r, const char *ns, const char *name, KubeDoneFn fn, void *arg);

#endif
