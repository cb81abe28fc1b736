/* See pool_controller.h. */
#include "services/reconciler/kubernetes/pool_controller.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/event_recorder.h"
#include "services/reconciler/kubernetes/kubernetes_backend.h"
#include "services/reconciler/kubernetes/objects/blueprint.h"
#include "services/reconciler/kubernetes/objects/member.h"
#include "services/reconciler/kubernetes/objects/sandbox_status.h"
#include "services/reconciler/kubernetes/objects/well_known.h"
#include "services/reconciler/kubernetes/pool_tally.h"

#define MANAGER "sandboxwarmpool-controller"
/* Changes of members come in bursts; the status says what is there when they are over, at most this late. */
#define STATUS_MS 200
/* As sandplane.v1.Pool.UpdateStrategy. */
enum { STRATEGY_ON_REPLENISH = 1, STRATEGY_RECREATE = 2 };

struct PoolController {
  Cluster *c;
  KubeQueue *queue;
  json_t *told; /* "namespace/name" -> what the state was told */
  PoolTally tally;
  json_t *held_up; /* "namespace/name" of pools with members that cannot be scheduled */
};

typedef struct Pass {
  PoolController *pc;
  KubeTask *task;
  char ns[256], name[256];
  char *text; /* being told */
  int n_active, n_ready, n_held;
  int64_t again_ms, grace_ms;
} Pass;

static void finish(Pass *p, const Error *err) {
  KubeTask *task = p->task;
  int64_t again_ms = p->again_ms;
  if (err && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "pool_pass_failed", LOG_STR("namespace", p->ns), LOG_STR("pool", p->name), LOG_ERR(err));
  free(p->text);
  free(p);
  if (err)
    kube_task_failed(task, err->retry_after_ms);
  else if (again_ms)
    kube_task_done_again(task, again_ms);
  else
    kube_task_done(task);
}

/* ---- members ---- */

static bool is_unschedulable(Cluster *c, const json_t *sandbox) {
  const json_t *pod = cluster_get(c, CLUSTER_POD, kube_namespace(sandbox), kube_name(sandbox));
  const json_t *scheduled = kube_condition(kube_get(pod, "status.conditions"), "PodScheduled");
  return pod && !kube_is_deleting(pod) && str_equal(kube_text(scheduled, "status"), "False") &&
         str_equal(kube_text(scheduled, "reason"), "Unschedulable");
}

/* The API server has refused its Pod, and its template has been put right since: it never comes up, and the next one
 * does. Of others that are stale the pool's strategy decides. */
static bool is_put_right(Cluster *c, const json_t *pool, const json_t *sandbox) {
  const json_t *ready = kube_condition(kube_get(sandbox, "status.conditions"), "Ready");
  if (!str_equal(kube_text(ready, "reason"), SANDBOX_INVALID) ||
      json_array_size(kube_get(sandbox, "status.podIPs")) > 0)
    return false;
  const json_t *template =
      cluster_get(c, CLUSTER_TEMPLATE, kube_namespace(pool), kube_text(pool, "spec.sandboxTemplateRef.name"));
  return template && blueprint_differs(sandbox, template);
}

/* Never ready for longer than the grace period: no use waiting, but for a place to run, which a new one would not get
 * either. */
static void judge_unready(Pass *p, const json_t *pool, const json_t *sandbox) {
  Cluster *c = p->pc->c;
  if (is_put_right(c, pool, sandbox))
    return kubernetes_backend_spoil(c->backend, sandbox, "Stale", "its Pod was refused, and its template has changed");
  int64_t age_ms = clock_wall_ms() - kube_parse_time(kube_text(sandbox, "metadata.creationTimestamp"));
  int64_t left_ms = p->grace_ms - age_ms;
  if (left_ms > 0) {
    uint16_t jitter;
    random_bytes(&jitter, sizeof jitter);
    int64_t again = left_ms + 2000 + (left_ms + 2000) * (jitter % 500) / 1000;
    if (!p->again_ms || again < p->again_ms)
      p->again_ms = again;
  } else if (is_unschedulable(c, sandbox)) {
    p->n_held++;
  } else {
    kubernetes_backend_spoil(c->backend, sandbox, "NotReady", "the sandbox did not become ready in time");
  }
}

static void look_at_members(Pass *p, const json_t *pool) {
  Cluster *c = p->pc->c;
  const PoolTally *t = &p->pc->tally;
  p->grace_ms = member_grace_ms(pool, c->config->readiness_grace_ms);
  p->n_active = pool_tally_active(t, kube_uid(pool));
  p->n_ready = pool_tally_ready(t, kube_uid(pool));
  KUBE_OWNED json_t *unready = json_copy(pool_tally_unready(t, kube_uid(pool)));
  const char *name;
  json_t *nothing;
  json_object_foreach(unready, name, nothing) {
    const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->ns, name);
    if (sandbox && !kube_is_deleting(sandbox))
      judge_unready(p, pool, sandbox);
  }
  CLEANUP(str_freep) char *key = cluster_key(p->ns, p->name);
  bool was_held = json_object_get(p->pc->held_up, key) != NULL;
  if (p->n_held > 0 && (!p->again_ms || c->config->recheck_ms < p->again_ms))
    p->again_ms = c->config->recheck_ms;
  if ((p->n_held > 0) == was_held)
    return;
  if (p->n_held > 0)
    json_object_set_new(p->pc->held_up, key, json_true());
  else
    json_object_del(p->pc->held_up, key);
  CLEANUP(str_freep)
  char *note =
      p->n_held > 0 ? member_held_note(p->n_held, p->n_active, p->grace_ms) : str_dup("Warm pool is progressing again");
  event_record(c, &(EventNote){.about = pool,
                               .api_version = EXTENSIONS_V1BETA1,
                               .kind = KIND_POOL,
                               .warning = p->n_held > 0,
                               .reason = p->n_held > 0 ? "WarmPoolNotProgressing" : "WarmPoolProgressing",
                               .action = "Reconciling",
                               .note = note,
                               .controller = MANAGER});
}

static void on_mended(void *arg, json_t *object, const Error *err) {
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "member_not_mended", LOG_ERR(err));
}

/* A member that lost its owner or its launch type by somebody's hand gets them again, unless it is stale: then it goes.
 * Only what the state knows of is a member: a Sandbox that merely has a pool's label is left to whoever made it. */
static void mend(void *arg, const json_t *sandbox) {
  PoolController *pc = arg;
  Cluster *c = pc->c;
  char name[STATE_NAME_MAX + 1], hash[9];
  const char *ns = kube_namespace(sandbox), *epoch = kube_annotation(sandbox, ANNOTATION_EPOCH);
  if (kube_is_deleting(sandbox) || !epoch || !str_equal(epoch, kubernetes_backend_epoch(c->backend)) ||
      !state_pool_of(kube_name(sandbox), name))
    return;
  const json_t *pool = cluster_get(c, CLUSTER_POOL, ns, name);
  kube_name_hash(name, hash);
  if (!pool || kube_is_deleting(pool) || !str_equal(kube_label(sandbox, LABEL_POOL), hash))
    return;
  bool orphan = !kube_controller(sandbox);
  if (!orphan && !kube_is_controlled_by(sandbox, kube_uid(pool)))
    return;
  const json_t *template = cluster_get(c, CLUSTER_TEMPLATE, ns, kube_text(pool, "spec.sandboxTemplateRef.name"));
  if (orphan && template && blueprint_differs(sandbox, template))
    return kubernetes_backend_spoil(c->backend, sandbox, "Stale",
                                    "it lost its pool and is not of the template any more");
  KUBE_OWNED json_t *patch = member_mend_patch(sandbox, pool);
  if (patch)
    cluster_patch(c, CLUSTER_SANDBOX, ns, kube_name(sandbox), NULL, patch, on_mended, NULL);
}

/* ---- the pass: state, members, status ---- */

static void on_status(void *arg, json_t *object, const Error *err) {
  finish(arg, err && err->kind != ERROR_NOT_FOUND ? err : NULL);
}

static void write_status(Pass *p) {
  Cluster *c = p->pc->c;
  const json_t *pool = cluster_get(c, CLUSTER_POOL, p->ns, p->name);
  if (!pool || kube_is_deleting(pool))
    return finish(p, NULL);
  look_at_members(p, pool);
  KUBE_OWNED json_t *status = member_pool_status(pool, p->n_active, p->n_ready);
  KUBE_OWNED json_t *patch = member_pool_status_patch(pool, status);
  if (!patch)
    return finish(p, NULL);
  c->patient = true;
  cluster_patch(c, CLUSTER_POOL, p->ns, p->name, "status", patch, on_status, p);
  c->patient = false;
}

static void on_applied(void *arg, const PoolRecord *record, const Error *err) {
  Pass *p = arg;
  CLEANUP(str_freep) char *key = cluster_key(p->ns, p->name);
  /* without the state, the status still says what there is */
  if (err)
    p->again_ms = 1000;
  else
    json_object_set_new(p->pc->told, key, json_string(p->text));
  write_status(p);
}

static void on_deleted(void *arg, const Error *err) {
  Pass *p = arg;
  CLEANUP(str_freep) char *key = cluster_key(p->ns, p->name);
  if (!err)
    json_object_del(p->pc->told, key);
  json_object_del(p->pc->held_up, key);
  finish(p, err);
}

static void look(Pass *p) {
  Cluster *c = p->pc->c;
  const json_t *pool = cluster_get(c, CLUSTER_POOL, p->ns, p->name);
  if (!pool || kube_is_deleting(pool))
    return state_pool_delete(c->state, p->ns, p->name, on_deleted, p);
  const char *template_name = kube_text(pool, "spec.sandboxTemplateRef.name");
  bool recreate = str_equal(kube_text(pool, "spec.updateStrategy.type"), "Recreate");
  int replicas = (int)kube_int(pool, "spec.replicas", 1);
  CLEANUP(str_freep) char *key = cluster_key(p->ns, p->name);
  p->text = str_printf("%s %d %d", template_name, replicas, recreate);
  if (str_equal(json_string_value(json_object_get(p->pc->told, key)), p->text))
    return write_status(p);
  state_pool_apply(c->state,
                   &(PoolRecord){.ns = p->ns,
                                 .name = p->name,
                                 .template_name = template_name,
                                 .replicas = replicas,
                                 .strategy = recreate ? STRATEGY_RECREATE : STRATEGY_ON_REPLENISH},
                   on_applied, p);
}

static void work(void *arg, KubeTask *task, const char *ns, const char *name) {
  Pass *p = calloc(1, sizeof *p);
  if (!p)
    abort();
  *p = (Pass){.pc = arg, .task = task};
  snprintf(p->ns, sizeof p->ns, "%s", ns);
  snprintf(p->name, sizeof p->name, "%s", name);
  look(p);
}

/* ---- waking ---- */

static void add(void *arg, const json_t *pool) {
  PoolController *pc = arg;
  kube_queue_add(pc->queue, kube_namespace(pool), kube_name(pool));
}

void pool_controller_on_pool(PoolController *pc, const json_t *before, const json_t *after) {
  if (pc->c->synced &&
      (!after || !before || kube_int(before, "metadata.generation", 0) != kube_int(after, "metadata.generation", 0) ||
       kube_is_deleting(after)))
    add(pc, after ? after : before);
}

typedef struct Waking {
  PoolController *pc;
  const json_t *template;
} Waking;

static void wake(void *arg, const json_t *pool) {
  Waking *w = arg;
  if (str_equal(kube_namespace(pool), kube_namespace(w->template)) &&
      str_equal(kube_text(pool, "spec.sandboxTemplateRef.name"), kube_name(w->template)))
    add(w->pc, pool);
}

void pool_controller_on_template(PoolController *pc, const json_t *before, const json_t *after) {
  Waking w = {pc, after};
  if (pc->c->synced && before && after &&
      kube_int(before, "metadata.generation", 0) != kube_int(after, "metadata.generation", 0))
    kube_informer_each(pc->c->informers[CLUSTER_POOL], wake, &w);
}

void pool_controller_on_sandbox(PoolController *pc, const json_t *before, const json_t *after) {
  const json_t *sides[] = {before, after};
  pool_tally_change(&pc->tally, before, after);
  for (size_t i = 0; pc->c->synced && i < ARRAY_LEN(sides); i++) {
    if (sides[i] && kube_controller_is(sides[i], EXTENSIONS_GROUP, KIND_POOL))
      kube_queue_add_after(pc->queue, kube_namespace(sides[i]), kube_text(kube_controller(sides[i]), "name"),
                           STATUS_MS);
  }
  if (pc->c->synced && after)
    mend(pc, after);
}

void pool_controller_mend(PoolController *pc) {
  if (pc->c->synced)
    kube_informer_each(pc->c->informers[CLUSTER_SANDBOX], mend, pc);
}

static void on_names(void *arg, const StateNames *names, const Error *err) {
  PoolController *pc = arg;
  for (size_t i = 0; !err && pc->c->synced && i < names->n_names; i++) {
    char ns[STATE_NAME_MAX + 1];
    const char *name = state_name_split(names->names[i], ns);
    /* pools made for claims from a template have no object */
    if (name && !str_starts_with(name, SHADOW_POOL_PREFIX))
      kube_queue_add(pc->queue, ns, name);
  }
}

void pool_controller_tell_again(PoolController *pc) {
  json_object_clear(pc->told);
  if (!pc->c->synced)
    return;
  kube_informer_each(pc->c->informers[CLUSTER_POOL], add, pc);
  state_pool_names(pc->c->state, "", "", 0, on_names, pc);
}

void pool_controller_lead(PoolController *pc, bool leads) {
  kube_queue_pause(pc->queue, !leads);
  if (leads)
    pool_controller_tell_again(pc);
}

PoolController *pool_controller_new(Cluster *c) {
  PoolController *pc = calloc(1, sizeof *pc);
  if (!pc)
    abort();
  *pc = (PoolController){.c = c, .told = json_object(), .held_up = json_object()};
  pool_tally_init(&pc->tally);
  pc->queue = kube_queue_new(c->loop, (int)c->config->pool_workers, work, pc);
  kube_queue_pause(pc->queue, true);
  return pc;
}

void pool_controller_free(PoolController *pc) {
  if (!pc)
    return;
  kube_queue_free(pc->queue);
  pool_tally_deinit(&pc->tally);
  json_decref(pc->told);
  json_decref(pc->held_up);
  free(pc);
}
