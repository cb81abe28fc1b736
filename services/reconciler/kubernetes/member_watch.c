/* See member_watch.h. */
#include "services/reconciler/kubernetes/member_watch.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/log.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/cluster/handover.h"
#include "services/reconciler/kubernetes/object/sandbox_read.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pool/member.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_status.h"

static bool has_ended(const json_t *sandbox) {
  return kube_condition_is(kube_get(sandbox, "status.conditions"), "Finished", "True");
}

/* A Pod that is not ready; an error of ours, which may pass, is none while the Pod has its address. */
static bool is_unwell(const json_t *sandbox) {
  const json_t *ready = kube_condition(kube_get(sandbox, "status.conditions"), "Ready");
  if (!ready || str_equal(kube_text(ready, "status"), "True"))
    return false;
  const char *reason = kube_text(ready, "reason");
  bool is_ours = str_equal(reason, "ReconcilerError") || str_equal(reason, SANDBOX_INVALID);
  return !is_ours || json_array_size(kube_get(sandbox, "status.podIPs")) == 0;
}

bool member_watch_view(const json_t *sandbox, BackendSandbox *out, char route[80], char pool[STATE_NAME_MAX + 1]) {
  const char *class_name = kube_text(sandbox, "spec.podTemplate.spec.runtimeClassName");
  const char *epoch = kube_annotation(sandbox, ANNOTATION_EPOCH);
  if (!state_pool_of(kube_name(sandbox), pool))
    return false;
  if (!sandbox_read_route(sandbox, route, 80))
    *route = 0;
  *out = (BackendSandbox){
      .ns = kube_namespace(sandbox),
      .pool = pool,
      .id = kube_name(sandbox),
      .epoch = epoch ? epoch : "",
      .route = route,
      .runtime_class = class_name ? class_name : "",
      .ready = member_is_ready(sandbox) && *route && !kube_is_deleting(sandbox),
      .ended = has_ended(sandbox),
      .unwell = is_unwell(sandbox),
  };
  return true;
}

static bool is_ready(const json_t *sandbox) {
  return sandbox_read_is_member(sandbox) && !kube_is_deleting(sandbox) && member_is_ready(sandbox) &&
         json_array_size(kube_get(sandbox, "status.podIPs")) > 0;
}

static void tell_gone(KubernetesBackend *b, const json_t *before) {
  const char *ns = kube_namespace(before), *id = sandbox_read_id(before);
  CLEANUP(str_freep) char *key = cluster_key(ns, id);
  if (json_object_del(b->destroying, key) == 0)
    b->events.on_destroyed(b->arg, ns, id);
  else if (!handover_is_over(&b->c, before))
    b->events.on_deleted(b->arg, ns, id, "its Sandbox object was deleted");
}

static bool has_new_address(const json_t *before, const json_t *after) {
  char was[80], is[80];
  return sandbox_read_route(before, was, sizeof was) && sandbox_read_route(after, is, sizeof is) &&
         strcmp(was, is) != 0;
}

static void spoil_ended(KubernetesBackend *b, const json_t *sandbox) {
  const json_t *finished = kube_condition(kube_get(sandbox, "status.conditions"), "Finished");
  const char *reason = kube_text(finished, "reason"), *said = kube_text(finished, "message");
  CLEANUP(str_freep)
  char *message = str_printf("Sandbox %s ended by itself: %s", kube_name(sandbox), said ? said : "");
  cluster_spoil(&b->c, sandbox, true, reason ? reason : "Ended", message);
}

void member_watch_change(KubernetesBackend *b, const json_t *before, const json_t *after) {
  char route[80], pool[STATE_NAME_MAX + 1];
  BackendSandbox v;
  if (!after) {
    if (sandbox_read_is_member(before) || kube_controller_is(before, EXTENSIONS_GROUP, KIND_CLAIM))
      tell_gone(b, before);
    return;
  }
  if (!sandbox_read_is_member(after))
    return;
  if (kube_is_deleting(after)) {
    CLEANUP(str_freep) char *key = cluster_key(kube_namespace(after), kube_name(after));
    if (before && !kube_is_deleting(before) && !json_object_get(b->destroying, key) && !handover_is_over(&b->c, after))
      b->events.on_deleted(b->arg, kube_namespace(after), kube_name(after), "its Sandbox object is being deleted");
  } else if (is_ready(after)) {
    /* at another address: its Pod was made anew */
    if ((!is_ready(before) || has_new_address(before, after)) && member_watch_view(after, &v, route, pool))
      b->events.on_ready(b->arg, &v);
  } else if (has_ended(after)) {
    if (!before || !has_ended(before))
      spoil_ended(b, after);
  } else if (is_ready(before) && is_unwell(after)) {
    b->events.on_unready(b->arg, kube_namespace(after), kube_name(after));
  }
}
