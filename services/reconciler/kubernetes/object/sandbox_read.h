/* What a Sandbox object says of whose it is and where it answers. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_OBJECT_SANDBOX_READ_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_OBJECT_SANDBOX_READ_H_

#include "lib/kube/kube_object.h"

/* Name in the shared state of what a Sandbox object runs: the member it came from. Borrowed. */
const char *sandbox_read_id(const json_t *sandbox);
/* "pod:IP"; false: no address yet. */
bool sandbox_read_route(const json_t *sandbox, char *out, size_t size);
/* Made for a pool and nobody's by the objects, though somebody may hold it by the state: of a pool object, or of none
 * (claims from a template, a pool that was deleted, a claim whose object was refused). NULL-safe. */
bool sandbox_read_is_member(const json_t *sandbox);

#endif
