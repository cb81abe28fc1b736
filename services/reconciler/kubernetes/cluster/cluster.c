/* See cluster.h. */
#include "services/reconciler/kubernetes/cluster/cluster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pod/pod_outside.h"
#include "services/reconciler/reconciler_metrics.h"

/* The name of the reference controller's Lease: it and we never lead at the same time. */
#define LEASE_NAME "a3317529.agent-sandbox.x-k8s.io"
/* What is there as long as we are installed: the garbage collector takes references to it away when it goes. */
#define ANCHOR_API "rbac.authorization.k8s.io/v1"
#define ANCHOR_KIND "ClusterRole"
#define ANCHOR_NAME "agent-sandbox-controller"
#define ANCHOR_PATH "/apis/" ANCHOR_API "/clusterroles/" ANCHOR_NAME
#define ANCHOR_AGAIN_MS 1000
/* Everything is looked at again this often, whatever was missed. */
#define RESYNC_MS ((int64_t)10 * 3600 * 1000)
/* Pods and Services of Sandboxes; "exists" as a selector. */
#define OF_SANDBOXES "agents.x-k8s.io%2Fsandbox-name-hash"

const struct ClusterPlace CLUSTER_RESOURCES[CLUSTER_N_RESOURCES] = {
    [CLUSTER_SANDBOX] = {"/apis/" AGENTS_V1BETA1, "sandboxes", NULL},
    [CLUSTER_CLAIM] = {"/apis/" EXTENSIONS_V1BETA1, "sandboxclaims", NULL},
    [CLUSTER_TEMPLATE] = {"/apis/" EXTENSIONS_V1BETA1, "sandboxtemplates", NULL},
    [CLUSTER_POOL] = {"/apis/" EXTENSIONS_V1BETA1, "sandboxwarmpools", NULL},
    [CLUSTER_POD] = {"/api/v1", "pods", OF_SANDBOXES},
    [CLUSTER_SERVICE] = {"/api/v1", "services", OF_SANDBOXES},
    [CLUSTER_VOLUME_CLAIM] = {"/api/v1", "persistentvolumeclaims", OF_SANDBOXES},
    [CLUSTER_POLICY] = {"/apis/networking.k8s.io/v1", "networkpolicies", NULL},
};

/* ---- keeping copies ---- */

typedef struct Kept {
  Cluster *c;
  ClusterResource r;
} Kept;

static void on_change(void *arg, const json_t *before, const json_t *after) {
  Kept *k = arg;
  if (before && !after)
    json_object_del(k->c->ending, kube_uid(before));
  if (k->c->on_change)
    k->c->on_change(k->c, k->r, before, after);
}

static void judge(Cluster *c) {
  bool now = c->leads && c->n_unsynced == 0 && c->anchor_known;
  if (now == c->synced)
    return;
  c->synced = now;
  c->on_lead(c, now);
}

static void on_resync(void *arg) {
  Cluster *c = arg;
  loop_timer_start(c->resync, RESYNC_MS);
  json_object_clear(c->ending);
  if (c->synced)
    c->on_resync(c);
}

static void on_synced(void *arg) {
  Kept *k = arg;
  log_event(LOG_INFO, "cluster_listed", LOG_STR("resource", CLUSTER_RESOURCES[k->r].plural),
            LOG_INT("objects", (int64_t)kube_informer_count(k->c->informers[k->r])));
  k->c->n_unsynced--;
  judge(k->c);
}

static void on_watch_error(void *arg, const char *path, const Error *err) {
  log_event(LOG_WARN, "cluster_watch_failed", LOG_STR("path", path), LOG_ERR(err));
}

/* Who controls it: the second key of what belongs to something. */
static const char *controller_uid(const json_t *object) {
  return kube_text(kube_controller(object), "uid");
}

static void on_anchor(void *arg, json_t *object, const Error *err) {
  Cluster *c = arg;
  *c->anchor_uid = 0;
  if (err && err->kind == ERROR_CANCELLED)
    return;
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_PERMISSION_DENIED) {
    loop_timer_start(c->anchor_again, ANCHOR_AGAIN_MS);
    return;
  }
  if (err)
    log_event(LOG_WARN, "members_not_anchored", LOG_ERR(err),
              LOG_STR("effect", "a pool that is deleted takes sandboxes with it whose claim is no object yet"));
  else
    snprintf(c->anchor_uid, sizeof c->anchor_uid, "%s", kube_uid(object) ? kube_uid(object) : "");
  c->anchor_known = true;
  judge(c);
}

static void read_anchor(void *arg) {
  Cluster *c = arg;
  if (c->leads)
    kube_request(c->client, &(KubeRequest){.method = "GET", .path = ANCHOR_PATH}, on_anchor, c);
}

json_t *cluster_anchor(const Cluster *c) {
  if (!*c->anchor_uid)
    return NULL;
  return json_pack("{s:s,s:s,s:s,s:s}", "apiVersion", ANCHOR_API, "kind", ANCHOR_KIND, "name", ANCHOR_NAME, "uid",
                   c->anchor_uid);
}

static void on_leadership(void *arg, bool leads) {
  Cluster *c = arg;
  log_event(LOG_INFO, "leadership", LOG_BOOL("leads", leads));
  c->leads = leads;
  c->anchor_known = false;
  judge(c);
  read_anchor(c);
}

static void on_request_done(void *arg, const char *method, const char *path, long status, int64_t took_us) {
  Cluster *c = arg;
  CLEANUP(str_freep) char *code = status ? str_printf("%ld", status) : str_dup("<error>");
  metrics_add(c->metrics, RECONCILER_METRIC_KUBE_REQUESTS, 1, method, code, NULL);
  /* a watch lasts as long as it lasts */
  if (c->config->rest_client_metrics && strcmp(method, "WATCH") != 0)
    metrics_observe(c->metrics, RECONCILER_METRIC_KUBE_DURATION, (double)took_us / 1e6, method, c->host, NULL);
}

static void on_request_begin(void *arg, const char *method, int64_t waited_us) {
  Cluster *c = arg;
  if (c->config->rest_client_metrics)
    metrics_observe(c->metrics, RECONCILER_METRIC_KUBE_WAIT, (double)waited_us / 1e6, method, c->host, NULL);
}

/* "host:port" of a server's URL. */
static char *host_of(const char *server) {
  const char *host = strstr(server, "://");
  host = host ? host + 3 : server;
  return str_ndup(host, strcspn(host, "/"));
}

/* A replica that was stopped and goes on has lost the Lease before any timer of its has run. */
static bool may_write(void *arg) {
  Cluster *c = arg;
  return !c->config->leader_elect || (c->lease && kube_lease_is_held(c->lease));
}

int cluster_connect(Cluster *c, Error *err) {
  if (kube_config_load(c->config->kubeconfig, c->config->kube_context, &c->kube_config, err) != 0)
    return -1;
  const KubeOptions options = {
      .user_agent = "sandplane-reconciler",
      .qps = c->config->kube_api_qps > 0 ? c->config->kube_api_qps : 0,
      .burst = (int)c->config->kube_api_burst,
      .on_done = on_request_done,
      .on_begin = on_request_begin,
      .may_write = may_write,
      .arg = c,
  };
  c->host = host_of(c->kube_config->server);
  c->client = kube_client_new(c->loop, c->kube_config, &options, err);
  return c->client ? 0 : -1;
}

static Kept *kept_new(Cluster *c, ClusterResource r) {
  Kept *k = new0(Kept);
  *k = (Kept){c, r};
  return k;
}

void cluster_keep(Cluster *c) {
  c->ending = json_object();
  c->pool_names = json_object();
  c->template_names = json_object();
  c->n_unsynced = CLUSTER_N_RESOURCES;
  for (ClusterResource r = 0; r < CLUSTER_N_RESOURCES; r++) {
    CLEANUP(str_freep) char *path = str_printf("%s/%s", CLUSTER_RESOURCES[r].group_path, CLUSTER_RESOURCES[r].plural);
    c->informers[r] = kube_informer_new(c->loop, c->client,
                                        &(KubeInformerSpec){.path = path,
                                                            .selector = CLUSTER_RESOURCES[r].selector,
                                                            .prune = r == CLUSTER_POD ? pod_outside : NULL,
                                                            .index = controller_uid,
                                                            .on_change = on_change,
                                                            .on_synced = on_synced,
                                                            .on_error = on_watch_error,
                                                            .arg = kept_new(c, r)});
  }
}

void cluster_start(Cluster *c) {
  c->resync = loop_timer_new(c->loop, on_resync, c);
  loop_timer_start(c->resync, RESYNC_MS);
  c->anchor_again = loop_timer_new(c->loop, read_anchor, c);
  cluster_keep(c);
  if (!c->config->leader_elect)
    return on_leadership(c, true);
  char host[256], unique[33];
  if (gethostname(host, sizeof host) != 0)
    strcpy(host, "unknown");
  host[sizeof host - 1] = 0;
  random_uid(unique);
  CLEANUP(str_freep) char *identity = str_printf("%s_%s", host, unique);
  const char *ns = *c->config->leader_election_namespace ? c->config->leader_election_namespace : c->kube_config->ns;
  c->lease = kube_lease_new(c->loop, c->client, ns, LEASE_NAME, identity, on_leadership, c);
}

void cluster_resign(Cluster *c, void (*done)(void *arg), void *arg) {
  if (c->lease)
    return kube_lease_release(c->lease, done, arg);
  on_leadership(c, false);
  done(arg);
}

void cluster_disconnect(Cluster *c) {
  for (ClusterResource r = 0; r < CLUSTER_N_RESOURCES; r++) {
    kube_informer_stop(c->informers[r]);
  }
  if (c->anchor_again) /* else it was never started */
    loop_timer_stop(c->anchor_again);
  kube_lease_free(c->lease);
  c->lease = NULL;
  kube_client_free(c->client);
  c->client = NULL;
}

void cluster_deinit(Cluster *c) {
  for (ClusterResource r = 0; r < CLUSTER_N_RESOURCES; r++) {
    if (c->informers[r])
      free(kube_informer_arg(c->informers[r]));
    kube_informer_free(c->informers[r]);
  }
  loop_timer_free(c->resync);
  loop_timer_free(c->anchor_again);
  kube_config_free(c->kube_config);
  free(c->host);
  json_decref(c->ending);
  json_decref(c->pool_names);
  json_decref(c->template_names);
}

const char *cluster_epoch(const Cluster *c) {
  return *c->epoch ? c->epoch : NULL;
}

/* The state knows whether somebody holds it; it is deleted when it says that nobody does (member_orders_destroy).
 */
void cluster_spoil(Cluster *c, const json_t *sandbox, bool failed, const char *reason, const char *message) {
  if (!kube_is_deleting(sandbox))
    c->events->on_unfit(c->events_arg, kube_namespace(sandbox), kube_name(sandbox), failed, reason, message);
}

void cluster_each(const Cluster *c, ClusterResource r, void (*fn)(void *arg, const json_t *object), void *arg) {
  kube_informer_each(c->informers[r], fn, arg);
}

void cluster_each_of(const Cluster *c, ClusterResource r, const char *uid, void (*fn)(void *arg, const json_t *object),
                     void *arg) {
  kube_informer_each_of(c->informers[r], uid, fn, arg);
}

void cluster_put(Cluster *c, ClusterResource r, json_t *object) {
  kube_informer_put(c->informers[r], object);
}

const json_t *cluster_get(const Cluster *c, ClusterResource r, const char *ns, const char *name) {
  return kube_informer_get(c->informers[r], ns, name);
}

char *cluster_key(const char *ns, const char *name) {
  return str_printf("%s/%s", ns, name);
}
