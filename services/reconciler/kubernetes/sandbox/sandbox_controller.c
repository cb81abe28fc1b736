/* See sandbox_controller.h. */
#include "services/reconciler/kubernetes/sandbox/sandbox_controller.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/cluster/handover.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_pass.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_status.h"

typedef struct SandboxController {
  Controller *k;
  Cluster *c;
  json_t *refused; /* uid -> what the API server has refused of its spec; sandbox_refusals */
} SandboxController;

/* ---- expiry ---- */

static PassNext mark_expired(SandboxPass *p, const json_t *sandbox) {
  char now[21];
  kube_format_time(clock_wall_ms(), now);
  KUBE_OWNED json_t *status = sandbox_status_expired(sandbox, NULL, now);
  p->marked = true;
  p->step = STEP_REST;
  return sandbox_report_status(p, sandbox, status);
}

static PassNext on_gone(void *pass, json_t *object, const Error *err) {
  SandboxPass *p = pass;
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_ABORTED)
    p->failed[STEP_REST] = *err;
  return PASS_DONE;
}

static bool is_to_go(const SandboxPass *p, const json_t *child, const json_t *sandbox) {
  return child && kube_is_controlled_by(child, kube_uid(sandbox)) && !kube_is_deleting(child) &&
         p->failed[p->step].kind == ERROR_NONE;
}

static PassNext clean_up(SandboxPass *p, const json_t *sandbox) {
  Cluster *c = p->pass.c;
  p->step = STEP_POD;
  const json_t *pod = cluster_get(c, CLUSTER_POD, p->pass.ns, pod_tracked_name(sandbox));
  if (is_to_go(p, pod, sandbox))
    return pass_delete(&p->pass, CLUSTER_POD, pod, "Background", sandbox_steps_done);
  p->step = STEP_SERVICE;
  const json_t *service = cluster_get(c, CLUSTER_SERVICE, p->pass.ns, p->pass.name);
  if (is_to_go(p, service, sandbox))
    return pass_delete(&p->pass, CLUSTER_SERVICE, service, "Background", sandbox_steps_done);
  p->step = STEP_REST;
  if (sandbox_expiry_deletes(sandbox))
    return pass_delete(&p->pass, CLUSTER_SANDBOX, sandbox, "Background", on_gone);
  if (p->failed[STEP_POD].kind != ERROR_NONE || p->failed[STEP_SERVICE].kind != ERROR_NONE)
    return PASS_DONE;
  char now[21];
  kube_format_time(clock_wall_ms(), now);
  KUBE_OWNED json_t *wiped = sandbox_status_wiped(sandbox, now);
  return sandbox_report_status(p, sandbox, wiped);
}

/* ---- the pass ---- */

/* Nobody waits for a member of a pool, nor for what is left to do when a Sandbox that was claimed is ready. */
static bool is_patient(const json_t *sandbox) {
  return kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL) ||
         (kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM) &&
          kube_condition_is(kube_get(sandbox, "status.conditions"), "Ready", "True"));
}

static PassNext act(SandboxPass *p, const json_t *sandbox) {
  static PassNext (*const STEPS[])(SandboxPass *, const json_t *) = {sandbox_steps_volumes, sandbox_steps_pod,
                                                                     sandbox_steps_service};
  p->choice = (PodChoice){0};
  for (size_t i = 0; i < ARRAY_LEN(STEPS); i++) {
    PassNext next = STEPS[i](p, sandbox);
    if (next != PASS_ON)
      return next;
  }
  p->step = STEP_REST;
  return sandbox_report(p, sandbox);
}

static PassNext look(void *pass) {
  SandboxPass *p = pass;
  const json_t *sandbox = cluster_get(p->pass.c, CLUSTER_SANDBOX, p->pass.ns, p->pass.name);
  bool is_first = p->pass.looks == 1;
  int64_t again_ms;
  if (!sandbox || kube_is_deleting(sandbox))
    return PASS_DONE;
  /* moving: the claim's pass carries that on, and lets go of it */
  if (is_first && handover_is_open(p->pass.c, sandbox))
    return PASS_DONE;
  p->looked = true;
  p->refused = ((SandboxController *)p->pass.owner)->refused;
  p->pass.haste = CLUSTER_AWAITED;
  switch (sandbox_expiry(sandbox, clock_wall_ms(), &again_ms)) {
  case SANDBOX_EXPIRES:
    return mark_expired(p, sandbox);
  case SANDBOX_EXPIRED:
    return clean_up(p, sandbox);
  case SANDBOX_LIVES:
    break;
  }
  if (is_first)
    sandbox_refusals_recall(p, sandbox);
  p->pass.haste = is_patient(sandbox) ? CLUSTER_PATIENT : CLUSTER_AWAITED;
  return act(p, sandbox);
}

/* ---- waking ---- */

/* A Pod or Service: wakes the Sandbox that controls it. */
static void on_child(void *owner, const json_t *before, const json_t *after) {
  const SandboxController *s = owner;
  const json_t *sides[] = {before, after};
  for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
    if (sides[i] && kube_controller_is(sides[i], AGENTS_GROUP, KIND_SANDBOX))
      controller_add(s->k, kube_namespace(sides[i]), kube_text(kube_controller(sides[i]), "name"));
  }
}

static void on_sandbox(void *owner, const json_t *before, const json_t *after) {
  SandboxController *s = owner;
  if (after)
    return controller_add_object(s->k, after);
  json_object_del(s->refused, kube_uid(before));
  /* a member whose Pod is another's by now: that one was left alone for as long as this was there, and whoever handed
   * the Pod over may not know that it is gone (handover_is_open) */
  const json_t *pod = cluster_get(s->c, CLUSTER_POD, kube_namespace(before), kube_name(before));
  if (pod)
    on_child(s, NULL, pod);
}

static void free_owner(void *owner) {
  SandboxController *s = owner;
  json_decref(s->refused);
  free(s);
}

static const ControllerSpec SPEC = {
    .resource = CLUSTER_SANDBOX,
    .pass_size = sizeof(SandboxPass),
    .looks_max = 40,
    .look = look,
    .end = sandbox_report_end,
    .on_change = {[CLUSTER_SANDBOX] = on_sandbox, [CLUSTER_POD] = on_child, [CLUSTER_SERVICE] = on_child},
    .free = free_owner};

Controller *sandbox_controller_new(Cluster *c) {
  SandboxController *s = new0(SandboxController);
  *s = (SandboxController){.c = c, .refused = json_object()};
  s->k = controller_new(c, &SPEC, (int)c->config->sandbox_workers, s);
  c->sandboxes = s->k;
  return s->k;
}
