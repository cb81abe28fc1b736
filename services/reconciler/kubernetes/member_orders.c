/* See member_orders.h. */
#include "services/reconciler/kubernetes/member_orders.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/cluster/handover.h"
#include "services/reconciler/kubernetes/cluster/state_names.h"
#include "services/reconciler/kubernetes/member_watch.h"
#include "services/reconciler/kubernetes/object/sandbox_read.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pool/member.h"

#define MANAGER "sandboxwarmpool-controller"
/* A deletion that was asked for is asked for again after this long. */
#define ASK_AGAIN_MS 30000

typedef struct Creation {
  KubernetesBackend *b;
  char *ns, *id;
} Creation;

static void on_created(void *arg, json_t *object, const Error *err) {
  Creation *x = arg;
  CLEANUP(str_freep) char *key = cluster_key(x->ns, x->id);
  bool unwanted = json_is_true(json_object_get(x->b->creating, key));
  json_object_del(x->b->creating, key);
  if (err &&
      (err->kind == ERROR_INVALID_ARGUMENT || err->kind == ERROR_PERMISSION_DENIED || err->kind == ERROR_NOT_FOUND))
    x->b->events.on_ended(x->b->arg, x->ns, x->id, "CreateRefused", err->message);
  else if (err && err->kind != ERROR_ALREADY_EXISTS && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "member_not_created", LOG_STR("namespace", x->ns), LOG_STR("sandbox", x->id),
              LOG_ERR(err)); /* pools orders it again */
  if (unwanted && !(err && err->kind == ERROR_CANCELLED))
    member_orders_destroy(&x->b->base, x->ns, x->id);
  free(x->ns);
  free(x->id);
  free(x);
}

/* The template as the pool was told of it: what may have changed since would not have the hash of the record. */
static json_t *template_of(KubernetesBackend *b, const char *ns, const char *name, const char *manifest) {
  const json_t *there = name ? cluster_get(&b->c, CLUSTER_TEMPLATE, ns, name) : NULL;
  KUBE_OWNED json_t *blueprint = json_loads(manifest, 0, NULL);
  if (!there)
    return json_pack("{s:{s:s,s:s},s:o}", "metadata", "name", name ? name : "", "namespace", ns, "spec",
                     blueprint ? json_incref(blueprint) : json_object());
  json_t *template = json_deep_copy(there);
  json_t *spec = json_object_get(template, "spec");
  static const char *const PARTS[] = {"podTemplate", "volumeClaimTemplates", "service"};
  for (size_t i = 0; i < ARRAY_LEN(PARTS); i++) {
    json_t *part = json_object_get(blueprint, PARTS[i]);
    if (part)
      json_object_set(spec, PARTS[i], part);
    else
      json_object_del(spec, PARTS[i]);
  }
  return template;
}

int member_orders_create(Backend *base, const BackendSandbox *s, const char *manifest, Error *err) {
  KubernetesBackend *b = (KubernetesBackend *)base;
  if (!b->c.synced || cluster_get(&b->c, CLUSTER_SANDBOX, s->ns, s->id))
    return 0;
  CLEANUP(str_freep) char *key = cluster_key(s->ns, s->id);
  if (json_object_get(b->creating, key))
    return 0;
  const json_t *pool = state_names_pool(&b->c, s->ns, s->pool);
  bool implicit = !pool && str_starts_with(s->pool, SHADOW_POOL_PREFIX);
  if (!pool && !implicit) {
    b->events.on_ended(b->arg, s->ns, s->id, "PoolDeleted", "there is no SandboxWarmPool of this name");
    return 0;
  }
  const char *template_name = kube_text(pool, "spec.sandboxTemplateRef.name");
  if (implicit) {
    const json_t *known = state_names_template(&b->c, s->ns, s->pool + strlen(SHADOW_POOL_PREFIX));
    template_name = known ? kube_name(known) : s->pool + strlen(SHADOW_POOL_PREFIX);
  }
  KUBE_OWNED json_t *template = template_of(b, s->ns, template_name, manifest);
  KUBE_OWNED json_t *stand_in = json_pack("{s:{s:s,s:s,s:s},s:{s:{s:s}}}", "metadata", "name", s->pool, "namespace",
                                          s->ns, "uid", "", "spec", "sandboxTemplateRef", "name", template_name);
  KUBE_OWNED json_t *member = member_build(pool ? pool : stand_in, template, s->id, b->c.config->warm_pool_eviction);
  kube_set_annotation(member, ANNOTATION_EPOCH, s->epoch);
  /* nothing but its own Pod will ever run it, so the name need not be written after the Pod is made */
  kube_set_annotation(member, ANNOTATION_POD_NAME, s->id);
  json_t *anchor = implicit ? NULL : cluster_anchor(&b->c);
  if (anchor)
    json_array_append_new(kube_get(member, "metadata.ownerReferences"), anchor);
  if (implicit)
    json_object_del(json_object_get(member, "metadata"), "ownerReferences");
  Creation *x = xmalloc(sizeof *x);
  *x = (Creation){b, str_dup(s->ns), str_dup(s->id)};
  json_object_set_new(b->creating, key, json_false());
  cluster_create(&b->c, CLUSTER_SANDBOX, s->ns, member, MANAGER, CLUSTER_PATIENT, on_created, x);
  return 0;
}

/* The Sandbox object of a member, whoever has it now. */
static const json_t *find(KubernetesBackend *b, const char *ns, const char *id) {
  const json_t *sandbox = cluster_get(&b->c, CLUSTER_SANDBOX, ns, id);
  if (sandbox && !handover_is_over(&b->c, sandbox))
    return sandbox;
  const json_t *owner = kube_controller(cluster_get(&b->c, CLUSTER_POD, ns, id));
  if (owner)
    return cluster_get(&b->c, CLUSTER_SANDBOX, ns, kube_text(owner, "name"));
  /* suspended, or its Pod was made anew under its own name */
  CLEANUP(str_freep) char *key = cluster_key(ns, id);
  return cluster_get(&b->c, CLUSTER_SANDBOX, ns, json_string_value(json_object_get(b->moved, key)));
}

void member_orders_note_moved(KubernetesBackend *b, const json_t *before, const json_t *after) {
  const json_t *sandbox = after ? after : before;
  const char *member = kube_annotation(sandbox, ANNOTATION_MEMBER);
  if (!member || !kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM))
    return;
  CLEANUP(str_freep) char *key = cluster_key(kube_namespace(sandbox), member);
  if (after)
    json_object_set_new(b->moved, key, json_string(kube_name(sandbox)));
  else if (str_equal(json_string_value(json_object_get(b->moved, key)), kube_name(sandbox)))
    json_object_del(b->moved, key);
}

static void on_asked(void *arg, json_t *object, const Error *err) {
  if (err && err->kind != ERROR_NOT_FOUND && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "sandbox_not_deleted", LOG_ERR(err));
}

void member_orders_destroy(Backend *base, const char *ns, const char *id) {
  KubernetesBackend *b = (KubernetesBackend *)base;
  if (!b->c.synced)
    return; /* asked for again, by the timer of the reconcile loop */
  CLEANUP(str_freep) char *key = cluster_key(ns, id);
  const json_t *sandbox = find(b, ns, id);
  if (!sandbox && json_object_get(b->creating, key)) {
    /* not there yet is not gone */
    json_object_set_new(b->creating, key, json_true());
    return;
  }
  if (!sandbox) {
    json_object_del(b->destroying, key);
    return b->events.on_destroyed(b->arg, ns, id);
  }
  const json_t *asked = json_object_get(b->destroying, key);
  int64_t now = loop_now_ms(b->c.loop);
  if (asked && now - json_integer_value(asked) < ASK_AGAIN_MS)
    return;
  json_object_set_new(b->destroying, key, json_integer(now));
  if (kube_is_deleting(sandbox))
    return;
  const json_t *owner = kube_controller(sandbox);
  const json_t *claim = kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM)
                            ? cluster_get(&b->c, CLUSTER_CLAIM, ns, kube_text(owner, "name"))
                            : NULL;
  /* who holds it goes with it: a claim without a sandbox would get another one */
  if (claim && str_equal(kube_uid(claim), kube_text(owner, "uid")) && !cluster_is_ending(&b->c, claim))
    cluster_delete(&b->c, CLUSTER_CLAIM, claim, "Background", CLUSTER_AWAITED, on_asked, NULL);
  cluster_delete(&b->c, CLUSTER_SANDBOX, sandbox, "Background", CLUSTER_AWAITED, on_asked, NULL);
}

typedef struct Observe {
  KubernetesBackend *b;
  void (*fn)(void *arg, const BackendSandbox *sandbox);
  void *arg;
} Observe;

/* A snapshot: what fn does may change the copies. */
static void collect(void *arg, const json_t *sandbox) {
  json_array_append(arg, (json_t *)sandbox);
}

static void observe_one(void *arg, const json_t *sandbox) {
  Observe *o = arg;
  char route[80], pool[STATE_NAME_MAX + 1];
  BackendSandbox v;
  if (sandbox_read_is_member(sandbox) && !handover_is_over(&o->b->c, sandbox) &&
      member_watch_view(sandbox, &v, route, pool))
    o->fn(o->arg, &v);
}

void member_orders_observe(Backend *base, void (*fn)(void *arg, const BackendSandbox *sandbox), void *arg) {
  KubernetesBackend *b = (KubernetesBackend *)base;
  Observe o = {b, fn, arg};
  json_t *sandboxes = json_array();
  cluster_each(&b->c, CLUSTER_SANDBOX, collect, sandboxes);
  size_t i;
  json_t *sandbox;
  json_array_foreach(sandboxes, i, sandbox) observe_one(&o, sandbox);
  json_decref(sandboxes);
}

bool member_orders_exists(Backend *base, const char *ns, const char *id, const char *uid) {
  KubernetesBackend *b = (KubernetesBackend *)base;
  const json_t *sandbox = find(b, ns, id);
  return sandbox && (!*uid || claim_controller_holds(b->claims, sandbox, uid));
}
