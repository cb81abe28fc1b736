/* See claim_state.h. */
#include "services/reconciler/kubernetes/claim/claim_state.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/state/state_sandbox.h"
#include "services/reconciler/kubernetes/claim/runtime_env.h"
#include "services/reconciler/kubernetes/cluster/state_names.h"
#include "services/reconciler/kubernetes/object/sandbox_read.h"
#include "services/reconciler/kubernetes/object/well_known.h"

#define RESTORE_AGAIN_MS 500
/* An object whose Sandbox is not its yet, or no longer: looked at this often until one of them goes. */
#define SHOWN_AGAIN_MS 1000
/* The status of such an object is another write, which a claim that is over by then never costs. Clients that look for
 * it by the object wait half a minute. */
#define SHOWN_QUIET_MS 15000

bool claim_state_is_shown(const json_t *claim) {
  const char *uid = kube_annotation(claim, ANNOTATION_MIRRORED_UID);
  /* not a copy of such an object under another name, which would end the claim when it is deleted; nor a SandboxClaim's
   * uid */
  const char *sandbox = claim_assigned_name(claim);
  return !str_empty(uid) && !strchr(uid, '-') && (!sandbox || str_equal(sandbox, kube_name(claim)));
}

const char *claim_state_uid(const json_t *claim) {
  return claim_state_is_shown(claim) ? kube_annotation(claim, ANNOTATION_MIRRORED_UID) : kube_uid(claim);
}

typedef struct Restoring {
  ClaimController *cc;
  char *ns, *name, *uid, *id;
} Restoring;

static void restoring_free(Restoring *r) {
  free(r->ns);
  free(r->name);
  free(r->uid);
  free(r->id);
  free(r);
}

static void on_released(void *arg, const Error *err) {
  if (err && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "claim_not_released", LOG_ERR(err));
}

/* State and objects name different holders, as when an older data set has come back: whoever came second found what the
 * first left in it, so neither can go on with it. */
static void on_other_holder(void *arg, const SandboxRecord *record, const Error *err) {
  Restoring *r = arg;
  Cluster *c = r->cc->c;
  const json_t *claim = cluster_get(c, CLUSTER_CLAIM, r->ns, r->name),
               *sandbox = cluster_get(c, CLUSTER_SANDBOX, r->ns, r->id);
  bool is_ours = str_equal(kube_uid(claim), r->uid) && kube_is_controlled_by(sandbox, r->uid);
  if (!err && is_ours && record->state == SANDBOX_CLAIMED && !str_equal(record->uid, claim_state_uid(claim))) {
    log_event(LOG_ERROR, "sandbox_held_twice", LOG_STR("namespace", r->ns), LOG_STR("sandbox", r->id),
              LOG_STR("claim", r->name));
    state_release(c->state, r->ns, r->id, record->uid, "HeldTwice", on_released, NULL);
  }
  restoring_free(r);
}

static void on_restored(void *arg, const Error *err) {
  Restoring *r = arg;
  bool is_held = err && err->kind == ERROR_FAILED_PRECONDITION; /* by another: asking again is of no use */
  if (err && err->kind != ERROR_CANCELLED && err->kind != ERROR_NOT_FOUND)
    log_event(LOG_WARN, "claim_not_restored", LOG_ERR(err));
  if (err && err->kind != ERROR_CANCELLED && !is_held) {
    /* NOT_FOUND: of a pool that the state is being told of at the same time, as when its data set is new */
    json_object_del(r->cc->restored, r->uid);
    kube_queue_add_after(r->cc->queue, r->ns, r->name, RESTORE_AGAIN_MS);
  }
  if (is_held)
    state_get(r->cc->c->state, r->ns, r->id, on_other_holder, r);
  else
    restoring_free(r);
}

size_t claim_state_pairs(const json_t *texts, StatePair *pairs) {
  const char *key;
  json_t *v;
  size_t n = 0;
  json_object_foreach((json_t *)texts, key, v) {
    if (json_is_string(v))
      pairs[n++] = (StatePair){key, json_string_value(v)};
  }
  return n;
}

static StatePair *pairs_for(const json_t *texts) {
  return xcalloc(json_object_size(texts) + 1, sizeof(StatePair));
}

/* route: "" when it has none. pool: the object, NULL: gone. */
static void tell(ClaimPass *p, const json_t *claim, const json_t *sandbox, const json_t *pool, const char *route,
                 StateDoneFn fn, void *arg) {
  const char *template_name = kube_annotation(sandbox, ANNOTATION_TEMPLATE_REF),
             *hash = kube_label(sandbox, LABEL_TEMPLATE_HASH);
  const char *class_name = kube_text(sandbox, "spec.podTemplate.spec.runtimeClassName");
  /* the end of a SandboxClaim is its controller's business: it may be retained */
  int64_t expire_ms =
      claim_state_is_shown(claim) ? kube_parse_time(kube_text(claim, "spec.lifecycle.shutdownTime")) : 0;
  /* of a claim made through gRPC, as it was; whoever may make such an object may charge whom he likes */
  const char *tenant = claim_state_is_shown(claim) ? kube_annotation(claim, ANNOTATION_MIRRORED_TENANT) : NULL;
  if (!tenant || !str_is_dns_label(tenant))
    tenant = STATE_KUBERNETES_TENANT;
  const json_t *label_texts = kube_get(claim, "metadata.labels");
  KUBE_OWNED json_t *values = runtime_env_kept(sandbox);
  StatePair *labels = pairs_for(label_texts), *env = pairs_for(values);
  char template_known[STATE_NAME_SIZE];
  state_name_of_template(template_name ? template_name : "", template_known);
  state_restore(p->cc->c->state,
                &(SandboxRecord){.ns = p->ns,
                                 .id = sandbox_read_id(sandbox),
                                 .uid = claim_state_uid(claim),
                                 .template_name = template_name ? template_known : "",
                                 .template_hash = hash ? hash : "",
                                 .route = route,
                                 .runtime_class = class_name ? class_name : "",
                                 .tenant = tenant,
                                 .expire_ms = expire_ms > 0 ? expire_ms : 0,
                                 .labels = labels,
                                 .n_labels = claim_state_pairs(label_texts, labels),
                                 .env = env,
                                 .n_env = claim_state_pairs(values, env)},
                !pool || kube_is_deleting(pool), fn, arg);
  free(labels);
  free(env);
}

bool claim_state_take(ClaimPass *p, const json_t *claim, const json_t *sandbox, StateDoneFn fn, void *arg) {
  char route[80], pool_name[STATE_NAME_MAX + 1];
  const char *id = kube_name(sandbox);
  if (strpbrk(id, "{}/") || !state_pool_of(id, pool_name) || !sandbox_read_route(sandbox, route, sizeof route))
    return false;
  const json_t *pool = state_names_pool(p->cc->c, p->ns, pool_name);
  if (!pool || kube_is_deleting(pool))
    return false;
  tell(p, claim, sandbox, pool, route, fn, arg);
  return true;
}

/* Not waited for: the objects keep the Sandbox out of every pool as well. Without an address too: the one that is known
 * may be another's by now. */
void claim_state_restore(ClaimPass *p, const json_t *claim, const json_t *sandbox) {
  const char *uid = kube_uid(claim);
  char route[80], pool_name[STATE_NAME_MAX + 1];
  const char *id = sandbox_read_id(sandbox);
  /* a cold one has no record, whatever its name looks like */
  if (strpbrk(id, "{}/") || !state_pool_of(id, pool_name) || !str_equal(kube_label(sandbox, LABEL_LAUNCH_TYPE), "warm"))
    return;
  if (!sandbox_read_route(sandbox, route, sizeof route)) {
    if (!kube_get(sandbox, "status.conditions"))
      return; /* new: its controller has not looked for the Pod yet */
    *route = 0;
  }
  if (str_equal(json_string_value(json_object_get(p->cc->restored, uid)), route))
    return;
  json_object_set_new(p->cc->restored, uid, json_string(route));
  Restoring *r = xmalloc(sizeof *r);
  *r = (Restoring){p->cc, str_dup(p->ns), str_dup(p->name), str_dup(uid), str_dup(id)};
  tell(p, claim, sandbox, state_names_pool(p->cc->c, p->ns, pool_name), route, on_restored, r);
}

void claim_state_let_go(ClaimController *cc, const json_t *claim) {
  const char *name = kube_text(claim, "status.sandbox.name"), *ns = kube_namespace(claim);
  const char *assigned = claim_assigned_name(claim);
  ClaimPass p = {.cc = cc};
  snprintf(p.ns, sizeof p.ns, "%s", ns);
  /* also one it got a moment ago, of which its status does not say */
  const json_t *sandbox = claim_bind_sandbox(&p, claim);
  if (!sandbox)
    sandbox = cluster_get(cc->c, CLUSTER_SANDBOX, ns, name ? name : assigned);
  const char *id = sandbox ? sandbox_read_id(sandbox) : name ? name : assigned;
  if (id)
    state_release(cc->c->state, ns, id, claim_state_uid(claim), "ClaimDeleted", on_released, NULL);
}

char *claim_state_key(const char *ns, const char *uid) {
  return str_printf("%s/%s", ns, uid);
}

bool claim_controller_holds(const ClaimController *cc, const json_t *sandbox, const char *uid) {
  CLEANUP(str_freep) char *key = claim_state_key(kube_namespace(sandbox), uid);
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

/* ---- objects that show claims made through gRPC ---- */

static void on_shown_gone(void *arg, json_t *object, const Error *err) {
  ClaimPass *p = arg;
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_ABORTED)
    claim_pass_reject(p, CLAIM_FAILED, err);
  claim_pass_end(p);
}

static void on_shown_record(void *arg, const SandboxRecord *r, const Error *err) {
  ClaimPass *p = arg;
  Cluster *c = p->cc->c;
  const json_t *claim = cluster_get(c, CLUSTER_CLAIM, p->ns, p->name);
  bool is_away = err && err->kind != ERROR_NOT_FOUND;
  bool lives = !err && r->state == SANDBOX_CLAIMED && claim && str_equal(r->uid, claim_state_uid(claim));
  if (!claim || kube_is_deleting(claim) || (err && err->kind == ERROR_CANCELLED))
    return claim_pass_end(p);
  if (!is_away && !lives && !claim_bind_sandbox(p, claim) && !cluster_is_ending(c, claim))
    return cluster_delete(c, CLUSTER_CLAIM, claim, "Background", on_shown_gone, p);
  p->again_ms = SHOWN_AGAIN_MS;
  claim_pass_end(p);
}

void claim_state_shown(ClaimPass *p, const json_t *claim) {
  const json_t *sandbox = claim_bind_sandbox(p, claim);
  if (!sandbox)
    return state_get(p->cc->c->state, p->ns, p->name, on_shown_record, p);
  claim_state_restore(p, claim, sandbox);
  int64_t quiet_ms = p->cc->c->config->grpc_claim_quiet_ms;
  if (quiet_ms > SHOWN_QUIET_MS)
    quiet_ms = SHOWN_QUIET_MS;
  int64_t left_ms = kube_parse_time(kube_text(claim, "metadata.creationTimestamp")) + quiet_ms - clock_wall_ms();
  if (left_ms <= 0)
    return claim_report(p, claim, sandbox);
  p->again_ms = left_ms;
  claim_pass_end(p);
}
