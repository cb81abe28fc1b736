/* What a Sandbox's status says after a pass, and when its time is over.
 *
 * The status is always computed whole, from the old one and what the pass has seen, and compared afterwards: a
 * pass that changes nothing writes nothing. Errors come before all else in Ready, for a caller that sees True
 * uses the Sandbox.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SANDBOX_STATUS_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_SANDBOX_STATUS_H_

#include "lib/kube/kube_object.h"

/* Reason of Ready: only a change of the spec helps. Clients give up at once. */
#define SANDBOX_INVALID "InvalidConfiguration"

typedef struct SandboxView {
  const json_t *sandbox;
  /* Our Pod as last read or written (a created one too), or NULL. */
  const json_t *pod;
  /* A Pod under the name that is not ours, or NULL. */
  const json_t *unowned_pod;
  /* The pod step failed and no Pod is known; implied by n_owned_pods > 1. */
  bool pod_failed;
  /* Pods that are ours; above 1 it is the condition MultiplePods. */
  size_t n_owned_pods;
  /* Our Service after its step, or NULL. */
  const json_t *service;
  /* The Service step failed or did not run: what the status says about it stays. */
  bool service_unknown;
  /* Errors of all steps joined, NULL or empty: none. */
  const char *error_text;
  /* The API server has refused what the spec asks for, and would again: SANDBOX_INVALID. */
  bool error_is_final;
  const char *cluster_domain;
  /* RFC 3339, for transitions. */
  const char *now;
} SandboxView;

/* New reference: the complete new status. */
json_t *sandbox_status_build(const SandboxView *view);
/* New reference: the body of the merge patch on /status, or NULL when there is nothing worth a write: no change, or
 * none but nodeName while not Ready (it rides with the next one). */
json_t *sandbox_status_patch(const json_t *sandbox, const json_t *new_status);

/* The patch would change nothing but observedGeneration of conditions, which may wait. */
bool sandbox_status_is_old_news(const json_t *sandbox, const json_t *new_status);

typedef enum SandboxExpiry {
  SANDBOX_LIVES,
  SANDBOX_EXPIRES, /* mark it: write sandbox_status_expired, come back at once */
  SANDBOX_EXPIRED, /* marked: clean up */
} SandboxExpiry;

/* *ret_requeue_ms: when to look again, 0: no need. */
SandboxExpiry sandbox_expiry(const json_t *sandbox, int64_t now_ms, int64_t *ret_requeue_ms);
/* shutdownPolicy Delete: cleaning up deletes the Sandbox too. */
bool sandbox_expiry_deletes(const json_t *sandbox);
/* New reference: a status (NULL: the Sandbox's own) marked as expired; also for a pass that crosses the deadline. */
json_t *sandbox_status_expired(const json_t *sandbox, const json_t *status, const char *now);
/* New reference: what remains of the status of an expired Sandbox that is retained: its conditions. */
json_t *sandbox_status_wiped(const json_t *sandbox, const char *now);

#endif
