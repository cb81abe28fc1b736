/* The headless Service of a Sandbox: a DNS name for its Pod.
 *
 * spec.service has three values. Unset is not false: a Service that is already ours stays and is kept in order
 * (all but its ports), but none is made.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SERVICE_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SERVICE_H_

#include "lib/base/error.h"
#include "lib/kube/kube_object.h"

/* New reference: the Service to create, named as the Sandbox. */
json_t *service_build(const json_t *sandbox);
/* New reference: spec.ports made of the container ports; an empty array when there are none. */
json_t *service_ports(const json_t *sandbox);

typedef enum ServiceAction {
  SERVICE_ERROR = -1, /* *err says why */
  SERVICE_NOTHING,
  SERVICE_CREATE, /* POST service_build */
  SERVICE_PATCH,  /* PATCH it with *ret_patch */
  SERVICE_DELETE,
  SERVICE_ADOPT, /* PUT *ret_patch, which is the whole object with its resourceVersion */
} ServiceAction;

/* service: the one under the Sandbox's name, or NULL. *ret_owned: whether the status shows a Service once the
 * action is done; on SERVICE_ERROR what the status shows stays. */
ServiceAction service_decide(const json_t *sandbox, const json_t *service, json_t **ret_patch, bool *ret_owned,
                             Error *err) MUST_CHECK;

#endif
