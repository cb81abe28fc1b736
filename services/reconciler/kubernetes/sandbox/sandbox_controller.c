/* See sandbox_controller.h.
 *
 * A pass looks at the kept copies, does the first thing that is missing and looks again when that is answered,
 * until only the status is left to say. A step that failed is not tried again in the same pass: the others go on, its
 * error is part of the status, and the pass ends as failed, to be repeated after a pause.
 */
#include "services/reconciler/kubernetes/sandbox/sandbox_controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/cluster/handover.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_pass.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_status.h"
#include "services/reconciler/kubernetes/sandbox/service.h"

/* Far above what one pass has to write; a pass that does not come to an end is a defect, and is stopped. */
#define LOOKS_MAX 40
/* For how long a member that was just made need not say that it is not ready (unready_ms). */
#define UNREADY_MS 3000
#define STARTING_MS 30000

static const char *const STEP_NAMES[] = {"volumes", "pod", "service", "sandbox"};

/* ---- the end ---- */

static void finish(SandboxPass *p, int64_t again_ms) {
  bool failed = false;
  uint32_t wait_ms = 0;
  for (size_t i = 0; i < N_STEPS; i++) {
    const Error *e = &p->failed[i];
    if (e->kind == ERROR_NONE)
      continue;
    failed = true;
    if (e->retry_after_ms > wait_ms)
      wait_ms = e->retry_after_ms;
    if (e->kind != ERROR_CANCELLED && !(p->recalled & 1u << i))
      log_event(LOG_WARN, "sandbox_pass_failed", LOG_STR("namespace", p->ns), LOG_STR("sandbox", p->name),
                LOG_STR("step", STEP_NAMES[i]), LOG_ERR(e));
  }
  const json_t *sandbox = cluster_get(p->s->c, CLUSTER_SANDBOX, p->ns, p->name);
  int64_t refused_ms = sandbox ? sandbox_refusals_keep(p, sandbox) : 0;
  if (failed && refused_ms > 0 && sandbox_refusals_only(p)) {
    failed = false;
    if (again_ms == 0 || refused_ms < again_ms)
      again_ms = refused_ms;
  }
  KubeTask *task = p->task;
  json_decref(p->pod_read);
  json_decref(p->service_read);
  json_decref(p->volume_read);
  free(p);
  if (failed)
    kube_task_failed(task, wait_ms);
  else if (again_ms > 0)
    kube_task_done_again(task, again_ms);
  else
    kube_task_done(task);
}

static void now_text(char out[21]) {
  kube_format_time(clock_wall_ms(), out);
}

/* ---- status ---- */

static void join_errors(const SandboxPass *p, char *out, size_t size) {
  size_t n = 0;
  out[0] = 0;
  for (size_t i = 0; i < N_STEPS; i++) {
    if (p->failed[i].kind == ERROR_NONE || n >= size)
      continue;
    n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "\n" : "", p->failed[i].message);
  }
}

static bool was_multiple(const json_t *sandbox) {
  return str_equal(kube_text(kube_condition(kube_get(sandbox, "status.conditions"), "Ready"), "reason"),
                   "MultiplePods");
}

static void on_status_written(void *arg, json_t *object, const Error *err) {
  SandboxPass *p = arg;
  if (err && err->kind != ERROR_NOT_FOUND)
    p->failed[STEP_REST] = *err;
  int64_t again_ms = 0;
  const json_t *sandbox = cluster_get(p->s->c, CLUSTER_SANDBOX, p->ns, p->name);
  if (sandbox && !err)
    sandbox_events_tell(p, sandbox);
  if (sandbox)
    sandbox_expiry(sandbox, clock_wall_ms(), &again_ms);
  if (p->later_ms > 0 && (again_ms == 0 || p->later_ms < again_ms))
    again_ms = p->later_ms;
  finish(p, p->marked ? 1 : again_ms);
}

/* Its Pod only takes its time: nothing has gone wrong with it that anyone would want to read, and it does not run yet,
 * for of one that does a claim must know (claim_bind.c). */
static bool is_starting(const json_t *status) {
  const json_t *conditions = json_object_get(status, "conditions");
  return str_equal(kube_text(kube_condition(conditions, "Ready"), "reason"), "DependenciesNotReady") &&
         !kube_condition_is(conditions, "PodScheduled", "False") &&
         json_array_size(json_object_get(status, "podIPs")) == 0;
}

/* For how long yet a member of a pool that was just made need not say that it is not ready: with luck the next thing to
 * say is that it is, and a pool of thousands is filled with a write less for each. An API server that is slow because
 * many are being made would otherwise get more to do for it. */
static int64_t unready_ms(const SandboxPass *p, const json_t *sandbox, const json_t *status) {
  if (kube_get(sandbox, "status.conditions") || !kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL))
    return 0;
  for (size_t i = 0; i < N_STEPS; i++)
    if (p->failed[i].kind != ERROR_NONE)
      return 0;
  if (p->multiple || !kube_condition_is(json_object_get(status, "conditions"), "Ready", "False"))
    return 0;
  int64_t age_ms = clock_wall_ms() - kube_parse_time(kube_text(sandbox, "metadata.creationTimestamp"));
  int64_t until_ms = is_starting(status) ? STARTING_MS : UNREADY_MS;
  return age_ms >= 0 && age_ms < until_ms ? until_ms - age_ms : 0;
}

/* Nothing worth a write: the pass is over as well. */
static void write_status(SandboxPass *p, const json_t *sandbox, const json_t *status) {
  KUBE_OWNED json_t *patch = sandbox_status_patch(sandbox, status);
  if (patch && sandbox_steps_quiet_ms(p, sandbox) > 0 && sandbox_status_is_old_news(sandbox, status)) {
    p->later_ms = sandbox_steps_quiet_ms(p, sandbox);
    return on_status_written(p, NULL, NULL);
  }
  if (patch && unready_ms(p, sandbox, status) > 0) {
    p->later_ms = unready_ms(p, sandbox, status);
    return on_status_written(p, NULL, NULL);
  }
  if (!patch)
    return on_status_written(p, NULL, NULL);
  p->events = sandbox_events_of(sandbox, status);
  cluster_patch(p->s->c, CLUSTER_SANDBOX, p->ns, p->name, "status", patch, on_status_written, p);
}

static void say(SandboxPass *p, const json_t *sandbox) {
  char now[21], errors[2048];
  now_text(now);
  join_errors(p, errors, sizeof errors);
  bool ours = p->choice.pod && p->choice.ownership == OWNERSHIP_OURS;
  SandboxView v = {
      .sandbox = sandbox,
      .pod = ours ? p->choice.pod : NULL,
      .unowned_pod = ours ? NULL : p->choice.pod,
      .pod_failed = p->failed[STEP_POD].kind != ERROR_NONE,
      .n_owned_pods = p->choice.n_owned,
      .service = p->service_shown ? sandbox_steps_service_of(p) : NULL,
      .service_unknown = p->multiple || p->failed[STEP_SERVICE].kind != ERROR_NONE,
      .error_text = errors,
      .error_is_final = sandbox_refusals_only(p),
      .cluster_domain = p->s->c->config->cluster_domain,
      .now = now,
  };
  KUBE_OWNED json_t *status = sandbox_status_build(&v);
  if (p->multiple && !was_multiple(sandbox))
    sandbox_events_record(p, sandbox, true, "MultiplePods",
                          kube_text(kube_condition(json_object_get(status, "conditions"), "Ready"), "message"));
  int64_t again_ms;
  if (sandbox_expiry(sandbox, clock_wall_ms(), &again_ms) == SANDBOX_EXPIRES) {
    /* its time came while the pass ran */
    p->marked = true;
    KUBE_OWNED json_t *expired = sandbox_status_expired(sandbox, status, now);
    return write_status(p, sandbox, expired);
  }
  write_status(p, sandbox, status);
}

/* ---- expiry ---- */

static void mark_expired(SandboxPass *p, const json_t *sandbox) {
  char now[21];
  now_text(now);
  KUBE_OWNED json_t *status = sandbox_status_expired(sandbox, NULL, now);
  p->marked = true;
  p->step = STEP_REST;
  write_status(p, sandbox, status);
}

static void on_gone(void *arg, json_t *object, const Error *err) {
  SandboxPass *p = arg;
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_ABORTED)
    p->failed[STEP_REST] = *err;
  finish(p, 0);
}

static void clean_up(SandboxPass *p, const json_t *sandbox) {
  Cluster *c = p->s->c;
  char now[21];
  now_text(now);
  p->step = STEP_POD;
  const json_t *pod = cluster_get(c, CLUSTER_POD, p->ns, pod_tracked_name(sandbox));
  if (pod && kube_is_controlled_by(pod, kube_uid(sandbox)) && !kube_is_deleting(pod) &&
      p->failed[STEP_POD].kind == ERROR_NONE)
    return cluster_delete(c, CLUSTER_POD, pod, "Background", sandbox_steps_done, p);
  p->step = STEP_SERVICE;
  const json_t *service = cluster_get(c, CLUSTER_SERVICE, p->ns, p->name);
  if (service && kube_is_controlled_by(service, kube_uid(sandbox)) && !kube_is_deleting(service) &&
      p->failed[STEP_SERVICE].kind == ERROR_NONE)
    return cluster_delete(c, CLUSTER_SERVICE, service, "Background", sandbox_steps_done, p);
  p->step = STEP_REST;
  if (sandbox_expiry_deletes(sandbox))
    return cluster_delete(c, CLUSTER_SANDBOX, sandbox, "Background", on_gone, p);
  if (p->failed[STEP_POD].kind != ERROR_NONE || p->failed[STEP_SERVICE].kind != ERROR_NONE)
    return finish(p, 0);
  KUBE_OWNED json_t *wiped = sandbox_status_wiped(sandbox, now);
  write_status(p, sandbox, wiped);
}

/* ---- the pass ---- */

/* Nobody waits for a member of a pool, nor for what is left to do when a Sandbox that was claimed is ready. */
static bool is_patient(const json_t *sandbox) {
  return kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL) ||
         (kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM) &&
          kube_condition_is(kube_get(sandbox, "status.conditions"), "Ready", "True"));
}

static void act(SandboxPass *p, const json_t *sandbox) {
  p->choice = (PodChoice){0};
  if (sandbox_steps_volumes(p, sandbox) || sandbox_steps_pod(p, sandbox) || sandbox_steps_service(p, sandbox))
    return;
  p->step = STEP_REST;
  say(p, sandbox);
}

void sandbox_pass_look(SandboxPass *p) {
  const json_t *sandbox = cluster_get(p->s->c, CLUSTER_SANDBOX, p->ns, p->name);
  int64_t again_ms;
  if (p->failed[p->step].kind == ERROR_CANCELLED)
    return finish(p, 0);
  if (!sandbox || kube_is_deleting(sandbox))
    return finish(p, 0);
  if (++p->looks > LOOKS_MAX) {
    error_set(&p->failed[STEP_REST], ERROR_INTERNAL, "no end after %d writes", LOOKS_MAX);
    return finish(p, 0);
  }
  switch (sandbox_expiry(sandbox, clock_wall_ms(), &again_ms)) {
  case SANDBOX_EXPIRES:
    return mark_expired(p, sandbox);
  case SANDBOX_EXPIRED:
    return clean_up(p, sandbox);
  case SANDBOX_LIVES:
    break;
  }
  if (p->looks == 1)
    sandbox_refusals_recall(p, sandbox);
  Cluster *c = p->s->c;
  c->patient = is_patient(sandbox);
  act(p, sandbox);
  c->patient = false;
}

static void work(void *arg, KubeTask *task, const char *ns, const char *name) {
  SandboxController *s = arg;
  SandboxPass *p = new0(SandboxPass);
  *p = (SandboxPass){.s = s, .task = task, .step = STEP_REST};
  snprintf(p->ns, sizeof p->ns, "%s", ns);
  snprintf(p->name, sizeof p->name, "%s", name);
  CLEANUP(str_freep) char *key = cluster_key(ns, name);
  const json_t *sandbox = cluster_get(s->c, CLUSTER_SANDBOX, ns, name);
  bool is_moving = sandbox && handover_is_open(s->c, sandbox); /* the claim's pass carries that on, and lets go of it */
  if (is_moving || json_object_get(s->held, key))
    return finish(p, 0); /* comes again when it is let go */
  sandbox_pass_look(p);
}

/* ---- waking ---- */

static void add(void *arg, const json_t *sandbox) {
  SandboxController *s = arg;
  kube_queue_add(s->queue, kube_namespace(sandbox), kube_name(sandbox));
}

void sandbox_controller_on_sandbox(SandboxController *s, const json_t *before, const json_t *after) {
  if (after && s->c->synced)
    add(s, after);
  if (!after)
    json_object_del(s->refused, kube_uid(before));
}

void sandbox_controller_on_child(SandboxController *s, const json_t *before, const json_t *after) {
  const json_t *sides[] = {before, after};
  for (size_t i = 0; i < ARRAY_LEN(sides); i++) {
    if (s->c->synced && sides[i] && kube_controller_is(sides[i], AGENTS_GROUP, KIND_SANDBOX))
      kube_queue_add(s->queue, kube_namespace(sides[i]), kube_text(kube_controller(sides[i]), "name"));
  }
}

void sandbox_controller_hold(SandboxController *s, const char *ns, const char *name, bool held) {
  CLEANUP(str_freep) char *key = cluster_key(ns, name);
  if (held) {
    json_object_set_new(s->held, key, json_true());
  } else if (json_object_del(s->held, key) == 0) {
    kube_queue_add(s->queue, ns, name);
  }
}

void sandbox_controller_lead(SandboxController *s, bool leads) {
  kube_queue_pause(s->queue, !leads);
  if (leads)
    kube_informer_each(s->c->informers[CLUSTER_SANDBOX], add, s);
}

SandboxController *sandbox_controller_new(Cluster *c) {
  SandboxController *s = new0(SandboxController);
  *s = (SandboxController){.c = c, .held = json_object(), .refused = json_object()};
  s->queue = kube_queue_new(c->loop, (int)c->config->sandbox_workers, work, s);
  kube_queue_pause(s->queue, true);
  return s;
}

void sandbox_controller_free(SandboxController *s) {
  if (!s)
    return;
  kube_queue_free(s->queue);
  json_decref(s->held);
  json_decref(s->refused);
  free(s);
}
