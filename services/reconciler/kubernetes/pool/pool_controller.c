/* See pool_controller.h. */
#include "services/reconciler/kubernetes/pool/pool_controller.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/state/state_pool.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pool/member.h"
#include "services/reconciler/kubernetes/pool/pool_pass.h"

/* Changes of members come in bursts; the status says what is there when they are over, at most this late. */
#define STATUS_MS 200
/* As sandplane.v1.Pool.UpdateStrategy. */
enum { STRATEGY_ON_REPLENISH = 1, STRATEGY_RECREATE = 2 };

/* ---- the pass: state, members, status ---- */

static PassEnd end(void *pass) {
  PoolPass *p = pass;
  free(p->text);
  return pass_end(&p->pass);
}

static PassNext on_status(void *pass, json_t *object, const Error *err) {
  PoolPass *p = pass;
  if (!err)
    pool_why_written(&pool_pass_owner(p)->why, object);
  return pass_fail(&p->pass, err && err->kind != ERROR_NOT_FOUND ? err : NULL);
}

static PassNext write_status(PoolPass *p, const json_t *pool, const PoolRecord *record) {
  PoolWhy *why = &pool_pass_owner(p)->why;
  pool_members_judge(p, pool);
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
    return PASS_DONE;
  p->pass.haste = CLUSTER_PATIENT;
  return pass_patch(&p->pass, CLUSTER_POOL, p->pass.name, "status", patch, on_status);
}

/* record NULL: without the state, the status still says what there is. */
static PassNext record_known(PoolPass *p, const PoolRecord *record, const Error *err) {
  const json_t *pool = cluster_get(p->pass.c, CLUSTER_POOL, p->pass.ns, p->pass.name);
  if (!pool || kube_is_deleting(pool))
    return PASS_DONE;
  if (err && err->kind != ERROR_NOT_FOUND)
    pass_again_in(&p->pass, 1000);
  const char *template_name = kube_text(pool, "spec.sandboxTemplateRef.name");
  if (!cluster_get(p->pass.c, CLUSTER_TEMPLATE, p->pass.ns, template_name) && kube_int(pool, "spec.replicas", 1) > 0) {
    p->is_final = true;
    snprintf(p->trouble.reason, sizeof p->trouble.reason, "TemplateNotFound");
    snprintf(p->trouble.message, sizeof p->trouble.message, "SandboxTemplate \"%s\" not found", template_name);
  }
  return write_status(p, pool, record);
}

static void on_record(void *arg, const PoolRecord *record, const Error *err) {
  PoolPass *p = arg;
  if (!pass_is_cancelled(&p->pass, err))
    pass_go(&p->pass, record_known(p, record, err));
}

static void on_applied(void *arg, const PoolRecord *record, const Error *err) {
  PoolPass *p = arg;
  CLEANUP(str_freep) char *key = cluster_key(p->pass.ns, p->pass.name);
  if (!err)
    json_object_set_new(pool_pass_owner(p)->told, key, json_string(p->text));
  on_record(p, record, err);
}

static PassNext deleted(PoolPass *p, const Error *err) {
  PoolController *pc = pool_pass_owner(p);
  CLEANUP(str_freep) char *key = cluster_key(p->pass.ns, p->pass.name);
  if (!err)
    json_object_del(pc->told, key);
  /* there may be another of its name by now, or one that it kept from having it */
  const json_t *known = state_names_pool(pc->c, p->pass.ns, p->state_name);
  bool is_followed = known && !kube_is_deleting(known);
  if (!err && (!is_followed || !str_equal(kube_name(known), p->pass.name)))
    pool_members_drop(p);
  if (is_followed)
    controller_add_object(pc->k, known);
  json_object_del(pc->held_up, key);
  return pass_fail(&p->pass, err);
}

static void on_deleted(void *arg, const Error *err) {
  PoolPass *p = arg;
  pass_go(&p->pass, deleted(p, err));
}

static PassNext ask_to_delete(PoolPass *p) {
  state_pool_delete(p->pass.c->state, p->pass.ns, p->state_name, on_deleted, p);
  return PASS_WAIT;
}

/* Names that differ only where the state's are cut off: the one that came second cannot be, and is told so. */
static PassNext refuse(PoolPass *p, const json_t *pool, const json_t *known) {
  p->is_final = p->is_refused = true;
  snprintf(p->trouble.reason, sizeof p->trouble.reason, "NameTaken");
  snprintf(p->trouble.message, sizeof p->trouble.message,
           "in the shared state its name would be \"%s\", which SandboxWarmPool \"%s\" has; use another name",
           p->state_name, kube_name(known));
  return write_status(p, pool, NULL);
}

static PassNext tell(PoolPass *p, const json_t *pool, const char *key) {
  const char *template_name = kube_text(pool, "spec.sandboxTemplateRef.name");
  bool recreate = str_equal(kube_text(pool, "spec.updateStrategy.type"), "Recreate");
  int replicas = (int)kube_int(pool, "spec.replicas", 1);
  char state_template[STATE_NAME_SIZE];
  state_name_of_template(template_name, state_template);
  p->text = str_printf("%s %d %d", state_template, replicas, recreate);
  if (str_equal(json_string_value(json_object_get(pool_pass_owner(p)->told, key)), p->text)) {
    state_pool_get(p->pass.c->state, p->pass.ns, p->state_name, on_record, p);
    return PASS_WAIT;
  }
  state_pool_apply(p->pass.c->state,
                   &(PoolRecord){.ns = p->pass.ns,
                                 .name = p->state_name,
                                 .template_name = state_template,
                                 .replicas = replicas,
                                 .strategy = recreate ? STRATEGY_RECREATE : STRATEGY_ON_REPLENISH},
                   on_applied, p);
  return PASS_WAIT;
}

static PassNext look(void *pass) {
  PoolPass *p = pass;
  state_name_of_pool(p->pass.name, p->state_name);
  Cluster *c = p->pass.c;
  const json_t *pool = cluster_get(c, CLUSTER_POOL, p->pass.ns, p->pass.name);
  const json_t *known = state_names_pool(c, p->pass.ns, p->state_name);
  CLEANUP(str_freep) char *key = cluster_key(p->pass.ns, p->pass.name);
  bool had_it = !known || known == pool || json_object_get(pool_pass_owner(p)->told, key);
  if ((!pool || kube_is_deleting(pool)) && had_it)
    return ask_to_delete(p);
  if (!pool || kube_is_deleting(pool))
    return PASS_DONE; /* another has its name there */
  if (known != pool)
    return refuse(p, pool, known);
  return tell(p, pool, key);
}

/* ---- waking ---- */

static void on_pool(void *owner, const json_t *before, const json_t *after) {
  PoolController *pc = owner;
  if (!after)
    pool_why_forget(&pc->why, before);
  if (pc->c->synced &&
      (!after || !before || kube_int(before, "metadata.generation", 0) != kube_int(after, "metadata.generation", 0) ||
       kube_is_deleting(after)))
    controller_add_object(pc->k, after ? after : before);
}

static void on_sandbox(void *owner, const json_t *before, const json_t *after) {
  PoolController *pc = owner;
  const json_t *sides[] = {before, after};
  pool_tally_change(&pc->tally, before, after);
  for (size_t i = 0; pc->c->synced && i < ARRAY_LEN(sides); i++) {
    if (sides[i] && kube_controller_is(sides[i], EXTENSIONS_GROUP, KIND_POOL))
      controller_add_after(pc->k, kube_namespace(sides[i]), kube_text(kube_controller(sides[i]), "name"), STATUS_MS);
  }
  if (pc->c->synced && after)
    pool_members_mend(pc->c, after);
}

static void on_pod(void *owner, const json_t *before, const json_t *after) {
  PoolController *pc = owner;
  static const char *const PARTS[] = {"status.conditions", "status.containerStatuses", "status.initContainerStatuses"};
  const json_t *controller = after ? kube_controller(after) : NULL;
  if (!pc->c->synced || !controller)
    return;
  bool is_same = before != NULL;
  for (size_t i = 0; is_same && i < ARRAY_LEN(PARTS); i++) {
    const json_t *was = kube_get(before, PARTS[i]), *is = kube_get(after, PARTS[i]);
    is_same = was == is || json_equal(was, is);
  }
  const json_t *sandbox =
      is_same ? NULL : cluster_get(pc->c, CLUSTER_SANDBOX, kube_namespace(after), kube_text(controller, "name"));
  if (sandbox && kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL))
    controller_add_after(pc->k, kube_namespace(after), kube_text(kube_controller(sandbox), "name"), STATUS_MS);
}

typedef struct Users {
  PoolController *pc;
  const json_t *template;
} Users;

static void add_user(void *arg, const json_t *pool) {
  const Users *u = arg;
  if (str_equal(kube_namespace(pool), kube_namespace(u->template)) &&
      str_equal(kube_text(pool, "spec.sandboxTemplateRef.name"), kube_name(u->template)))
    controller_add_object(u->pc->k, pool);
}

/* A pool says that it has no template, and lets go of members of one that was put right since. */
static void on_template(void *owner, const json_t *before, const json_t *after) {
  PoolController *pc = owner;
  Users u = {pc, after ? after : before};
  if (pc->c->synced &&
      (!before || !after || kube_int(before, "metadata.generation", 0) != kube_int(after, "metadata.generation", 0)))
    cluster_each(pc->c, CLUSTER_POOL, add_user, &u);
}

void pool_controller_mend(Controller *pools) {
  const PoolController *pc = controller_owner(pools);
  if (pc->c->synced)
    cluster_each(pc->c, CLUSTER_SANDBOX, pool_members_mend, pc->c);
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
      controller_add(pc->k, ns, pool ? kube_name(pool) : name);
    else /* told before names were cut; nothing of it can be addressed */
      state_pool_purge(pc->c->state, ns, name, on_purged, NULL);
  }
}

static void forget(void *owner) {
  PoolController *pc = owner;
  json_object_clear(pc->told);
  if (pc->c->synced)
    state_pool_names(pc->c->state, "", "", 0, on_names, pc);
}

static void free_owner(void *owner) {
  PoolController *pc = owner;
  pool_tally_deinit(&pc->tally);
  pool_why_deinit(&pc->why);
  json_decref(pc->told);
  json_decref(pc->held_up);
  free(pc);
}

static const ControllerSpec SPEC = {.resource = CLUSTER_POOL,
                                    .pass_size = sizeof(PoolPass),
                                    .noun = "pool",
                                    .failure = "pool_pass_failed",
                                    .looks_max = 4,
                                    .look = look,
                                    .end = end,
                                    .forget = forget,
                                    .on_change = {[CLUSTER_POOL] = on_pool,
                                                  [CLUSTER_SANDBOX] = on_sandbox,
                                                  [CLUSTER_POD] = on_pod,
                                                  [CLUSTER_TEMPLATE] = on_template},
                                    .free = free_owner};

Controller *pool_controller_new(Cluster *c) {
  PoolController *pc = new0(PoolController);
  *pc = (PoolController){.c = c, .told = json_object(), .held_up = json_object()};
  pool_tally_init(&pc->tally);
  pool_why_init(&pc->why, c);
  pc->k = controller_new(c, &SPEC, (int)c->config->pool_workers, pc);
  return pc->k;
}
