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
#include "services/reconciler/kubernetes/claim/claim_pass.h"
#include "services/reconciler/kubernetes/claim/claim_state.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_controller.h"

#define LOOKS_MAX 30
/* How often it is read again which domains labels of claims may have: a kubelet brings a ConfigMap up to date within a
 * minute or so, and nobody should have to restart anything for it. */
#define DOMAINS_MS 5000

/* ---- ends ---- */

void claim_pass_reject(ClaimPass *p, ClaimReject reject, const Error *err) {
  p->reject = reject;
  if (err)
    p->err = *err;
}

void claim_pass_hold(ClaimPass *p, const char *sandbox_name) {
  SandboxController *s = p->cc->c->sandboxes;
  if (*p->held)
    sandbox_controller_hold(s, p->ns, p->held, false);
  snprintf(p->held, sizeof p->held, "%s", sandbox_name);
  if (*p->held)
    sandbox_controller_hold(s, p->ns, p->held, true);
}

void claim_pass_end(ClaimPass *p) {
  claim_pass_hold(p, "");
  claim_report_tell(p);
  KubeTask *task = p->task;
  ClaimReject reject = p->reject;
  int64_t again_ms = p->again_ms, retry_ms = claim_reject_retry_ms(reject);
  uint32_t wait_ms = p->err.retry_after_ms;
  if (reject == CLAIM_FAILED && p->err.kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "claim_pass_failed", LOG_STR("namespace", p->ns), LOG_STR("claim", p->name), LOG_ERR(&p->err));
  json_decref(p->pools);
  json_decref(p->env);
  free(p);
  if (reject == CLAIM_ACCEPTED || claim_reject_is_final(reject)) {
    if (again_ms > 0)
      kube_task_done_again(task, again_ms);
    else
      kube_task_done(task);
  } else if (retry_ms > 0) {
    kube_task_done_again(task, again_ms > 0 && again_ms < retry_ms ? again_ms : retry_ms);
  } else {
    kube_task_failed(task, wait_ms);
  }
}

/* ---- expiry ---- */

static void on_gone(void *arg, json_t *object, const Error *err) {
  ClaimPass *p = arg;
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_ABORTED)
    claim_pass_reject(p, CLAIM_FAILED, err);
  claim_pass_end(p);
}

static void on_sandbox_gone(void *arg, json_t *object, const Error *err) {
  ClaimPass *p = arg;
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_ABORTED) {
    claim_pass_reject(p, CLAIM_FAILED, err);
    return claim_pass_end(p);
  }
  claim_pass_look(p);
}

/* It is marked already: act by its policy. */
static void clean_up(ClaimPass *p, const json_t *claim) {
  Cluster *c = p->cc->c;
  const char *policy = claim_shutdown_policy(claim);
  if (!str_equal(policy, "Retain")) {
    CLEANUP(str_freep) char *note = str_printf("Deleting Claim (ShutdownPolicy=%s)", policy);
    claim_report_event(p, claim, "ClaimExpired", "Deleting", note);
    bool foreground = str_equal(policy, "DeleteForeground");
    return cluster_delete(c, CLUSTER_CLAIM, claim, foreground ? "Foreground" : "Background", on_gone, p);
  }
  const char *name = kube_text(claim, "status.sandbox.name");
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, p->ns, name ? name : p->name);
  if (sandbox && !kube_is_controlled_by(sandbox, kube_uid(claim))) {
    error_set(&p->err, ERROR_FAILED_PRECONDITION, "Sandbox \"%s\" is not controlled by claim \"%s\"",
              kube_name(sandbox), p->name);
    claim_pass_reject(p, CLAIM_NOT_OWNED, NULL);
  } else if (sandbox && !kube_is_deleting(sandbox)) {
    return cluster_delete(c, CLUSTER_SANDBOX, sandbox, "Background", on_sandbox_gone, p);
  }
  claim_report(p, claim, p->reject == CLAIM_NOT_OWNED ? NULL : sandbox);
}

static bool is_marked(const json_t *claim) {
  const json_t *ready = kube_condition(kube_get(claim, "status.conditions"), "Ready");
  return str_equal(kube_text(ready, "reason"), "ClaimExpired");
}

/* ---- the pass ---- */

static void on_policy_gone(void *arg, json_t *object, const Error *err) {
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "legacy_policy_not_deleted", LOG_ERR(err));
}

/* Older controllers made a NetworkPolicy for each claim; that of the template has taken its place. */
static void drop_legacy_policy(ClaimPass *p, const json_t *claim) {
  Cluster *c = p->cc->c;
  CLEANUP(str_freep) char *name = str_printf("%s-network-policy", p->name);
  const json_t *policy = cluster_get(c, CLUSTER_POLICY, p->ns, name);
  if (policy && kube_is_controlled_by(policy, kube_uid(claim)) && !kube_is_deleting(policy))
    cluster_delete(c, CLUSTER_POLICY, policy, "Background", on_policy_gone, NULL);
}

void claim_pass_look(ClaimPass *p) {
  Cluster *c = p->cc->c;
  const json_t *claim = cluster_get(c, CLUSTER_CLAIM, p->ns, p->name);
  if (!claim || p->err.kind == ERROR_CANCELLED)
    return claim_pass_end(p);
  if (p->looks == 0)
    drop_legacy_policy(p, claim);
  if (kube_is_deleting(claim))
    return claim_pass_end(p);
  if (++p->looks > LOOKS_MAX) {
    error_set(&p->err, ERROR_INTERNAL, "no end after %d steps", LOOKS_MAX);
    claim_pass_reject(p, CLAIM_FAILED, NULL);
    return claim_pass_end(p);
  }
  if (claim_state_is_shown(claim))
    return claim_state_shown(p, claim);
  int64_t at_ms, now_ms = clock_wall_ms();
  p->expired = claim_expiry(claim, NULL, now_ms, &at_ms);
  if (p->expired && is_marked(claim))
    return clean_up(p, claim);
  const json_t *sandbox = claim_bind_sandbox(p, claim);
  if (p->expired) {
    claim_report_event(p, claim, "ClaimExpired", "Claim Expired", "Claim expired");
    p->again_ms = 1;
    return claim_report(p, claim, sandbox);
  }
  if (at_ms >= 0)
    p->again_ms = at_ms - now_ms + 1;
  if (p->reject != CLAIM_ACCEPTED)
    return claim_report(p, claim, sandbox);
  if (!sandbox)
    return claim_bind(p, claim);
  claim_state_restore(p, claim, sandbox);
  if (claim_runtime_keep(p, claim, sandbox))
    return;
  if (!claim_bind_sync(p, claim, sandbox))
    claim_report(p, claim, sandbox);
}

static void work(void *arg, KubeTask *task, const char *ns, const char *name) {
  ClaimPass *p = new0(ClaimPass);
  *p = (ClaimPass){.cc = arg, .task = task};
  snprintf(p->ns, sizeof p->ns, "%s", ns);
  snprintf(p->name, sizeof p->name, "%s", name);
  claim_pass_look(p);
}

/* ---- waking ---- */

static void add(void *arg, const json_t *claim) {
  ClaimController *cc = arg;
  kube_queue_add(cc->queue, kube_namespace(claim), kube_name(claim));
}

void claim_controller_on_claim(ClaimController *cc, const json_t *before, const json_t *after) {
  const char *was = before ? claim_state_uid(before) : NULL, *is = after ? claim_state_uid(after) : NULL;
  if (!str_equal(was, is)) {
    CLEANUP(str_freep) char *old = before ? claim_state_key(kube_namespace(before), was) : NULL;
    CLEANUP(str_freep) char *new = after ? claim_state_key(kube_namespace(after), is) : NULL;
    if (old && str_equal(json_string_value(json_object_get(cc->by_uid, old)), kube_name(before)))
      json_object_del(cc->by_uid, old);
    if (new)
      json_object_set_new(cc->by_uid, new, json_string(kube_name(after)));
  }
  if (!after) {
    if (cc->c->synced)
      claim_state_let_go(cc, before);
    json_object_del(cc->restored, kube_uid(before));
    json_object_del(cc->seen, kube_uid(before));
    json_object_del(cc->bound, kube_uid(before));
    return;
  }
  if (cc->c->synced)
    add(cc, after);
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

void claim_controller_on_sandbox(ClaimController *cc, const json_t *before, const json_t *after) {
  const json_t *sandbox = after ? after : before;
  if (!cc->c->synced || !kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM))
    return;
  if (before && after && kube_is_deleting(before) == kube_is_deleting(after) && same(before, after, "status.podIPs") &&
      same_condition(before, after, "Ready") && same_condition(before, after, "Finished"))
    return;
  kube_queue_add(cc->queue, kube_namespace(sandbox), kube_text(kube_controller(sandbox), "name"));
}

/* Containers that were started again know nothing of their claim. */
void claim_controller_on_pod(ClaimController *cc, const json_t *before, const json_t *after) {
  if (!cc->c->synced || !before || !after || same(before, after, "status.restarts"))
    return;
  const json_t *owner = kube_controller(after),
               *sandbox = cluster_get(cc->c, CLUSTER_SANDBOX, kube_namespace(after), kube_text(owner, "name"));
  if (kube_controller_is(after, AGENTS_GROUP, KIND_SANDBOX) && kube_annotation(sandbox, ANNOTATION_RUNTIME_ENV) &&
      kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM))
    kube_queue_add(cc->queue, kube_namespace(after), kube_text(kube_controller(sandbox), "name"));
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
    add(w->cc, claim);
}

void claim_controller_on_pool(ClaimController *cc, const json_t *before, const json_t *after) {
  const json_t *pool = after ? after : before;
  if (!cc->c->synced || (before && after && same(before, after, "metadata.generation")))
    return;
  Waking w = {cc, kube_namespace(pool), kube_name(pool), false};
  kube_informer_each(cc->c->informers[CLUSTER_CLAIM], wake_claim, &w);
}

/* Claims that could not go on without it; which pools are of it does not matter much, for this is rare. */
void claim_controller_on_template(ClaimController *cc, const json_t *before, const json_t *after) {
  if (!cc->c->synced || before)
    return;
  Waking w = {cc, kube_namespace(after), NULL, true};
  kube_informer_each(cc->c->informers[CLUSTER_CLAIM], wake_claim, &w);
}

void claim_controller_tell_again(ClaimController *cc) {
  json_object_clear(cc->restored);
  if (cc->c->synced)
    kube_informer_each(cc->c->informers[CLUSTER_CLAIM], add, cc);
}

void claim_controller_lead(ClaimController *cc, bool leads) {
  kube_queue_pause(cc->queue, !leads);
  if (leads)
    claim_controller_tell_again(cc);
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
    kube_informer_each(cc->c->informers[CLUSTER_CLAIM], add, cc);
}

ClaimController *claim_controller_new(Cluster *c) {
  ClaimController *cc = new0(ClaimController);
  *cc = (ClaimController){
      .c = c, .by_uid = json_object(), .restored = json_object(), .seen = json_object(), .bound = json_object()};
  cc->domains_timer = loop_timer_new(c->loop, read_domains, cc);
  read_domains(cc);
  cc->queue = kube_queue_new(c->loop, (int)c->config->claim_workers, work, cc);
  kube_queue_pause(cc->queue, true);
  return cc;
}

void claim_controller_free(ClaimController *cc) {
  if (!cc)
    return;
  kube_queue_free(cc->queue);
  loop_timer_free(cc->domains_timer);
  claim_domains_deinit(&cc->domains);
  free(cc->domains_text);
  json_decref(cc->by_uid);
  json_decref(cc->restored);
  json_decref(cc->seen);
  json_decref(cc->bound);
  free(cc);
}
