/* See kubernetes_backend.h.
 *
 * The shared state alone decides who gets a member; the objects follow. So an object of a member that nobody holds
 * carries the mark of the data set that knows it (ANNOTATION_EPOCH): one of another data set is unproven, and is
 * replaced.
 */
#include "services/reconciler/kubernetes/kubernetes_backend.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/cluster/cluster_api.h"
#include "services/reconciler/kubernetes/cluster/state_names.h"
#include "services/reconciler/kubernetes/kubernetes_backend_state.h"
#include "services/reconciler/kubernetes/member_orders.h"
#include "services/reconciler/kubernetes/member_watch.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_gauge.h"

static KubernetesBackend *of(Backend *b) {
  return (KubernetesBackend *)b;
}

/* ---- Backend ---- */

static int check(Backend *b, const char *manifest, Arena *arena, BackendTemplate *ret_template, Error *err) {
  return error_set(err, ERROR_FAILED_PRECONDITION,
                   "templates and pools of a cluster are objects: kubectl apply a SandboxTemplate or SandboxWarmPool");
}

/* Each time: what was to be told while the store was away may be lost, and the same data set may have come back as it
 * was a while ago. */
static void connected(Backend *base, const char *epoch, bool same) {
  KubernetesBackend *b = of(base);
  snprintf(b->c.epoch, sizeof b->c.epoch, "%s", epoch);
  pool_controller_mend(b->pools);
  controller_again(b->templates);
  controller_again(b->pools);
  controller_again(b->claims);
  controller_again(b->addresses);
}

static void deinit(Backend *base, bool kill) {
  KubernetesBackend *b = of(base);
  cluster_disconnect(&b->c);
  webhook_free(b->webhook);
  claim_mirror_free(b->mirror);
  controller_free(b->addresses);
  controller_free(b->claims);
  controller_free(b->pools);
  controller_free(b->templates);
  controller_free(b->sandboxes);
  runtime_binder_free(b->binder);
  cluster_deinit(&b->c);
  json_decref(b->creating);
  json_decref(b->destroying);
  json_decref(b->moved);
  free(b);
}

static bool leads(const Backend *base) {
  return ((const KubernetesBackend *)base)->c.synced;
}

static void resign(Backend *base, void (*done)(void *arg), void *arg) {
  cluster_resign(&of(base)->c, done, arg);
}

static const BackendOps OPS = {.check = check,
                               .create = member_orders_create,
                               .destroy = member_orders_destroy,
                               .observe = member_orders_observe,
                               .exists = member_orders_exists,
                               .connected = connected,
                               .leads = leads,
                               .resign = resign,
                               .free = deinit};

/* ---- wiring ---- */

static void on_change(Cluster *c, ClusterResource r, const json_t *before, const json_t *after) {
  KubernetesBackend *b = c->backend;
  if (r == CLUSTER_SANDBOX)
    member_orders_note_moved(b, before, after);
  if (r == CLUSTER_TEMPLATE || r == CLUSTER_POOL)
    state_names_change(c, r, before, after);
  Controller *const told[] = {b->sandboxes, b->templates, b->pools, b->claims, b->addresses};
  for (size_t i = 0; i < ARRAY_LEN(told); i++)
    controller_change(told[i], r, before, after);
  if (r == CLUSTER_SANDBOX && c->synced)
    member_watch_change(b, before, after);
}

static void on_lead(Cluster *c, bool leads) {
  KubernetesBackend *b = c->backend;
  json_object_clear(b->destroying);
  controller_lead(b->templates, leads);
  controller_lead(b->pools, leads);
  controller_lead(b->sandboxes, leads);
  controller_lead(b->claims, leads);
  claim_mirror_lead(b->mirror, leads);
  controller_lead(b->addresses, leads);
  b->events.on_lead(b->arg, leads);
}

static void on_resync(Cluster *c) {
  KubernetesBackend *b = c->backend;
  controller_again(b->sandboxes);
  controller_again(b->templates);
  controller_again(b->pools);
  controller_again(b->claims);
}

void kubernetes_backend_scrape(void *backend) {
  sandbox_gauge_count(&of(backend)->c);
}

Backend *kubernetes_backend_new(Loop *loop, const ReconcilerConfig *config, State *state, Metrics *metrics,
                                const BackendEvents *events, void *arg, Error *err) {
  KubernetesBackend *b = new0(KubernetesBackend);
  *b = (KubernetesBackend){.base.ops = &OPS,
                           .events = *events,
                           .arg = arg,
                           .creating = json_object(),
                           .destroying = json_object(),
                           .moved = json_object()};
  Cluster *c = &b->c;
  *c = (Cluster){.loop = loop,
                 .config = config,
                 .state = state,
                 .metrics = metrics,
                 .events = &b->events,
                 .events_arg = arg,
                 .api = &CLUSTER_API,
                 .backend = b,
                 .on_change = on_change,
                 .on_lead = on_lead,
                 .on_resync = on_resync};
  if (cluster_connect(c, err) != 0) {
    cluster_deinit(c);
    json_decref(b->creating);
    json_decref(b->destroying);
    json_decref(b->moved);
    free(b);
    return NULL;
  }
  b->binder = runtime_binder_new(loop, &b->events, arg, *config->router != 0);
  b->sandboxes = sandbox_controller_new(c);
  b->templates = template_controller_new(c);
  b->pools = pool_controller_new(c);
  b->claims = claim_controller_new(c, b->binder);
  b->mirror = claim_mirror_new(c);
  b->addresses = address_book_new(c);
  if (config->webhook_enabled && *config->webhook_address && !(b->webhook = webhook_new(c, err))) {
    deinit(&b->base, false);
    return NULL;
  }
  cluster_start(c);
  return &b->base;
}
