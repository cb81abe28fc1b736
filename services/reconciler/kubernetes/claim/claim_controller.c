/* See claim_controller.h. */
#include "services/reconciler/kubernetes/claim/claim_controller.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "services/reconciler/config_folder.h"
#include "services/reconciler/kubernetes/claim/claim_lookup.h"
#include "services/reconciler/kubernetes/claim/claim_pass.h"
#include "services/reconciler/kubernetes/object/well_known.h"

/* How often it is read again which domains labels of claims may have: a kubelet brings a ConfigMap up to date within a
 * minute or so, and nobody should have to restart anything for it. */
#define DOMAINS_MS 5000

/* ---- the pass ---- */

static void on_policy_gone(void *arg, json_t *object, const Error *err) {
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "legacy_policy_not_deleted", LOG_ERR(err));
}

/* Older controllers made a NetworkPolicy for each claim; that of the template has taken its place. */
static void drop_legacy_policy(ClaimPass *p, const json_t *claim) {
  Cluster *c = p->pass.c;
  CLEANUP(str_freep) char *name = str_printf("%s-network-policy", p->pass.name);
  const json_t *policy = cluster_get(c, CLUSTER_POLICY, p->pass.ns, name);
  if (policy && kube_is_controlled_by(policy, kube_uid(claim)) && !kube_is_deleting(policy))
    cluster_delete(c, CLUSTER_POLICY, policy, "Background", CLUSTER_AWAITED, on_policy_gone, NULL);
}

static PassNext look(void *pass) {
  ClaimPass *p = pass;
  const json_t *claim = claim_pass_claim(p);
  if (claim && p->pass.looks == 1)
    drop_legacy_policy(p, claim);
  if (!claim || kube_is_deleting(claim))
    return PASS_DONE;
  if (claim_is_shown(claim))
    return claim_state_shown(p, claim);
  int64_t at_ms, now_ms = clock_wall_ms();
  const json_t *sandbox = claim_lookup_sandbox(p->pass.c, claim);
  p->expired = claim_expiry(claim, NULL, now_ms, &at_ms);
  if (p->expired)
    return claim_expire(p, claim, sandbox);
  if (at_ms >= 0)
    pass_again_in(&p->pass, at_ms - now_ms + 1);
  if (p->reject != CLAIM_ACCEPTED)
    return claim_report(p, claim, sandbox);
  if (!sandbox)
    return claim_bind(p, claim);
  claim_state_restore(p, claim, sandbox);
  PassNext next = claim_runtime_keep(p, claim, sandbox);
  if (next == PASS_ON)
    next = claim_bind_sync(p, claim, sandbox);
  return next == PASS_ON ? claim_report(p, claim, sandbox) : next;
}

static PassEnd end(void *pass) {
  ClaimPass *p = pass;
  if (p->pass.err.kind != ERROR_NONE)
    claim_pass_reject(p, CLAIM_FAILED, &p->pass.err);
  claim_pass_hold(p, "", "");
  claim_report_tell(p);
  if (p->reject == CLAIM_FAILED)
    p->pass.err = p->err;
  json_decref(p->pools);
  json_decref(p->env);
  json_decref(p->adopted);
  int64_t again_ms = p->pass.again_ms, retry_ms = claim_reject_retry_ms(p->reject);
  if (p->reject == CLAIM_ACCEPTED || claim_reject_is_final(p->reject))
    return (PassEnd){false, again_ms};
  if (retry_ms > 0)
    return (PassEnd){false, again_ms > 0 && again_ms < retry_ms ? again_ms : retry_ms};
  return (PassEnd){true, p->err.retry_after_ms};
}

/* The shared state may have lost who holds what. */
static void forget(void *owner) {
  json_object_clear(((ClaimController *)owner)->restored);
}

/* ---- who has which ---- */

static void note_uid(ClaimController *cc, const json_t *before, const json_t *after) {
  const char *was = before ? claim_state_uid(before) : NULL, *is = after ? claim_state_uid(after) : NULL;
  if (str_equal(was, is))
    return;
  CLEANUP(str_freep) char *old = before ? cluster_key(kube_namespace(before), was) : NULL;
  CLEANUP(str_freep) char *new = after ? cluster_key(kube_namespace(after), is) : NULL;
  if (old && str_equal(json_string_value(json_object_get(cc->by_uid, old)), kube_name(before)))
    json_object_del(cc->by_uid, old);
  if (new)
    json_object_set_new(cc->by_uid, new, json_string(kube_name(after)));
}

bool claim_controller_holds(const Controller *claims, const json_t *sandbox, const char *uid) {
  const ClaimController *cc = controller_owner(claims);
  CLEANUP(str_freep) char *key = cluster_key(kube_namespace(sandbox), uid);
  const char *claim_name = json_string_value(json_object_get(cc->by_uid, key));
  const json_t *owner = kube_controller(sandbox);
  bool is_claimed = kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM);
  /* uids of the API server have hyphens, those of gRPC claims have none; of the latter the state alone knows */
  if (!claim_name)
    return !strchr(uid, '-') && !is_claimed;
  const json_t *claim = cluster_get(cc->c, CLUSTER_CLAIM, kube_namespace(sandbox), claim_name);
  if (!claim || kube_is_deleting(claim))
    return false;
  const char *name = kube_text(claim, "status.sandbox.name");
  return is_claimed ? str_equal(kube_text(owner, "uid"), kube_uid(claim))
                    : !name || str_equal(name, kube_name(sandbox));
}

/* ---- waking ---- */

static void on_claim(void *owner, const json_t *before, const json_t *after) {
  ClaimController *cc = owner;
  note_uid(cc, before, after);
  if (after)
    return controller_add_object(cc->k, after);
  if (cc->c->synced)
    claim_state_let_go(cc->c, before);
  json_object_del(cc->restored, kube_uid(before));
  json_object_del(cc->seen, kube_uid(before));
  json_object_del(cc->bound, kube_uid(before));
}

static bool same(const json_t *a, const json_t *b, const char *path) {
  const json_t *x = kube_get(a, path), *y = kube_get(b, path);
  return x == y || json_equal(x, y);
}

static bool same_condition(const json_t *a, const json_t *b, const char *type) {
  const json_t *x = kube_condition(kube_get(a, "status.conditions"), type),
               *y = kube_condition(kube_get(b, "status.conditions"), type);
  return x == y || json_equal(x, y);
}

static void on_sandbox(void *owner, const json_t *before, const json_t *after) {
  ClaimController *cc = owner;
  const json_t *sandbox = after ? after : before;
  if (!cc->c->synced || !kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM))
    return;
  if (before && after && kube_is_deleting(before) == kube_is_deleting(after) && same(before, after, "status.podIPs") &&
      same_condition(before, after, "Ready") && same_condition(before, after, "Finished"))
    return;
  controller_add(cc->k, kube_namespace(sandbox), kube_text(kube_controller(sandbox), "name"));
}

/* Containers that were started again know nothing of their claim. */
static void on_pod(void *owner, const json_t *before, const json_t *after) {
  ClaimController *cc = owner;
  if (!cc->c->synced || !before || !after || same(before, after, "status.restarts"))
    return;
  const json_t *controller = kube_controller(after),
               *sandbox = cluster_get(cc->c, CLUSTER_SANDBOX, kube_namespace(after), kube_text(controller, "name"));
  if (kube_controller_is(after, AGENTS_GROUP, KIND_SANDBOX) && kube_annotation(sandbox, ANNOTATION_RUNTIME_ENV) &&
      kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM))
    controller_add(cc->k, kube_namespace(after), kube_text(kube_controller(sandbox), "name"));
}

typedef struct Waking {
  ClaimController *cc;
  const char *ns, *pool;
  bool bound_too;
} Waking;

static void wake_claim(void *arg, const json_t *claim) {
  Waking *w = arg;
  bool of_pool = str_equal(kube_namespace(claim), w->ns) &&
                 (!w->pool || str_equal(kube_text(claim, "spec.warmPoolRef.name"), w->pool));
  if (of_pool && (w->bound_too || !kube_text(claim, "status.sandbox.name")))
    controller_add_object(w->cc->k, claim);
}

static void on_pool(void *owner, const json_t *before, const json_t *after) {
  ClaimController *cc = owner;
  const json_t *pool = after ? after : before;
  if (!cc->c->synced || (before && after && same(before, after, "metadata.generation")))
    return;
  Waking w = {cc, kube_namespace(pool), kube_name(pool), false};
  cluster_each(cc->c, CLUSTER_CLAIM, wake_claim, &w);
}

/* Claims that could not go on without it; which pools are of it does not matter much, for this is rare. */
static void on_template(void *owner, const json_t *before, const json_t *after) {
  ClaimController *cc = owner;
  if (!cc->c->synced || before)
    return;
  Waking w = {cc, kube_namespace(after), NULL, true};
  cluster_each(cc->c, CLUSTER_CLAIM, wake_claim, &w);
}

/* ---- the domains of labels ---- */

/* What the installation lists, where its ConfigMap is mounted. Claims that were refused may be right now, and the other
 * way round. */
static void read_domains(void *arg) {
  ClaimController *cc = arg;
  CLEANUP(buf_deinit) Buf b = BUF_INIT(1 << 20);
  CLEANUP(str_freep) char *file = str_printf("%s/" CONFIG_FOLDER_DOMAINS, cc->c->config->config_dir);
  Error err = {0};
  const char *text = kube_config_read_file(file, &b, &err) == 0 ? buf_str(&b) : "";
  loop_timer_start(cc->domains_timer, DOMAINS_MS);
  /* one that is there and cannot be read says nothing new */
  if ((cc->domains_text && str_equal(cc->domains_text, text)) ||
      (cc->domains_text && err.kind != ERROR_NONE && err.kind != ERROR_NOT_FOUND))
    return;
  free(cc->domains_text);
  cc->domains_text = str_dup(text);
  claim_domains_deinit(&cc->domains);
  claim_domains_parse(&cc->domains, text);
  log_event(LOG_INFO, "label_domains", LOG_STR("allowed", *text ? text : "sandbox.users.io"));
  if (cc->c->synced)
    cluster_each(cc->c, CLUSTER_CLAIM, controller_add_object, cc->k);
}

static void free_owner(void *owner) {
  ClaimController *cc = owner;
  loop_timer_free(cc->domains_timer);
  claim_domains_deinit(&cc->domains);
  free(cc->domains_text);
  json_decref(cc->by_uid);
  json_decref(cc->restored);
  json_decref(cc->seen);
  json_decref(cc->bound);
  free(cc);
}

static const ControllerSpec SPEC = {.resource = CLUSTER_CLAIM,
                                    .pass_size = sizeof(ClaimPass),
                                    .noun = "claim",
                                    .failure = "claim_pass_failed",
                                    .looks_max = 30,
                                    .look = look,
                                    .end = end,
                                    .forget = forget,
                                    .on_change = {[CLUSTER_CLAIM] = on_claim,
                                                  [CLUSTER_SANDBOX] = on_sandbox,
                                                  [CLUSTER_POD] = on_pod,
                                                  [CLUSTER_POOL] = on_pool,
                                                  [CLUSTER_TEMPLATE] = on_template},
                                    .free = free_owner};

Controller *claim_controller_new(Cluster *c, RuntimeBinder *binder) {
  ClaimController *cc = new0(ClaimController);
  *cc = (ClaimController){.c = c,
                          .binder = binder,
                          .by_uid = json_object(),
                          .restored = json_object(),
                          .seen = json_object(),
                          .bound = json_object()};
  cc->domains_timer = loop_timer_new(c->loop, read_domains, cc);
  read_domains(cc);
  cc->k = controller_new(c, &SPEC, (int)c->config->claim_workers, cc);
  return cc->k;
}
