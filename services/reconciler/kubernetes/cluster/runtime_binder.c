/* See runtime_binder.h. */
#include "services/reconciler/kubernetes/cluster/runtime_binder.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"

/* How long members are taken for ones without a runtime: of what another program answered; of what did not answer. */
#define MISSING_MS 600000
#define SILENT_MS 15000

struct RuntimeBinder {
  const Loop *loop;
  const BackendEvents *events;
  void *arg;
  bool there;
  json_t *known; /* "namespace/template hash" -> until when it is missing, monotonic ms; 0: it is there */
};

void runtime_binder_bind(RuntimeBinder *b, const char *ns, const char *id, const char *uid,
                         void (*fn)(void *arg, const Error *err), void *arg) {
  b->events->bind_runtime(b->arg, ns, id, uid, fn, arg);
}

static char *key_of(const json_t *member) {
  const char *hash = kube_label(member, LABEL_TEMPLATE_HASH);
  return cluster_key(kube_namespace(member), hash ? hash : "");
}

RuntimeKnown runtime_binder_known(RuntimeBinder *b, const json_t *member) {
  CLEANUP(str_freep) char *key = key_of(member);
  const json_t *until = json_object_get(b->known, key);
  if (!b->there)
    return RUNTIME_MISSING;
  if (!until || (json_integer_value(until) > 0 && json_integer_value(until) < loop_now_ms(b->loop)))
    return RUNTIME_UNKNOWN;
  return json_integer_value(until) == 0 ? RUNTIME_THERE : RUNTIME_MISSING;
}

void runtime_binder_learn(RuntimeBinder *b, const json_t *member, const Error *err) {
  CLEANUP(str_freep) char *key = key_of(member);
  bool is_other = err && err->kind == ERROR_FAILED_PRECONDITION;
  int64_t until_ms = !err ? 0 : loop_now_ms(b->loop) + (is_other ? MISSING_MS : SILENT_MS);
  if (!err || err->kind != ERROR_CANCELLED)
    json_object_set_new(b->known, key, json_integer(until_ms));
}

RuntimeBinder *runtime_binder_new(const Loop *loop, const BackendEvents *events, void *arg, bool there) {
  RuntimeBinder *b = new0(RuntimeBinder);
  *b = (RuntimeBinder){.loop = loop, .events = events, .arg = arg, .there = there, .known = json_object()};
  return b;
}

void runtime_binder_free(RuntimeBinder *b) {
  if (!b)
    return;
  json_decref(b->known);
  free(b);
}
