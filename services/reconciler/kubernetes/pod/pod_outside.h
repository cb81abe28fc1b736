/* Of a Pod only what the rules read is kept: there are as many as Sandboxes, and whole they would be most of our
 * memory. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POD_POD_OUTSIDE_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POD_POD_OUTSIDE_H_

#include "lib/kube/kube_object.h"

/* Leaves of a Pod: whose and what it is, its labels, annotations and owners; where it runs; its phase, addresses,
 * whether it is scheduled and ready, and as status.restarts how often its containers were started again, if ever. It is
 * made of new, small objects: a table that once was large stays large. */
void pod_outside(json_t *pod);

#endif
