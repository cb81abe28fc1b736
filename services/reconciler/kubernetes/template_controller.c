/* See template_controller.h. */
#include "services/reconciler/kubernetes/template_controller.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/state/state_template.h"
#include "services/reconciler/kubernetes/event_recorder.h"
#include "services/reconciler/kubernetes/objects/blueprint.h"
#include "services/reconciler/kubernetes/objects/network_policy.h"
#include "services/reconciler/kubernetes/objects/well_known.h"
#include "services/reconciler/kubernetes/state_names.h"

#define MANAGER "sandboxtemplate-controller"
#define LOOKS_MAX 10

struct TemplateController {
  Cluster *c;
  KubeQueue *queue;
  json_t *told;       /* "namespace/name" -> text of what the state was told */
  json_t *complained; /* "namespace/name" -> what its last Event said */
};

typedef struct Pass {
  TemplateController *t;
  KubeTask *task;
  char ns[256], name[256];
  char *text;       /* being told */
  Error policy_err; /* the state is told nonetheless */
  int looks;
} Pass;

static void look(Pass *p);

static bool is_told(const Error *err) {
  return err->kind == ERROR_INVALID_ARGUMENT || err->kind == ERROR_PERMISSION_DENIED ||
         err->kind == ERROR_FAILED_PRECONDITION;
}

/* Its members have no policy, or that of another: whoever wrote the template has no status to read it from. Once for
 * each reason. */
static void complain(Pass *p) {
  CLEANUP(str_freep) char *key = cluster_key(p->ns, p->name);
  json_t *complained = p->t->complained;
  const json_t *template = cluster_get(p->t->c, CLUSTER_TEMPLATE, p->ns, p->name);
  if (!template || p->policy_err.kind == ERROR_NONE) {
    json_object_del(complained, key);
    return;
  }
  if (!is_told(&p->policy_err) || str_equal(json_string_value(json_object_get(complained, key)), p->policy_err.message))
    return;
  CLEANUP(str_freep) char *said = str_dup(p->policy_err.message);
  str_repair_utf8(said);
  json_object_set_new(complained, key, json_string(said));
  CLEANUP(str_freep) char *note = str_printf("The NetworkPolicy of this template is not as it should be: %s", said);
  event_record(p->t->c, &(EventNote){.about = template,
                                     .api_version = EXTENSIONS_V1BETA1,
                                     .kind = KIND_TEMPLATE,
                                     .warning = true,
                                     .reason = "NetworkPolicyNotWritten",
                                     .action = "Reconciling",
                                     .note = note,
                                     .controller = MANAGER});
}

static void finish(Pass *p, const Error *last) {
  KubeTask *task = p->task;
  complain(p);
  const Error why = last ? *last : p->policy_err, *err = why.kind != ERROR_NONE ? &why : NULL;
  if (err && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "template_pass_failed", LOG_STR("namespace", p->ns), LOG_STR("template", p->name),
              LOG_ERR(err));
  free(p->text);
  free(p);
  if (err)
    kube_task_failed(task, err->retry_after_ms);
  else
    kube_task_done(task);
}

static void on_written(void *arg, json_t *object, const Error *err) {
  Pass *p = arg;
  if (err && err->kind != ERROR_NOT_FOUND)
    finish(p, err);
  else
    look(p);
}

static void tell(Pass *p, const json_t *template);

/* What was refused is tried again later; pools and claims do without, as with the reference. */
static void on_policy_written(void *arg, json_t *object, const Error *err) {
  Pass *p = arg;
  const json_t *template = cluster_get(p->t->c, CLUSTER_TEMPLATE, p->ns, p->name);
  if (!err || !is_told(err) || !template)
    return on_written(p, object, err);
  p->policy_err = *err;
  tell(p, template);
}

/* ---- the shared state ---- */

static void remember(Pass *p) {
  CLEANUP(str_freep) char *key = cluster_key(p->ns, p->name);
  if (p->text)
    json_object_set_new(p->t->told, key, json_string(p->text));
  else
    json_object_del(p->t->told, key);
}

static void on_deleted(void *arg, const Error *err) {
  Pass *p = arg;
  if (!err)
    remember(p);
  finish(p, err);
}

/* Under the name that the state has; it may be that of another that came in its place. */
static void forget(Pass *p) {
  char state_name[STATE_NAME_SIZE];
  state_name_of_template(p->name, state_name);
  if (state_names_template(p->t->c, p->ns, state_name))
    return finish(p, NULL);
  state_template_delete(p->t->c->state, p->ns, state_name, on_deleted, p);
}

static void on_applied(void *arg, const TemplateRecord *record, const Error *err) {
  Pass *p = arg;
  if (!err)
    remember(p);
  finish(p, err);
}

static void tell(Pass *p, const json_t *template) {
  CLEANUP(str_freep) char *key = cluster_key(p->ns, p->name);
  const json_t *spec = kube_get(template, "spec.podTemplate.spec");
  const char *class_name = kube_text(spec, "runtimeClassName");
  const char *image = kube_text(json_array_get(json_object_get(spec, "containers"), 0), "image");
  char hash[9];
  /* pools replace what is of another hash: not for metadata, which no member needs to be made again for */
  blueprint_meaning_hash(template, hash);
  /* of the object only what a sandbox is made of: a change of anything else is none */
  KUBE_OWNED json_t *blueprint = blueprint_of(template);
  p->text = json_dumps(blueprint, JSON_COMPACT | JSON_SORT_KEYS);
  if (!p->text)
    abort();
  if (str_equal(json_string_value(json_object_get(p->t->told, key)), p->text))
    return finish(p, NULL);
  char state_name[STATE_NAME_SIZE];
  state_name_of_template(p->name, state_name);
  state_template_apply(p->t->c->state,
                       &(TemplateRecord){.ns = p->ns,
                                         .name = state_name,
                                         .manifest = p->text,
                                         .hash = hash,
                                         .runtime_class = class_name ? class_name : "",
                                         .image = image ? image : ""},
                       on_applied, p);
}

/* ---- the pass ---- */

static bool label(Pass *p, const json_t *template) {
  char hash[9];
  kube_name_hash(p->name, hash);
  if (str_equal(kube_label(template, LABEL_TEMPLATE_REF_HASH), hash))
    return false;
  KUBE_OWNED json_t *patch = json_object();
  kube_set_label(patch, LABEL_TEMPLATE_REF_HASH, hash);
  cluster_patch(p->t->c, CLUSTER_TEMPLATE, p->ns, p->name, NULL, patch, on_written, p);
  return true;
}

/* 1: a write is under way; -1: refused. */
static int keep_policy(Pass *p, const json_t *template, Error *err) {
  Cluster *c = p->t->c;
  CLEANUP(str_freep) char *name = network_policy_name(template);
  KUBE_OWNED json_t *wanted = network_policy_build(template);
  const json_t *there = cluster_get(c, CLUSTER_POLICY, p->ns, name);
  bool ours = there && kube_is_controlled_by(there, kube_uid(template));
  if (!wanted) {
    if (!ours || kube_is_deleting(there))
      return 0;
    cluster_delete(c, CLUSTER_POLICY, there, "Background", on_policy_written, p);
    return 1;
  }
  if (!there) {
    cluster_create(c, CLUSTER_POLICY, p->ns, wanted, MANAGER, on_policy_written, p);
    return 1;
  }
  if (!ours)
    return error_set(err, ERROR_FAILED_PRECONDITION, "NetworkPolicy %s is not controlled by SandboxTemplate %s", name,
                     p->name);
  if (!network_policy_differs(there, wanted))
    return 0;
  KUBE_OWNED json_t *next = json_deep_copy(there);
  kube_set(next, "spec", json_incref(json_object_get(wanted, "spec")));
  cluster_replace(c, CLUSTER_POLICY, next, on_policy_written, p);
  return 1;
}

static void look(Pass *p) {
  const json_t *template = cluster_get(p->t->c, CLUSTER_TEMPLATE, p->ns, p->name);
  Error err = {0};
  if (!template)
    return forget(p);
  if (kube_is_deleting(template))
    return finish(p, NULL);
  if (++p->looks > LOOKS_MAX) {
    error_set(&err, ERROR_INTERNAL, "no end after %d writes", LOOKS_MAX);
    return finish(p, &err);
  }
  if (label(p, template))
    return;
  if (keep_policy(p, template, &p->policy_err) <= 0)
    tell(p, template);
}

static void work(void *arg, KubeTask *task, const char *ns, const char *name) {
  Pass *p = new0(Pass);
  *p = (Pass){.t = arg, .task = task};
  snprintf(p->ns, sizeof p->ns, "%s", ns);
  snprintf(p->name, sizeof p->name, "%s", name);
  look(p);
}

/* ---- waking ---- */

static void add(void *arg, const json_t *template) {
  TemplateController *t = arg;
  kube_queue_add(t->queue, kube_namespace(template), kube_name(template));
}

void template_controller_on_template(TemplateController *t, const json_t *before, const json_t *after) {
  if (t->c->synced)
    add(t, after ? after : before);
}

void template_controller_on_policy(TemplateController *t, const json_t *before, const json_t *after) {
  const json_t *policy = after ? after : before;
  if (t->c->synced && kube_controller_is(policy, EXTENSIONS_GROUP, KIND_TEMPLATE))
    kube_queue_add(t->queue, kube_namespace(policy), kube_text(kube_controller(policy), "name"));
}

/* Those that were deleted while nobody looked: claims may name a template, and must not get one that is no more. */
static void on_names(void *arg, const StateNames *names, const Error *err) {
  TemplateController *t = arg;
  for (size_t i = 0; !err && t->c->synced && i < names->n_names; i++) {
    char ns[STATE_NAME_MAX + 1];
    const char *name = state_name_split(names->names[i], ns);
    if (name && !state_names_template(t->c, ns, name))
      kube_queue_add(t->queue, ns, name);
  }
}

void template_controller_tell_again(TemplateController *t) {
  json_object_clear(t->told);
  if (!t->c->synced)
    return;
  kube_informer_each(t->c->informers[CLUSTER_TEMPLATE], add, t);
  state_template_names(t->c->state, "", "", 0, on_names, t);
}

void template_controller_lead(TemplateController *t, bool leads) {
  kube_queue_pause(t->queue, !leads);
  if (leads)
    template_controller_tell_again(t);
}

TemplateController *template_controller_new(Cluster *c) {
  TemplateController *t = new0(TemplateController);
  *t = (TemplateController){.c = c, .told = json_object(), .complained = json_object()};
  t->queue = kube_queue_new(c->loop, (int)c->config->template_workers, work, t);
  kube_queue_pause(t->queue, true);
  return t;
}

void template_controller_free(TemplateController *t) {
  if (!t)
    return;
  kube_queue_free(t->queue);
  json_decref(t->told);
  json_decref(t->complained);
  free(t);
}
