/* What this machine has for sandboxes: control groups, images, the ways to isolate that work here, and a data folder
 * that one reconciler owns.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_MACHINE_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_MACHINE_H_

#include "lib/loop/loop.h"
#include "services/reconciler/local/isolation.h"

enum { MACHINE_N_CLASSES = 2 };

typedef struct Machine {
  const ReconcilerConfig *config;
  int lock_fd;
  CgroupTree *cgroups;
  ImageStore *images;
  char *folder; /* of all sandboxes */
  Isolation *isolations[MACHINE_N_CLASSES];
  Error missing[MACHINE_N_CLASSES]; /* why isolations[i] is NULL */
} Machine;

/* The runtime classes, in the order of isolations. */
extern const char *const MACHINE_CLASSES[MACHINE_N_CLASSES];
/* Its place there; -1: there is none of that name. */
int machine_class(const char *class_name);

/* UNAVAILABLE: not root, no control groups, a program is missing, the data folder is in use by another reconciler. */
int machine_init(Machine *m, Loop *loop, const ReconcilerConfig *config, Error *err) MUST_CHECK;
/* Also of one that could not be made. */
void machine_deinit(Machine *m);

#endif
