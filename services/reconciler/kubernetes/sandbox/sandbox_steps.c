/* The steps of a pass over a Sandbox; see sandbox_pass.h. */
#include "services/reconciler/kubernetes/sandbox/sandbox_pass.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pod/volume_claim.h"
#include "services/reconciler/kubernetes/sandbox/service.h"

/* ---- answers ---- */

PassNext sandbox_steps_done(void *pass, json_t *object, const Error *err) {
  SandboxPass *p = pass;
  /* what is gone already needs no more */
  if (err && err->kind != ERROR_NOT_FOUND)
    p->failed[p->step] = *err;
  if (p->step == STEP_SERVICE) {
    /* as it was before the write */
    json_decref(p->service_read);
    p->service_read = NULL;
  }
  return PASS_LOOK;
}

static PassNext keep_read(SandboxPass *p, json_t **slot, json_t *object, const Error *err) {
  if (err && err->kind != ERROR_NOT_FOUND)
    p->failed[p->step] = *err;
  json_decref(*slot);
  *slot = err ? NULL : json_incref(object);
  return PASS_LOOK;
}

static PassNext on_pod_read(void *pass, json_t *object, const Error *err) {
  SandboxPass *p = pass;
  p->pod_was_read = true;
  return keep_read(p, &p->pod_read, object, err);
}
static PassNext on_service_read(void *pass, json_t *object, const Error *err) {
  SandboxPass *p = pass;
  p->service_was_read = true;
  return keep_read(p, &p->service_read, object, err);
}
static PassNext on_volume_read(void *pass, json_t *object, const Error *err) {
  SandboxPass *p = pass;
  return keep_read(p, &p->volume_read, object, err);
}

/* Created, or somebody was first: then what is there is read and judged. */
static PassNext on_created(SandboxPass *p, ClusterResource r, PassFn read, const Error *err) {
  if (err && err->kind == ERROR_ALREADY_EXISTS)
    return pass_read(&p->pass, r, p->pass.name, read);
  return sandbox_steps_done(p, NULL, err);
}

static PassNext on_pod_created(void *pass, json_t *object, const Error *err) {
  SandboxPass *p = pass;
  sandbox_events_pod(p, p->pass.name, err);
  return on_created(p, CLUSTER_POD, on_pod_read, err);
}
static PassNext on_service_created(void *pass, json_t *object, const Error *err) {
  return on_created(pass, CLUSTER_SERVICE, on_service_read, err);
}

/* The first claim that is not kept is the one that was just tried. */
static PassNext on_volume_created(void *pass, json_t *object, const Error *err) {
  SandboxPass *p = pass;
  Cluster *c = p->pass.c;
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->pass.ns, p->pass.name);
  for (size_t i = 0; err && err->kind == ERROR_ALREADY_EXISTS && i < volume_claim_count(sandbox); i++) {
    CLEANUP(str_freep) char *name = volume_claim_name(sandbox, i);
    if (!cluster_get(c, CLUSTER_VOLUME_CLAIM, p->pass.ns, name))
      return pass_read(&p->pass, CLUSTER_VOLUME_CLAIM, name, on_volume_read);
  }
  return sandbox_steps_done(p, object, err);
}

static PassNext patch_sandbox(SandboxPass *p, const json_t *patch) {
  return pass_patch(&p->pass, CLUSTER_SANDBOX, p->pass.name, NULL, patch, sandbox_steps_done);
}

/* ---- steps ---- */

PassNext sandbox_steps_volumes(SandboxPass *p, const json_t *sandbox) {
  Cluster *c = p->pass.c;
  p->step = STEP_VOLUMES;
  for (size_t i = 0; p->failed[STEP_VOLUMES].kind == ERROR_NONE && i < volume_claim_count(sandbox); i++) {
    CLEANUP(str_freep) char *name = volume_claim_name(sandbox, i);
    const json_t *there = cluster_get(c, CLUSTER_VOLUME_CLAIM, p->pass.ns, name);
    if (!there && str_equal(kube_name(p->volume_read), name))
      there = p->volume_read;
    KUBE_OWNED json_t *patch = NULL;
    KUBE_OWNED json_t *body = NULL;
    switch (volume_claim_decide(sandbox, there, &patch, &p->failed[STEP_VOLUMES])) {
    case VOLUME_CLAIM_CREATE:
      body = volume_claim_build(sandbox, i);
      return pass_create(&p->pass, CLUSTER_VOLUME_CLAIM, body, SANDBOX_MANAGER, on_volume_created);
    case VOLUME_CLAIM_ADOPT:
      return pass_patch(&p->pass, CLUSTER_VOLUME_CLAIM, name, NULL, patch, sandbox_steps_done);
    case VOLUME_CLAIM_NOTHING:
    case VOLUME_CLAIM_ERROR:
      break;
    }
  }
  return PASS_ON;
}

typedef struct Owned {
  json_t *pods[8]; /* more than one is a condition already */
  size_t n;
  const char *ns;
} Owned;

static void collect_owned(void *arg, const json_t *pod) {
  Owned *o = arg;
  if (o->n < ARRAY_LEN(o->pods) && str_equal(kube_namespace(pod), o->ns))
    o->pods[o->n++] = (json_t *)pod;
}

/* False: the Pod under the tracked name has to be read first. */
static bool choose_pod(SandboxPass *p, const json_t *sandbox) {
  Cluster *c = p->pass.c;
  Owned owned = {.ns = p->pass.ns};
  cluster_each_of(c, CLUSTER_POD, kube_uid(sandbox), collect_owned, &owned);
  const char *tracked_name = pod_tracked_name(sandbox);
  const json_t *tracked = cluster_get(c, CLUSTER_POD, p->pass.ns, tracked_name);
  if (!tracked && str_equal(kube_name(p->pod_read), tracked_name))
    tracked = p->pod_read;
  bool is_named = !str_equal(tracked_name, p->pass.name);
  if (!tracked && owned.n == 0 && !p->pod_was_read && (is_named || pod_is_suspended(sandbox)))
    return false;
  p->multiple = pod_choose(sandbox, owned.pods, owned.n, tracked, &p->choice) == POD_MULTIPLE;
  return true;
}

/* For how long yet what nobody waits for may not cost the API server a write; 0: not at all. A Sandbox that was claimed
 * through gRPC has got new labels, and most such claims end before anyone would read them from the Pod. In time for an
 * autoscaler, which waits longer before it takes a Node away, the Pod is told that it must not be evicted any more. */
int64_t sandbox_steps_quiet_ms(const SandboxPass *p, const json_t *sandbox) {
  Cluster *c = p->pass.c;
  if (!kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM))
    return 0;
  const json_t *claim = cluster_get(c, CLUSTER_CLAIM, p->pass.ns, kube_text(kube_controller(sandbox), "name"));
  /* it ends: the Sandbox goes with it in a moment */
  if (!claim || kube_is_deleting(claim))
    return c->config->grpc_claim_quiet_ms;
  if (!kube_annotation(claim, ANNOTATION_MIRRORED_UID) || !kube_is_controlled_by(sandbox, kube_uid(claim)))
    return 0;
  int64_t left_ms = kube_parse_time(kube_text(claim, "metadata.creationTimestamp")) + c->config->grpc_claim_quiet_ms -
                    clock_wall_ms();
  return left_ms > 0 ? left_ms : 0;
}

static PassNext act_on_pod(SandboxPass *p, const json_t *sandbox) {
  KUBE_OWNED json_t *patch = NULL;
  KUBE_OWNED json_t *body = NULL;
  PodAction action = pod_decide(sandbox, &p->choice, &patch, &p->failed[STEP_POD]);
  KUBE_OWNED json_t *unname = p->choice.drop_name ? pod_name_patch(sandbox, NULL) : NULL;
  if (unname) {
    p->failed[STEP_POD] = (Error){0}; /* judged again after it */
    return patch_sandbox(p, unname);
  }
  bool ours = p->choice.pod && p->choice.ownership == OWNERSHIP_OURS && !pod_is_suspended(sandbox);
  KUBE_OWNED json_t *name_it = action == POD_NOTHING && ours ? pod_name_patch(sandbox, kube_name(p->choice.pod)) : NULL;
  switch (action) {
  case POD_CREATE:
    body = pod_build(sandbox);
    return pass_create(&p->pass, CLUSTER_POD, body, SANDBOX_MANAGER, on_pod_created);
  case POD_PATCH:
    p->later_ms = sandbox_steps_quiet_ms(p, sandbox);
    if (p->later_ms > 0)
      break;
    /* fall through */
  case POD_ADOPT:
    return pass_patch(&p->pass, CLUSTER_POD, kube_name(p->choice.pod), NULL, patch, sandbox_steps_done);
  case POD_DELETE:
    return pass_delete(&p->pass, CLUSTER_POD, p->choice.pod, "Background", sandbox_steps_done);
  case POD_NOTHING:
    return name_it ? patch_sandbox(p, name_it) : PASS_ON;
  case POD_ERROR:
    break;
  }
  return PASS_ON;
}

PassNext sandbox_steps_pod(SandboxPass *p, const json_t *sandbox) {
  p->step = STEP_POD;
  if (!choose_pod(p, sandbox))
    return pass_read(&p->pass, CLUSTER_POD, pod_tracked_name(sandbox), on_pod_read);
  if (p->multiple || p->failed[STEP_POD].kind != ERROR_NONE)
    return PASS_ON;
  return act_on_pod(p, sandbox);
}

const json_t *sandbox_steps_service_of(SandboxPass *p) {
  const json_t *there = cluster_get(p->pass.c, CLUSTER_SERVICE, p->pass.ns, p->pass.name);
  return there ? there : p->service_read;
}

/* One that was there and is not any more may only have lost its label. Where one is asked for, creating it tells. */
static bool has_lost_service(SandboxPass *p, const json_t *sandbox) {
  return !p->service_was_read && !sandbox_steps_service_of(p) && kube_text(sandbox, "status.service") &&
         kube_bool(sandbox, "spec.service") != 1;
}

PassNext sandbox_steps_service(SandboxPass *p, const json_t *sandbox) {
  p->step = STEP_SERVICE;
  if (p->multiple || p->failed[STEP_SERVICE].kind != ERROR_NONE)
    return PASS_ON;
  if (has_lost_service(p, sandbox))
    return pass_read(&p->pass, CLUSTER_SERVICE, p->pass.name, on_service_read);
  const json_t *there = sandbox_steps_service_of(p);
  KUBE_OWNED json_t *patch = NULL;
  KUBE_OWNED json_t *body = NULL;
  switch (service_decide(sandbox, there, &patch, &p->service_shown, &p->failed[STEP_SERVICE])) {
  case SERVICE_CREATE:
    body = service_build(sandbox);
    return pass_create(&p->pass, CLUSTER_SERVICE, body, SANDBOX_MANAGER, on_service_created);
  case SERVICE_PATCH:
    return pass_patch(&p->pass, CLUSTER_SERVICE, p->pass.name, NULL, patch, sandbox_steps_done);
  case SERVICE_ADOPT:
    return pass_replace(&p->pass, CLUSTER_SERVICE, patch, sandbox_steps_done);
  case SERVICE_DELETE:
    return pass_delete(&p->pass, CLUSTER_SERVICE, there, "Background", sandbox_steps_done);
  case SERVICE_NOTHING:
  case SERVICE_ERROR:
    break;
  }
  return PASS_ON;
}
