/* The Pod of a Sandbox: which one it is, how a new one looks, what is to be done with it.
 *
 * A Pod is never changed but for its metadata, and never replaced while it exists, not even when it has ended.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POD_POD_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POD_POD_H_

#include "lib/base/error.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/object/ownership.h"

/* New reference: the Pod to create, named as the Sandbox. */
json_t *pod_build(const json_t *sandbox);
/* New reference: the merge patch that brings the Pod's metadata in line, NULL when it is. Adopt: also make the
 * Sandbox its controller. */
json_t *pod_sync_patch(const json_t *sandbox, const json_t *pod, bool adopt);

/* The name to look a Pod up by: what the annotation pod-name says, else the Sandbox's own. Borrowed. */
const char *pod_tracked_name(const json_t *sandbox);
/* New reference: the merge patch for the Sandbox that writes the annotation pod-name when there is none (another
 * value is left alone), or with name NULL removes it. NULL: nothing to do. */
json_t *pod_name_patch(const json_t *sandbox, const char *name);

typedef struct PodChoice {
  /* Our Pod, or else whatever has the tracked name; NULL: none. Borrowed from the arguments. */
  const json_t *pod;
  Ownership ownership; /* of pod */
  size_t n_owned;
  /* The annotation pod-name names no Pod of ours: take it off (pod_name_patch) before anything else is done. */
  bool drop_name;
} PodChoice;

/* More Pods than one are ours: choose none, create none, and let the condition say so (not an error to retry). */
enum { POD_MULTIPLE = 1 };
/* owned: the Pods of the namespace with this name hash and controller (others among them are passed over);
 * tracked: the Pod under pod_tracked_name, or NULL. Returns 0 or POD_MULTIPLE. */
int pod_choose(const json_t *sandbox, json_t *const *owned, size_t n_owned, const json_t *tracked,
               PodChoice *ret_choice) MUST_CHECK;

typedef enum PodAction {
  POD_ERROR = -1, /* *err says why */
  POD_NOTHING,
  /* POST pod_build; if it exists already, get it and decide again. Then pod_name_patch. */
  POD_CREATE,
  /* PATCH the Pod with *ret_patch: metadata of our own Pod, which may wait; then pod_name_patch. */
  POD_PATCH,
  /* The same, with the owner reference: never to be deferred. */
  POD_ADOPT,
  POD_DELETE,
} PodAction;

/* What to do with the chosen Pod; choice->drop_name may become true. With POD_NOTHING in mode Running the
 * annotation is still due (pod_name_patch is NULL when it is there). */
PodAction pod_decide(const json_t *sandbox, PodChoice *choice, json_t **ret_patch, Error *err) MUST_CHECK;

bool pod_is_suspended(const json_t *sandbox); /* spec.operatingMode: Suspended */

#endif
