/* See cluster_api.h. */
#include "services/reconciler/kubernetes/cluster/cluster_api.h"

#include "lib/base/str.h"

static char *path_of(ClusterResource r, const char *ns, const char *name, const char *rest) {
  return str_printf("%s/namespaces/%s/%s%s%s%s", CLUSTER_RESOURCES[r].group_path, ns, CLUSTER_RESOURCES[r].plural,
                    name ? "/" : "", name ? name : "", rest);
}

static void send(Cluster *c, const char *method, const char *path, const json_t *body, ClusterHaste haste,
                 KubeDoneFn fn, void *arg) {
  bool patient = haste == CLUSTER_PATIENT;
  kube_request(c->client,
               &(KubeRequest){.method = method, .path = path, .body = body, .patient = patient, .fenced = true}, fn,
               arg);
}

static void create(Cluster *c, ClusterResource r, const char *ns, const json_t *body, const char *manager,
                   ClusterHaste haste, KubeDoneFn fn, void *arg) {
  CLEANUP(str_freep) char *query = str_printf("?fieldManager=%s", manager);
  CLEANUP(str_freep) char *path = path_of(r, ns, NULL, query);
  send(c, "POST", path, body, haste, fn, arg);
}

static void patch(Cluster *c, ClusterResource r, const char *ns, const char *name, const char *sub, const json_t *body,
                  ClusterHaste haste, KubeDoneFn fn, void *arg) {
  CLEANUP(str_freep) char *rest = str_printf("%s%s", sub ? "/" : "", sub ? sub : "");
  CLEANUP(str_freep) char *path = path_of(r, ns, name, rest);
  send(c, "PATCH", path, body, haste, fn, arg);
}

static void replace(Cluster *c, ClusterResource r, const json_t *object, ClusterHaste haste, KubeDoneFn fn, void *arg) {
  CLEANUP(str_freep) char *path = path_of(r, kube_namespace(object), kube_name(object), "");
  send(c, "PUT", path, object, haste, fn, arg);
}

static void delete (Cluster *c, ClusterResource r, const json_t *object, const char *propagation, ClusterHaste haste,
                    KubeDoneFn fn, void *arg) {
  CLEANUP(str_freep) char *path = path_of(r, kube_namespace(object), kube_name(object), "");
  KUBE_OWNED json_t *options = json_pack("{s:s,s:s,s:s,s:{s:s}}", "apiVersion", "v1", "kind", "DeleteOptions",
                                         "propagationPolicy", propagation, "preconditions", "uid", kube_uid(object));
  send(c, "DELETE", path, options, haste, fn, arg);
}

static void read(Cluster *c, ClusterResource r, const char *ns, const char *name, KubeDoneFn fn, void *arg) {
  CLEANUP(str_freep) char *path = path_of(r, ns, name, "");
  kube_request(c->client, &(KubeRequest){.method = "GET", .path = path}, fn, arg);
}

static void tell(Cluster *c, const char *ns, const json_t *event, KubeDoneFn fn, void *arg) {
  CLEANUP(str_freep) char *path = str_printf("/apis/events.k8s.io/v1/namespaces/%s/events", ns);
  send(c, "POST", path, event, CLUSTER_PATIENT, fn, arg);
}

const ClusterApi CLUSTER_API = {
    .create = create, .patch = patch, .replace = replace, .delete = delete, .read = read, .tell = tell};
