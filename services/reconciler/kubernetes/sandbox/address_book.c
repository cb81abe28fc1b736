/* See address_book.h. */
#include "services/reconciler/kubernetes/sandbox/address_book.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/state/state_address.h"
#include "services/reconciler/kubernetes/object/sandbox_read.h"
#include "services/reconciler/kubernetes/object/well_known.h"

struct AddressBook {
  Cluster *c;
  KubeQueue *queue;
  json_t *told; /* "namespace/name" -> route */
};

typedef struct Entry {
  AddressBook *a;
  KubeTask *task;
  char *key, *route; /* route NULL: taken out */
} Entry;

/* Members have records, and keep them when they are adopted. */
static bool has_record(const json_t *sandbox) {
  if (kube_label(sandbox, LABEL_POOL))
    return true;
  bool own_pod = str_equal(sandbox_read_id(sandbox), kube_name(sandbox));
  return own_pod && str_equal(kube_label(sandbox, LABEL_LAUNCH_TYPE), "warm");
}

/* malloc'ed; NULL: none. */
static char *route_of(const json_t *sandbox) {
  char route[80];
  bool there =
      sandbox && !kube_is_deleting(sandbox) && !has_record(sandbox) && sandbox_read_route(sandbox, route, sizeof route);
  return there ? str_dup(route) : NULL;
}

static void on_told(void *arg, const Error *err) {
  Entry *e = arg;
  KubeTask *task = e->task;
  if (!err && e->route)
    json_object_set_new(e->a->told, e->key, json_string(e->route));
  else if (!err)
    json_object_del(e->a->told, e->key);
  free(e->key);
  free(e->route);
  free(e);
  if (err)
    kube_task_failed(task, 200);
  else
    kube_task_done(task);
}

static void work(void *arg, KubeTask *task, const char *ns, const char *name) {
  AddressBook *a = arg;
  CLEANUP(str_freep) char *key = cluster_key(ns, name);
  CLEANUP(str_freep) char *route = route_of(cluster_get(a->c, CLUSTER_SANDBOX, ns, name));
  if (str_equal(route, json_string_value(json_object_get(a->told, key))))
    return kube_task_done(task);
  Entry *e = xmalloc(sizeof *e);
  *e = (Entry){.a = a, .task = task, .key = str_dup(key), .route = route ? str_dup(route) : NULL};
  state_address_set(a->c->state, ns, name, route, on_told, e);
}

static void add(void *arg, const json_t *sandbox) {
  AddressBook *a = arg;
  kube_queue_add(a->queue, kube_namespace(sandbox), kube_name(sandbox));
}

void address_book_on_sandbox(AddressBook *a, const json_t *before, const json_t *after) {
  if (!a->c->synced)
    return;
  CLEANUP(str_freep) char *was = route_of(before);
  CLEANUP(str_freep) char *is = route_of(after);
  if (!str_equal(was, is))
    add(a, after ? after : before);
}

/* One whose Sandbox went while nobody looked would lead to whatever has its address by now. */
static void on_names(void *arg, const StateNames *names, const Error *err) {
  AddressBook *a = arg;
  for (size_t i = 0; !err && a->c->synced && i < names->n_names; i++) {
    char ns[STATE_NAME_MAX + 1];
    const char *name = state_name_split(names->names[i], ns);
    if (!name)
      continue;
    json_object_set_new(a->told, names->names[i], json_string("")); /* whatever it says: told anew or taken out */
    kube_queue_add(a->queue, ns, name);
  }
}

void address_book_tell_again(AddressBook *a) {
  json_object_clear(a->told);
  if (!a->c->synced)
    return;
  state_address_names(a->c->state, on_names, a);
  kube_informer_each(a->c->informers[CLUSTER_SANDBOX], add, a);
}

void address_book_lead(AddressBook *a, bool leads) {
  kube_queue_pause(a->queue, !leads);
  if (leads)
    address_book_tell_again(a);
}

AddressBook *address_book_new(Cluster *c) {
  AddressBook *a = new0(AddressBook);
  *a = (AddressBook){.c = c, .told = json_object()};
  a->queue = kube_queue_new(c->loop, 32, work, a);
  kube_queue_pause(a->queue, true);
  return a;
}

void address_book_free(AddressBook *a) {
  if (!a)
    return;
  kube_queue_free(a->queue);
  json_decref(a->told);
  free(a);
}
