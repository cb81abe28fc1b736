/* See pool_controller.h. */
#include "services/reconciler/kubernetes/pool/pool_controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/state/state_pool.h"
#include "services/reconciler/kubernetes/cluster/event_recorder.h"
#include "services/reconciler/kubernetes/cluster/state_names.h"
#include "services/reconciler/kubernetes/object/sandbox_read.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pod/pod.h"
#include "services/reconciler/kubernetes/pool/member.h"
#include "services/reconciler/kubernetes/pool/pool_tally.h"
#include "services/reconciler/kubernetes/pool/pool_why.h"
#include "services/reconciler/kubernetes/template/blueprint.h"

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
  PoolWhy why;
  json_t *held_up; /* "namespace/name" of pools with members that cannot be scheduled */
};

typedef struct Pass {
  PoolController *pc;
  KubeTask *task;
  char ns[256], name[256];
  char state_name[STATE_NAME_SIZE];
  char *text; /* being told */
  int n_active, n_ready, n_held;
  int64_t again_ms, grace_ms;
  MemberTrouble trouble; /* why it is not full; reason "": it is, or on its way */
  bool is_final;         /* of trouble: members have nothing to add */
  bool is_refused;
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

static void look_again_in(Pass *p, int64_t ms) {
  if (!p->again_ms || ms < p->again_ms)
    p->again_ms = ms;
}

/* Since when it has not been ready: a probe that fails for a while, as on a busy node, is no reason to make another
 * one. */
static int64_t unready_since_ms(const json_t *sandbox) {
  const json_t *ready = kube_condition(kube_get(sandbox, "status.conditions"), "Ready");
  int64_t made_ms = kube_parse_time(kube_text(sandbox, "metadata.creationTimestamp")),
          lost_ms = kube_parse_time(kube_text(ready, "lastTransitionTime"));
  return lost_ms > made_ms ? lost_ms : made_ms;
}

/* It cannot start, or has not been ready for a while, and its template was put right since: the next one does. Of
 * others that are stale the pool's strategy decides. */
static bool is_outdated(Pass *p, const json_t *pool, const json_t *sandbox, const MemberTrouble *t) {
  const json_t *template =
      cluster_get(p->pc->c, CLUSTER_TEMPLATE, p->ns, kube_text(pool, "spec.sandboxTemplateRef.name"));
  return t->rank != TROUBLE_NONE && template && blueprint_differs(sandbox, template);
}

/* Not ready for longer than the grace period: no use waiting, but for a place to run, which a new one would not get
 * either. */
static void judge_unready(Pass *p, const json_t *pool, const json_t *sandbox) {
  Cluster *c = p->pc->c;
  int64_t unready_ms = clock_wall_ms() - unready_since_ms(sandbox);
  int64_t left_ms = p->grace_ms - unready_ms;
  MemberTrouble t;
  member_trouble(sandbox, cluster_get(c, CLUSTER_POD, p->ns, pod_tracked_name(sandbox)), unready_ms, &t);
  if (is_outdated(p, pool, sandbox, &t))
    return cluster_spoil(c, sandbox, false, "Stale", "it did not become ready, and its template is another now");
  if (t.rank == TROUBLE_NONE && unready_ms < MEMBER_PATIENCE_MS)
    look_again_in(p, MEMBER_PATIENCE_MS - unready_ms);
  /* the same one each time, so that the same is said */
  bool is_worse = t.rank > p->trouble.rank || (t.rank == p->trouble.rank && strcmp(t.message, p->trouble.message) < 0);
  if (t.rank != TROUBLE_NONE && is_worse && !p->is_final)
    p->trouble = t;
  if (left_ms > 0) {
    uint16_t jitter;
    random_bytes(&jitter, sizeof jitter);
    look_again_in(p, left_ms + 2000 + (left_ms + 2000) * (jitter % 500) / 1000);
  } else if (is_unschedulable(c, sandbox)) {
    p->n_held++;
  } else {
    cluster_spoil(c, sandbox, true, "NotReady", "the sandbox was not ready for too long");
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
  if (p->n_held > 0)
    look_again_in(p, c->config->recheck_ms);
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
  if (kube_is_deleting(sandbox) || !epoch || !str_equal(epoch, cluster_epoch(c)) ||
      !state_pool_of(kube_name(sandbox), name))
    return;
  const json_t *pool = state_names_pool(c, ns, name);
  kube_name_hash(pool ? kube_name(pool) : "", hash);
  if (!pool || kube_is_deleting(pool) || !str_equal(kube_label(sandbox, LABEL_POOL), hash))
    return;
  bool orphan = !kube_controller(sandbox);
  if (!orphan && !kube_is_controlled_by(sandbox, kube_uid(pool)))
    return;
  const json_t *template = cluster_get(c, CLUSTER_TEMPLATE, ns, kube_text(pool, "spec.sandboxTemplateRef.name"));
  if (orphan && template && blueprint_differs(sandbox, template))
    return cluster_spoil(c, sandbox, false, "Stale", "it lost its pool and is not of the template any more");
  KUBE_OWNED json_t *patch = member_mend_patch(sandbox, pool);
  if (patch)
    cluster_patch(c, CLUSTER_SANDBOX, ns, kube_name(sandbox), NULL, patch, on_mended, NULL);
}

/* ---- the pass: state, members, status ---- */

static void on_status(void *arg, json_t *object, const Error *err) {
  Pass *p = arg;
  if (!err)
    pool_why_written(&p->pc->why, object);
  finish(arg, err && err->kind != ERROR_NOT_FOUND ? err : NULL);
}

static void write_status(Pass *p, const json_t *pool, const PoolRecord *record) {
  Cluster *c = p->pc->c;
  PoolWhy *why = &p->pc->why;
  look_at_members(p, pool);
  bool is_full = p->n_ready >= kube_int(pool, "spec.replicas", 1) && !p->is_refused;
  if (is_full)
    p->trouble = (MemberTrouble){0};
  else if (record && !*p->trouble.reason)
    pool_why_of_record(record, &p->trouble);
  if (record)
    pool_why_to_state(why, record, &p->trouble);
  pool_why_event(why, pool, is_full, &p->trouble);
  KUBE_OWNED json_t *status = member_pool_status(pool, p->n_active, p->n_ready);
  pool_why_condition(why, pool, status, is_full, &p->trouble);
  KUBE_OWNED json_t *patch = member_pool_status_patch(pool, status);
  if (!patch)
    return finish(p, NULL);
  c->patient = true;
  cluster_patch(c, CLUSTER_POOL, p->ns, p->name, "status", patch, on_status, p);
  c->patient = false;
}

/* record NULL: without the state, the status still says what there is. */
static void on_record(void *arg, const PoolRecord *record, const Error *err) {
  Pass *p = arg;
  const json_t *pool = cluster_get(p->pc->c, CLUSTER_POOL, p->ns, p->name);
  if (!pool || kube_is_deleting(pool) || (err && err->kind == ERROR_CANCELLED))
    return finish(p, NULL);
  if (err && err->kind != ERROR_NOT_FOUND)
    look_again_in(p, 1000);
  const char *template_name = kube_text(pool, "spec.sandboxTemplateRef.name");
  if (!cluster_get(p->pc->c, CLUSTER_TEMPLATE, p->ns, template_name) && kube_int(pool, "spec.replicas", 1) > 0) {
    p->is_final = true;
    snprintf(p->trouble.reason, sizeof p->trouble.reason, "TemplateNotFound");
    snprintf(p->trouble.message, sizeof p->trouble.message, "SandboxTemplate \"%s\" not found", template_name);
  }
  write_status(p, pool, record);
}

static void ask_state(Pass *p) {
  state_pool_get(p->pc->c->state, p->ns, p->state_name, on_record, p);
}

static void on_applied(void *arg, const PoolRecord *record, const Error *err) {
  Pass *p = arg;
  CLEANUP(str_freep) char *key = cluster_key(p->ns, p->name);
  if (!err)
    json_object_set_new(p->pc->told, key, json_string(p->text));
  on_record(p, record, err);
}

static void collect(void *arg, const json_t *sandbox) {
  json_array_append(arg, (json_t *)sandbox);
}

/* Those that nobody holds go with their pool: the garbage collector leaves that to us (cluster_anchor). */
static void drop_members(Pass *p) {
  Cluster *c = p->pc->c;
  char pool[STATE_NAME_MAX + 1];
  KUBE_OWNED json_t *sandboxes = json_array();
  kube_informer_each(c->informers[CLUSTER_SANDBOX], collect, sandboxes);
  size_t i;
  json_t *sandbox;
  json_array_foreach(sandboxes, i, sandbox) {
    if (str_equal(kube_namespace(sandbox), p->ns) && sandbox_read_is_member(sandbox) && !kube_is_deleting(sandbox) &&
        state_pool_of(kube_name(sandbox), pool) && str_equal(pool, p->state_name))
      cluster_spoil(c, sandbox, false, "PoolDeleted", "its SandboxWarmPool was deleted");
  }
}

static void on_deleted(void *arg, const Error *err) {
  Pass *p = arg;
  CLEANUP(str_freep) char *key = cluster_key(p->ns, p->name);
  if (!err)
    json_object_del(p->pc->told, key);
  /* there may be another of its name by now, or one that it kept from having it */
  const json_t *known = state_names_pool(p->pc->c, p->ns, p->state_name);
  bool is_followed = known && !kube_is_deleting(known);
  if (!err && (!is_followed || !str_equal(kube_name(known), p->name)))
    drop_members(p);
  if (is_followed)
    kube_queue_add(p->pc->queue, p->ns, kube_name(known));
  json_object_del(p->pc->held_up, key);
  finish(p, err);
}

/* Names that differ only where the state's are cut off: the one that came second cannot be, and is told so. */
static void refuse(Pass *p, const json_t *pool, const json_t *known) {
  p->is_final = p->is_refused = true;
  snprintf(p->trouble.reason, sizeof p->trouble.reason, "NameTaken");
  snprintf(p->trouble.message, sizeof p->trouble.message,
           "in the shared state its name would be \"%s\", which SandboxWarmPool \"%s\" has; use another name",
           p->state_name, kube_name(known));
  write_status(p, pool, NULL);
}

static void look(Pass *p) {
  Cluster *c = p->pc->c;
  const json_t *pool = cluster_get(c, CLUSTER_POOL, p->ns, p->name);
  const json_t *known = state_names_pool(c, p->ns, p->state_name);
  CLEANUP(str_freep) char *key = cluster_key(p->ns, p->name);
  bool had_it = !known || known == pool || json_object_get(p->pc->told, key);
  if ((!pool || kube_is_deleting(pool)) && had_it)
    return state_pool_delete(c->state, p->ns, p->state_name, on_deleted, p);
  if (!pool || kube_is_deleting(pool))
    return finish(p, NULL); /* another has its name there */
  if (known != pool)
    return refuse(p, pool, known);
  const char *template_name = kube_text(pool, "spec.sandboxTemplateRef.name");
  bool recreate = str_equal(kube_text(pool, "spec.updateStrategy.type"), "Recreate");
  int replicas = (int)kube_int(pool, "spec.replicas", 1);
  char state_template[STATE_NAME_SIZE];
  state_name_of_template(template_name, state_template);
  p->text = str_printf("%s %d %d", state_template, replicas, recreate);
  if (str_equal(json_string_value(json_object_get(p->pc->told, key)), p->text))
    return ask_state(p);
  state_pool_apply(c->state,
                   &(PoolRecord){.ns = p->ns,
                                 .name = p->state_name,
                                 .template_name = state_template,
                                 .replicas = replicas,
                                 .strategy = recreate ? STRATEGY_RECREATE : STRATEGY_ON_REPLENISH},
                   on_applied, p);
}

static void work(void *arg, KubeTask *task, const char *ns, const char *name) {
  Pass *p = new0(Pass);
  *p = (Pass){.pc = arg, .task = task};
  snprintf(p->ns, sizeof p->ns, "%s", ns);
  snprintf(p->name, sizeof p->name, "%s", name);
  state_name_of_pool(p->name, p->state_name);
  look(p);
}

/* ---- waking ---- */

static void add(void *arg, const json_t *pool) {
  PoolController *pc = arg;
  kube_queue_add(pc->queue, kube_namespace(pool), kube_name(pool));
}

void pool_controller_on_pool(PoolController *pc, const json_t *before, const json_t *after) {
  if (!after)
    pool_why_forget(&pc->why, before);
  if (pc->c->synced &&
      (!after || !before || kube_int(before, "metadata.generation", 0) != kube_int(after, "metadata.generation", 0) ||
       kube_is_deleting(after)))
    add(pc, after ? after : before);
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

void pool_controller_on_pod(PoolController *pc, const json_t *before, const json_t *after) {
  static const char *const PARTS[] = {"status.conditions", "status.containerStatuses", "status.initContainerStatuses"};
  const json_t *owner = after ? kube_controller(after) : NULL;
  if (!pc->c->synced || !owner)
    return;
  bool is_same = before != NULL;
  for (size_t i = 0; is_same && i < ARRAY_LEN(PARTS); i++) {
    const json_t *was = kube_get(before, PARTS[i]), *is = kube_get(after, PARTS[i]);
    is_same = was == is || json_equal(was, is);
  }
  const json_t *sandbox =
      is_same ? NULL : cluster_get(pc->c, CLUSTER_SANDBOX, kube_namespace(after), kube_text(owner, "name"));
  if (sandbox && kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL))
    kube_queue_add_after(pc->queue, kube_namespace(after), kube_text(kube_controller(sandbox), "name"), STATUS_MS);
}

typedef struct Users {
  PoolController *pc;
  const json_t *template;
} Users;

static void add_user(void *arg, const json_t *pool) {
  const Users *u = arg;
  if (str_equal(kube_namespace(pool), kube_namespace(u->template)) &&
      str_equal(kube_text(pool, "spec.sandboxTemplateRef.name"), kube_name(u->template)))
    add(u->pc, pool);
}

/* A pool says that it has no template, and lets go of members of one that was put right since. */
void pool_controller_on_template(PoolController *pc, const json_t *before, const json_t *after) {
  Users u = {pc, after ? after : before};
  if (pc->c->synced &&
      (!before || !after || kube_int(before, "metadata.generation", 0) != kube_int(after, "metadata.generation", 0)))
    kube_informer_each(pc->c->informers[CLUSTER_POOL], add_user, &u);
}

void pool_controller_mend(PoolController *pc) {
  if (pc->c->synced)
    kube_informer_each(pc->c->informers[CLUSTER_SANDBOX], mend, pc);
}

static void on_purged(void *arg, const Error *err) {
  if (err && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "pool_not_purged", LOG_ERR(err));
}

static void on_names(void *arg, const StateNames *names, const Error *err) {
  PoolController *pc = arg;
  for (size_t i = 0; !err && pc->c->synced && i < names->n_names; i++) {
    char ns[STATE_NAME_MAX + 1];
    const char *name = state_name_split(names->names[i], ns);
    /* pools made for claims from a template have no object */
    if (!name || str_starts_with(name, SHADOW_POOL_PREFIX))
      continue;
    const json_t *pool = state_names_pool(pc->c, ns, name);
    char state_name[STATE_NAME_SIZE];
    state_name_of_pool(name, state_name);
    if (str_equal(state_name, name))
      kube_queue_add(pc->queue, ns, pool ? kube_name(pool) : name);
    else /* told before names were cut; nothing of it can be addressed */
      state_pool_purge(pc->c->state, ns, name, on_purged, NULL);
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
  PoolController *pc = new0(PoolController);
  *pc = (PoolController){.c = c, .told = json_object(), .held_up = json_object()};
  pool_tally_init(&pc->tally);
  pool_why_init(&pc->why, c);
  pc->queue = kube_queue_new(c->loop, (int)c->config->pool_workers, work, pc);
  kube_queue_pause(pc->queue, true);
  return pc;
}

void pool_controller_free(PoolController *pc) {
  if (!pc)
    return;
  kube_queue_free(pc->queue);
  pool_tally_deinit(&pc->tally);
  pool_why_deinit(&pc->why);
  json_decref(pc->told);
  json_decref(pc->held_up);
  free(pc);
}
