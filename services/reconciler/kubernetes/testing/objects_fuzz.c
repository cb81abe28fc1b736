/* Every decision about Kubernetes objects, on objects of any shape. The input is one object with a key for each kind:
 * sandbox, claim, template, pool, pod, service, volumeClaim, policy. What the API server's schema refuses is in it
 * too: definitions change, and objects outlive them.
 *
 * Where a decision is a patch, it is asked for again once the patch is applied: one that never comes to rest is written
 * for ever.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/kube/testing/merge_patch_fixture.h"
#include "services/reconciler/kubernetes/claim/claim_adoption.h"
#include "services/reconciler/kubernetes/claim/claim_env.h"
#include "services/reconciler/kubernetes/claim/claim_rules.h"
#include "services/reconciler/kubernetes/claim/claim_status.h"
#include "services/reconciler/kubernetes/claim/claim_volumes.h"
#include "services/reconciler/kubernetes/claim/cold_sandbox.h"
#include "services/reconciler/kubernetes/claim/runtime_env.h"
#include "services/reconciler/kubernetes/pod/pod.h"
#include "services/reconciler/kubernetes/pod/volume_claim.h"
#include "services/reconciler/kubernetes/pool/member.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_status.h"
#include "services/reconciler/kubernetes/sandbox/service.h"
#include "services/reconciler/kubernetes/template/blueprint.h"
#include "services/reconciler/kubernetes/template/blueprint_text.h"
#include "services/reconciler/kubernetes/template/network_policy.h"

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
  if (rc < 0 && !*err->message)
    abort();
}

static void decide_pod(const World *w) {
  json_t *patch = NULL;
  Error err = {0};
  PodChoice choice = {0};
  json_t *owned[] = {(json_t *)w->pod, (json_t *)w->pod};
  (void)pod_tracked_name(w->sandbox);
  if (pod_choose(w->sandbox, owned, w->pod ? 2 : 0, w->pod, &choice) != 0)
    choice = (PodChoice){0};
  say(pod_decide(w->sandbox, &choice, &patch, &err), &err);
  drop(patch);
  patch = NULL;
  PodChoice none = {0};
  say(pod_decide(w->sandbox, &none, &patch, &err), &err);
  drop(patch);
  drop(pod_build(w->sandbox));
  if (w->pod) {
    KUBE_OWNED json_t *sync = pod_sync_patch(w->sandbox, w->pod, true);
    KUBE_OWNED json_t *synced = sync ? merge_patch(w->pod, sync) : NULL;
    if (synced && pod_sync_patch(w->sandbox, synced, true))
      abort();
  }
  drop(pod_name_patch(w->sandbox, "p"));
  drop(pod_name_patch(w->sandbox, NULL));
}

static void decide_service(const World *w) {
  json_t *patch = NULL;
  bool owned = false;
  Error err = {0};
  ServiceAction action = service_decide(w->sandbox, w->service, &patch, &owned, &err);
  say(action, &err);
  if (action == SERVICE_PATCH) {
    KUBE_OWNED json_t *next = merge_patch(w->service, patch), *more = NULL;
    if (service_decide(w->sandbox, next, &more, &owned, &err) == SERVICE_PATCH)
      abort();
  }
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
  SandboxView view = {.sandbox = w->sandbox,
                      .pod = w->pod,
                      .service = w->service,
                      .n_owned_pods = w->pod ? 1 : 0,
                      .cluster_domain = "cluster.local",
                      .now = NOW};
  KUBE_OWNED json_t *status = sandbox_status_build(&view);
  if (!json_is_object(status))
    abort();
  KUBE_OWNED json_t *patch = sandbox_status_patch(w->sandbox, status);
  if (patch) {
    KUBE_OWNED json_t *next = merge_patch(w->sandbox, patch);
    view.sandbox = next;
    KUBE_OWNED json_t *again = sandbox_status_build(&view);
    if (sandbox_status_patch(next, again))
      abort();
    view.sandbox = w->sandbox;
  }
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
    if (strcmp(once, twice) != 0)
      abort();
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
  claim_has_env(w->claim);
  drop(runtime_env_of(w->claim, w->template, kube_get(w->template, "spec.podTemplate.spec")));
  drop(runtime_env_kept(w->sandbox));
  int64_t at_ms;
  claim_expiry(w->claim, NULL, NOW_MS, &at_ms);
  if (!claim_shutdown_policy(w->claim))
    abort();
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
  if (json_is_object(spec))
    say(claim_volumes_apply(spec, w->claim, w->template, &reject, &err), &err);
  if (!metadata_is_good)
    return;
  drop(claim_pod_metadata(w->claim, w->template));
  drop(claim_adoption_patch(w->claim, w->sandbox, w->template));
  drop(claim_adoption_patch(w->claim, w->sandbox, NULL));
  KUBE_OWNED json_t *sync = claim_sync_patch(w->claim, w->sandbox, w->template);
  KUBE_OWNED json_t *synced = sync ? merge_patch(w->sandbox, sync) : NULL;
  if (synced && claim_sync_patch(w->claim, synced, w->template))
    abort();
  drop(claim_sync_patch(w->claim, w->sandbox, NULL));
  drop(cold_sandbox_build(w->claim, w->template, "n", true, &reject, &err));
}

static void claim_state(const World *w) {
  for (ClaimReject reject = CLAIM_ACCEPTED; reject <= CLAIM_FAILED; reject++) {
    ClaimView view = {.claim = w->claim,
                      .sandbox = w->sandbox,
                      .reject = reject,
                      .message = "m",
                      .template_name = "t",
                      .pool_name = "p",
                      .expired = reject % 2,
                      .now_ms = NOW_MS};
    KUBE_OWNED json_t *status = claim_status_build(&view);
    if (!json_is_object(status))
      abort();
    KUBE_OWNED json_t *patch = claim_status_patch(w->claim, status);
    if (!patch)
      continue;
    KUBE_OWNED json_t *next = merge_patch(w->claim, patch);
    view.claim = next;
    KUBE_OWNED json_t *again = claim_status_build(&view);
    if (claim_status_patch(next, again))
      abort();
  }
}

static void pool_members(const World *w) {
  drop(member_build(w->pool, w->template, NULL, true));
  drop(member_build(w->pool, w->template, "n", false));
  member_is_adoptable(w->sandbox);
  member_is_adoptable_by(w->sandbox, w->claim);
  member_is_ready(w->sandbox);
  KUBE_OWNED json_t *mend = member_mend_patch(w->sandbox, w->pool);
  KUBE_OWNED json_t *mended = mend ? merge_patch(w->sandbox, mend) : NULL;
  if (mended && member_mend_patch(mended, w->pool))
    abort();
  KUBE_OWNED json_t *status = member_pool_status(w->pool, 2, 1);
  drop(member_pool_status_patch(w->pool, status));
  network_policy_is_default(w->template);
  free(network_policy_name(w->template));
  KUBE_OWNED json_t *policy = network_policy_build(w->template);
  if (policy && network_policy_differs(policy, policy))
    abort();
  if (policy && w->policy)
    network_policy_differs(w->policy, policy);
}

/* What the API server promises of anything it stores, whatever the definitions say. */
static bool is_stored(const json_t *o) {
  const char *key;
  json_t *v;
  if (!kube_name(o) || !kube_uid(o) || !kube_namespace(o) || !kube_text(o, "metadata.resourceVersion"))
    return false;
  static const char *const MAPS[] = {"metadata.labels", "metadata.annotations"};
  for (size_t i = 0; i < ARRAY_LEN(MAPS); i++) {
    json_t *map = kube_get(o, MAPS[i]);
    if (map && !json_is_object(map))
      return false;
    json_object_foreach(map, key, v) {
      if (!json_is_string(v))
        return false;
    }
  }
  size_t i;
  json_t *owners = kube_get(o, "metadata.ownerReferences");
  json_array_foreach(owners, i, v) {
    if (!kube_text(v, "uid") || !kube_text(v, "name") || !kube_text(v, "kind") || !kube_text(v, "apiVersion"))
      return false;
  }
  return !owners || json_is_array(owners);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  KUBE_OWNED json_t *all = json_loadb((const char *)data, size, 0, NULL);
  World w = {.sandbox = json_object_get(all, "sandbox"),
             .claim = json_object_get(all, "claim"),
             .template = json_object_get(all, "template"),
             .pool = json_object_get(all, "pool"),
             .pod = json_object_get(all, "pod"),
             .service = json_object_get(all, "service"),
             .volume_claim = json_object_get(all, "volumeClaim"),
             .policy = json_object_get(all, "policy")};
  const json_t *stored[] = {w.sandbox, w.claim, w.template, w.pool, w.pod, w.service, w.volume_claim, w.policy};
  for (size_t i = 0; i < ARRAY_LEN(stored); i++) {
    if ((stored[i] || i < 4) && !is_stored(stored[i]))
      return 0;
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
