/* What all controllers have in common: names that wait for their pass, and passes.
 *
 * A pass looks at the kept copies, does the first thing that is missing and looks again when that is answered, until
 * nothing is missing. Each step says by what it returns how to go on, and so does the callback of what it asked for;
 * nobody but controller.c looks again or ends a pass. A step that returned PASS_WAIT must not touch the pass any more:
 * its answer may have come, and ended it.
 *
 * A controller's own pass is a struct that begins with a Pass, and its functions get it as that (void *).
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_CONTROLLER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_CONTROLLER_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

typedef enum PassNext {
  PASS_ON,   /* nothing is missing here: the next step of this look */
  PASS_WAIT, /* for an answer, which says how to go on */
  PASS_LOOK, /* again: for the next thing that is missing, or for what there is to say */
  PASS_DONE,
} PassNext;

/* The answer to what a step asked of the API server, as a KubeDoneFn; never CANCELLED. */
typedef PassNext (*PassFn)(void *pass, json_t *object, const Error *err);

typedef struct Controller Controller;

typedef struct Pass {
  Controller *controller;
  Cluster *c;
  void *owner; /* as controller_new was told */
  KubeTask *task;
  PassFn then; /* what waits for the API server's answer */
  char ns[256], name[256];
  int looks;          /* begun; 1 in the first */
  ClusterHaste haste; /* of what it asks for from now on */
  int64_t again_ms;   /* when its name is to be looked at again, 0: no need */
  /* Why it failed; ERROR_NONE: it did not. CANCELLED: the program ends, and nothing is to be said or written. */
  Error err;
} Pass;

/* How its name goes on: failed, to be repeated after a growing pause of at least ms; or not before something happens,
 * or ms (0: no need). */
typedef struct PassEnd {
  bool failed;
  int64_t ms;
} PassEnd;

typedef struct ControllerSpec {
  ClusterResource resource; /* what it is about; CLUSTER_N_RESOURCES: its names are none of a kind of objects */
  size_t pass_size;         /* of its pass, which begins as zeroes behind the Pass */
  const char *noun;         /* of the log: what its names are of */
  const char *failure;      /* event of the log when a pass ends with err; NULL: it says so itself */
  int looks_max;            /* far above what a pass needs: one that finds no end is a defect, and ends as failed */
  PassNext (*look)(void *pass);
  /* Says what is left to say, and frees what is in the pass. NULL: what pass_end answers. */
  PassEnd (*end)(void *pass);
  /* What has been told to others may be lost: forget that it was told. May be NULL. */
  void (*forget)(void *owner);
  /* Of the kinds that it wakes for; before or after is NULL for what is new or gone. */
  void (*on_change[CLUSTER_N_RESOURCES])(void *owner, const json_t *before, const json_t *after);
  /* The owner goes with its controller. May be NULL. */
  void (*free)(void *owner);
} ControllerSpec;

/* spec outlives it. workers: passes at a time. */
Controller *controller_new(Cluster *c, const ControllerSpec *spec, int workers, void *owner);
void controller_free(Controller *k); /* NULL-safe; after cluster_disconnect */
void *controller_owner(const Controller *k);
/* Begins (with a look at everything) or ends. */
void controller_lead(Controller *k, bool leads);
/* Everything is looked at again, and told again. */
void controller_again(Controller *k);

/* An object of a kind changed. */
void controller_change(Controller *k, ClusterResource r, const json_t *before, const json_t *after);

/* Waking. Before the copies are complete nothing is woken, for all of it will be. */
void controller_add(Controller *k, const char *ns, const char *name);
void controller_add_after(Controller *k, const char *ns, const char *name, int64_t ms);
void controller_add_object(void *k, const json_t *object);
/* While held, a name gets no pass: its Pod is being handed over. NULL-safe. */
void controller_hold(Controller *k, const char *ns, const char *name, bool held);

/* ---- for steps ---- */

/* Each asks for something in the pass's namespace and returns PASS_WAIT; then says how to go on. One at a time. */
PassNext pass_create(Pass *p, ClusterResource r, const json_t *body, const char *manager, PassFn then);
PassNext pass_patch(Pass *p, ClusterResource r, const char *name, const char *sub, const json_t *patch, PassFn then);
PassNext pass_replace(Pass *p, ClusterResource r, const json_t *object, PassFn then);
PassNext pass_delete(Pass *p, ClusterResource r, const json_t *object, const char *propagation, PassFn then);
PassNext pass_read(Pass *p, ClusterResource r, const char *name, PassFn then);

/* For callbacks of other kinds: goes on with a pass that waited for them. */
void pass_go(Pass *p, PassNext next);
/* True: err is CANCELLED, and the pass has ended. */
bool pass_is_cancelled(Pass *p, const Error *err);
/* Looks again in ms, or sooner. */
void pass_again_in(Pass *p, int64_t ms);
/* Ends as err says (NULL: well). */
PassNext pass_fail(Pass *p, const Error *err);
/* As p->err and p->again_ms say. */
PassEnd pass_end(const Pass *p);

#endif
