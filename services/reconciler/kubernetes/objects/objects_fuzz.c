/* Every decision about Kubernetes objects, on objects of any shape. The input is one object with a key for each kind:
 * sandbox, claim, template, pool, pod, service, volumeClaim, policy. What the API server's schema refuses is in it
 * too: definitions change, and objects outlive them.
 *
 * Decisions are repeated on what they made of themselves where that must come to rest: a patch that is never done
 * with is written for ever.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/objects/blueprint.h"
#include "services/reconciler/kubernetes/objects/blueprint_text.h"
#include "services/reconciler/kubernetes/objects/claim_adoption.h"
#include "services/reconciler/kubernetes/objects/claim_env.h"
#include "services/reconciler/kubernetes/objects/claim_rules.h"
#include "services/reconciler/kubernetes/objects/claim_status.h"
#include "services/reconciler/kubernetes/objects/claim_volumes.h"
#include "services/reconciler/kubernetes/objects/cold_sandbox.h"
#include "services/reconciler/kubernetes/objects/member.h"
#include "services/reconciler/kubernetes/objects/network_policy.h"
#include "services/reconciler/kubernetes/objects/pod.h"
#include "services/reconciler/kubernetes/objects/sandbox_status.h"
#include "services/reconciler/kubernetes/objects/service.h"
#include "services/reconciler/kubernetes/objects/volume_claim.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define NOW "2026-01-31T12:00:00Z"
#define NOW_MS 1769860800000

typedef struct World {
  const json_t *sandbox, *claim, *template, *pool, *pod, *service, *volume_claim, *policy;
} World;

/* Takes the reference. */
static void drop(json_t *value) {
  json_decref(value);
}

static void say(int rc, const Error *err) {
  if (rc < 0 && !*err->message) abort();
}

static void decide_pod(const World *w) {
  json_t *patch = NULL;
  Error err = {0};
  PodChoice choice = {0};
  json_t *owned[] = {(json_t *)w->pod, (json_t *)w->pod};
  (void)pod_tracked_name(w->sandbox);
  if (pod_choose(w->sandbox, owned, w->pod ? 2 : 0, w->pod, &choice) != 0) choice = (PodChoice){0};
  say(pod_decide(w->sandbox, &choice, &patch, &err), &err);
  drop(patch);
  patch = NULL;
  PodChoice none = {0};
  say(pod_decide(w->sandbox, &none, &patch, &err), &err);
  drop(patch);
  drop(pod_build(w->sandbox));
  if (w->pod) drop(pod_sync_patch(w->sandbox, w->pod, true));
  drop(pod_name_patch(w->sandbox, "p"));
  drop(pod_name_patch(w->sandbox, NULL));
}

static void decide_service(const World *w) {
  json_t *patch = NULL;
  bool owned = false;
  Error err = {0};
  say(service_decide(w->sandbox, w->service, &patch, &owned, &err), &err);
  drop(patch);
  patch = NULL;
  KUBE_OWNED json_t *built = service_build(w->sandbox);
  say(service_decide(w->sandbox, built, &patch, &owned, &err), &err);
  drop(patch);
  drop(service_ports(w->sandbox));
}

static void decide_volumes(const World *w) {
  size_t n = volume_claim_count(w->sandbox);
  for (size_t i = 0; i < n && i < 4; i++) {
    free(volume_claim_name(w->sandbox, i));
    drop(volume_claim_build(w->sandbox, i));
  }
  json_t *patch = NULL;
  Error err = {0};
  say(volume_claim_decide(w->sandbox, w->volume_claim, &patch, &err), &err);
  drop(patch);
}

static void sandbox_state(const World *w) {
  SandboxView view = {.sandbox = w->sandbox, .pod = w->pod, .service = w->service, .n_owned_pods = w->pod ? 1 : 0,
                      .cluster_domain = "cluster.local", .now = NOW};
  KUBE_OWNED json_t *status = sandbox_status_build(&view);
  if (!json_is_object(status)) abort();
  drop(sandbox_status_patch(w->sandbox, status));
  sandbox_status_is_old_news(w->sandbox, status);
  int64_t again_ms;
  sandbox_expiry(w->sandbox, NOW_MS, &again_ms);
  sandbox_expiry_deletes(w->sandbox);
  drop(sandbox_status_expired(w->sandbox, status, NOW));
  drop(sandbox_status_expired(w->sandbox, NULL, NOW));
  drop(sandbox_status_wiped(w->sandbox, NOW));
  view.pod = NULL;
  view.unowned_pod = w->pod;
  view.error_text = "e";
  drop(sandbox_status_build(&view));
}

static void blueprint(const World *w) {
  char hash[9];
  drop(blueprint_of(w->template));
  blueprint_hash(w->template, hash);
  blueprint_meaning_hash(w->template, hash);
  blueprint_pod_hash(w->template, hash);
  blueprint_differs(w->sandbox, w->template);
  free(blueprint_text(kube_get(w->template, "spec.podTemplate.spec"), "PodSpec"));
  const char *quantity = kube_text(w->claim, "quantity");
  if (quantity) {
    /* the canonical form is its own */
    CLEANUP(str_freep) char *once = blueprint_quantity(quantity);
    CLEANUP(str_freep) char *twice = blueprint_quantity(once);
    if (strcmp(once, twice) != 0) abort();
  }
}

static void claim_rules(const World *w) {
  ClaimReject reject = CLAIM_ACCEPTED;
  Error err = {0};
  ClaimDomains domains;
  claim_domains_parse(&domains, kube_text(w->claim, "domains"));
  bool metadata_is_good = claim_check_metadata(w->claim, w->template, &domains, &reject, &err) == 0;
  claim_domains_deinit(&domains);
  claim_has_metadata(w->claim);
  claim_needs_cold(w->claim);
  int64_t at_ms;
  claim_expiry(w->claim, NULL, NOW_MS, &at_ms);
  if (!claim_shutdown_policy(w->claim)) abort();
  claim_assigned_name(w->claim);
  claim_is_v1alpha1_origin(w->claim, false);
  claim_takes_any_pool(w->claim, false);
  free(claim_template_of_origin(w->claim));
  KUBE_OWNED json_t *pod_spec = json_deep_copy(kube_get(w->template, "spec.podTemplate.spec"));
  if (json_is_object(pod_spec)) {
    blueprint_apply_secure_defaults(pod_spec, w->template);
    say(claim_env_apply(pod_spec, w->claim, w->template, &reject, &err), &err);
  }
  KUBE_OWNED json_t *spec = json_deep_copy(kube_get(w->sandbox, "spec"));
  if (json_is_object(spec)) say(claim_volumes_apply(spec, w->claim, w->template, &reject, &err), &err);
  if (!metadata_is_good) return;
  drop(claim_pod_metadata(w->claim, w->template));
  drop(claim_adoption_patch(w->claim, w->sandbox, w->template));
  drop(claim_adoption_patch(w->claim, w->sandbox, NULL));
  drop(claim_sync_patch(w->claim, w->sandbox, w->template));
  drop(claim_sync_patch(w->claim, w->sandbox, NULL));
  drop(cold_sandbox_build(w->claim, w->template, "n", true, &reject, &err));
}

static void claim_state(const World *w) {
  for (ClaimReject reject = CLAIM_ACCEPTED; reject <= CLAIM_FAILED; reject++) {
    ClaimView view = {.claim = w->claim, .sandbox = w->sandbox, .reject = reject, .message = "m", .template_name = "t", .pool_name = "p",
                      .expired = reject % 2, .now_ms = NOW_MS};
    KUBE_OWNED json_t *status = claim_status_build(&view);
    if (!json_is_object(status)) abort();
    drop(claim_status_patch(w->claim, status));
  }
}

static void pool_members(const World *w) {
  drop(member_build(w->pool, w->template, NULL, true));
  drop(member_build(w->pool, w->template, "n", false));
  member_is_adoptable(w->sandbox);
  member_is_adoptable_by(w->sandbox, w->claim);
  member_is_ready(w->sandbox);
  drop(member_mend_patch(w->sandbox, w->pool));
  KUBE_OWNED json_t *status = member_pool_status(w->pool, 2, 1);
  drop(member_pool_status_patch(w->pool, status));
  network_policy_is_default(w->template);
  free(network_policy_name(w->template));
  KUBE_OWNED json_t *policy = network_policy_build(w->template);
  if (policy && network_policy_differs(policy, policy)) abort();
  if (policy && w->policy) network_policy_differs(w->policy, policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  KUBE_OWNED json_t *all = json_loadb((const char *)data, size, 0, NULL);
  World w = {.sandbox = json_object_get(all, "sandbox"), .claim = json_object_get(all, "claim"), .template = json_object_get(all, "template"),
             .pool = json_object_get(all, "pool"), .pod = json_object_get(all, "pod"), .service = json_object_get(all, "service"),
             .volume_claim = json_object_get(all, "volumeClaim"), .policy = json_object_get(all, "policy")};
  /* the API server's own promise about any object it stores */
  const json_t *stored[] = {w.sandbox, w.claim, w.template, w.pool, w.pod, w.service, w.volume_claim, w.policy};
  for (size_t i = 0; i < ARRAY_LEN(stored); i++) {
    const json_t *o = stored[i];
    if (!o && i >= 4) continue;
    if (!kube_name(o) || !kube_uid(o) || !kube_namespace(o) || !kube_text(o, "metadata.resourceVersion")) return 0;
  }
  decide_pod(&w);
  decide_service(&w);
  decide_volumes(&w);
  sandbox_state(&w);
  blueprint(&w);
  claim_rules(&w);
  claim_state(&w);
  pool_members(&w);
  return 0;
}
