/* Whose a Pod, Service or PersistentVolumeClaim is, seen from one Sandbox.
 *
 * A name alone proves nothing: anyone may have made an object of that name before. What decides is the UID of
 * the controller; an object without one is taken over only when a label of it asks for that.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_OBJECT_OWNERSHIP_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_OBJECT_OWNERSHIP_H_

#include "lib/base/error.h"
#include "lib/kube/kube_object.h"

typedef enum Ownership {
  OWNERSHIP_OURS,
  /* No controller, and the label adoptable: "true" or this Sandbox's name hash. */
  OWNERSHIP_ADOPTABLE,
  OWNERSHIP_UNOWNED,
  OWNERSHIP_FOREIGN,
} Ownership;

Ownership ownership_of(const json_t *sandbox, const json_t *object);
/* New reference: the owner references of an object (NULL: a new one), with this Sandbox as its controller. */
json_t *ownership_references(const json_t *sandbox, const json_t *object);
/* New reference: the merge patch that adopts. */
json_t *ownership_patch(const json_t *sandbox, const json_t *object);
/* Says why an object that is neither ours nor adoptable is left alone; noun: "pod", "service", "PVC". Returns -1. */
int ownership_refuse(const json_t *sandbox, const json_t *object, const char *noun, Error *err);

#endif
