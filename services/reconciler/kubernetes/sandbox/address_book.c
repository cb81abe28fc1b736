/* See address_book.h. */
#include "services/reconciler/kubernetes/sandbox/address_book.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/state/state_address.h"
#include "services/reconciler/kubernetes/object/sandbox_read.h"
#include "services/reconciler/kubernetes/object/well_known.h"

enum { WORKERS = 32, AGAIN_MS = 200 };

typedef struct AddressBook {
  Controller *k;
  Cluster *c;
  json_t *told; /* "namespace/name" -> route */
} AddressBook;

typedef struct Entry {
  Pass pass;
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
  json_t *told = ((AddressBook *)e->pass.owner)->told;
  if (!err && e->route)
    json_object_set_new(told, e->key, json_string(e->route));
  else if (!err)
    json_object_del(told, e->key);
  pass_go(&e->pass, pass_fail(&e->pass, err));
}

static PassNext look(void *pass) {
  Entry *e = pass;
  Cluster *c = e->pass.c;
  e->key = cluster_key(e->pass.ns, e->pass.name);
  e->route = route_of(cluster_get(c, CLUSTER_SANDBOX, e->pass.ns, e->pass.name));
  if (str_equal(e->route, json_string_value(json_object_get(((AddressBook *)e->pass.owner)->told, e->key))))
    return PASS_DONE;
  state_address_set(c->state, e->pass.ns, e->pass.name, e->route, on_told, e);
  return PASS_WAIT;
}

static PassEnd end(void *pass) {
  Entry *e = pass;
  free(e->key);
  free(e->route);
  return (PassEnd){e->pass.err.kind != ERROR_NONE, e->pass.err.kind != ERROR_NONE ? AGAIN_MS : 0};
}

static void on_sandbox(void *owner, const json_t *before, const json_t *after) {
  const AddressBook *a = owner;
  CLEANUP(str_freep) char *was = route_of(before);
  CLEANUP(str_freep) char *is = route_of(after);
  if (!str_equal(was, is))
    controller_add_object(a->k, after ? after : before);
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
    controller_add(a->k, ns, name);
  }
}

static void forget(void *owner) {
  AddressBook *a = owner;
  json_object_clear(a->told);
  if (a->c->synced)
    state_address_names(a->c->state, on_names, a);
}

static void free_owner(void *owner) {
  AddressBook *a = owner;
  json_decref(a->told);
  free(a);
}

static const ControllerSpec SPEC = {.resource = CLUSTER_SANDBOX,
                                    .pass_size = sizeof(Entry),
                                    .looks_max = 1,
                                    .look = look,
                                    .end = end,
                                    .forget = forget,
                                    .on_change = {[CLUSTER_SANDBOX] = on_sandbox},
                                    .free = free_owner};

Controller *address_book_new(Cluster *c) {
  AddressBook *a = new0(AddressBook);
  *a = (AddressBook){.c = c, .told = json_object()};
  a->k = controller_new(c, &SPEC, WORKERS, a);
  return a->k;
}
