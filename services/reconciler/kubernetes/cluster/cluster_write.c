/* Writes, and what follows from their answers whoever gives them: the kept copy has them at once, and what was asked to
 * go is known to be going. See cluster.h. */
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/cluster/cluster.h"

typedef struct Write {
  Cluster *c;
  ClusterResource r;
  KubeDoneFn fn;
  void *arg;
  char *ends; /* uid of what a DELETE is for */
} Write;

static Write *write_new(Cluster *c, ClusterResource r, KubeDoneFn fn, void *arg) {
  Write *w = xmalloc(sizeof *w);
  *w = (Write){c, r, fn, arg, NULL};
  return w;
}

static void on_written(void *arg, json_t *object, const Error *err) {
  Write w = *(Write *)arg;
  free(arg);
  /* one that is being deleted may be gone with this very write */
  if (!err && kube_uid(object) && !kube_is_deleting(object))
    cluster_put(w.c, w.r, object);
  w.fn(w.arg, object, err);
}

static void on_deleted(void *arg, json_t *object, const Error *err) {
  Write w = *(Write *)arg;
  free(arg);
  /* of what has gone the copy says so soon; anything else is to be asked for again */
  if (err && err->kind != ERROR_NOT_FOUND)
    json_object_del(w.c->ending, w.ends);
  free(w.ends);
  /* a DELETE may answer a Status, or the object as it was */
  if (!err && kube_is_deleting(object))
    cluster_put(w.c, w.r, object);
  w.fn(w.arg, object, err);
}

void cluster_create(Cluster *c, ClusterResource r, const char *ns, const json_t *body, const char *manager,
                    ClusterHaste haste, KubeDoneFn fn, void *arg) {
  c->api->create(c, r, ns, body, manager, haste, on_written, write_new(c, r, fn, arg));
}

void cluster_patch(Cluster *c, ClusterResource r, const char *ns, const char *name, const char *sub,
                   const json_t *patch, ClusterHaste haste, KubeDoneFn fn, void *arg) {
  c->api->patch(c, r, ns, name, sub, patch, haste, on_written, write_new(c, r, fn, arg));
}

void cluster_replace(Cluster *c, ClusterResource r, const json_t *object, ClusterHaste haste, KubeDoneFn fn,
                     void *arg) {
  c->api->replace(c, r, object, haste, on_written, write_new(c, r, fn, arg));
}

void cluster_delete(Cluster *c, ClusterResource r, const json_t *object, const char *propagation, ClusterHaste haste,
                    KubeDoneFn fn, void *arg) {
  Write *w = write_new(c, r, fn, arg);
  w->ends = str_dup(kube_uid(object));
  json_object_set_new(c->ending, w->ends, json_true());
  c->api->delete (c, r, object, propagation, haste, on_deleted, w);
}

bool cluster_is_ending(const Cluster *c, const json_t *object) {
  return kube_is_deleting(object) || json_object_get(c->ending, kube_uid(object));
}

void cluster_read(Cluster *c, ClusterResource r, const char *ns, const char *name, KubeDoneFn fn, void *arg) {
  c->api->read(c, r, ns, name, fn, arg);
}
