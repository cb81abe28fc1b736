/* See template_controller.h. */
#include "services/reconciler/kubernetes/template/template_controller.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/state/state_template.h"
#include "services/reconciler/kubernetes/cluster/event_recorder.h"
#include "services/reconciler/kubernetes/cluster/state_names.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/template/blueprint.h"
#include "services/reconciler/kubernetes/template/network_policy.h"

#define MANAGER "sandboxtemplate-controller"

typedef struct TemplateController {
  Controller *k;
  Cluster *c;
  json_t *told;       /* "namespace/name" -> text of what the state was told */
  json_t *complained; /* "namespace/name" -> what its last Event said */
} TemplateController;

typedef struct TemplatePass {
  Pass pass;
  json_t *told;     /* TemplateController's */
  char *text;       /* being told */
  Error policy_err; /* the state is told nonetheless */
} TemplatePass;

static bool is_told(const Error *err) {
  return err->kind == ERROR_INVALID_ARGUMENT || err->kind == ERROR_PERMISSION_DENIED ||
         err->kind == ERROR_FAILED_PRECONDITION;
}

/* Its members have no policy, or that of another: whoever wrote the template has no status to read it from. Once for
 * each reason. */
static void complain(TemplatePass *p) {
  CLEANUP(str_freep) char *key = cluster_key(p->pass.ns, p->pass.name);
  json_t *complained = ((TemplateController *)p->pass.owner)->complained;
  const json_t *template = cluster_get(p->pass.c, CLUSTER_TEMPLATE, p->pass.ns, p->pass.name);
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
  event_record(p->pass.c, &(EventNote){.about = template,
                                       .api_version = EXTENSIONS_V1BETA1,
                                       .kind = KIND_TEMPLATE,
                                       .warning = true,
                                       .reason = "NetworkPolicyNotWritten",
                                       .action = "Reconciling",
                                       .note = note,
                                       .controller = MANAGER});
}

static PassEnd end(void *pass) {
  TemplatePass *p = pass;
  complain(p);
  if (p->pass.err.kind == ERROR_NONE)
    p->pass.err = p->policy_err;
  free(p->text);
  return pass_end(&p->pass);
}

static PassNext on_written(void *pass, json_t *object, const Error *err) {
  return err && err->kind != ERROR_NOT_FOUND ? pass_fail(pass, err) : PASS_LOOK;
}

/* ---- the shared state ---- */

/* What it was told is remembered, text NULL: that it has none. */
static void on_told(TemplatePass *p, const Error *err) {
  CLEANUP(str_freep) char *key = cluster_key(p->pass.ns, p->pass.name);
  if (!err && p->text)
    json_object_set_new(p->told, key, json_string(p->text));
  else if (!err)
    json_object_del(p->told, key);
  pass_go(&p->pass, pass_fail(&p->pass, err));
}

static void on_deleted(void *arg, const Error *err) {
  on_told(arg, err);
}
static void on_applied(void *arg, const TemplateRecord *record, const Error *err) {
  on_told(arg, err);
}

/* Under the name that the state has; it may be that of another that came in its place. */
static PassNext untell(TemplatePass *p) {
  char state_name[STATE_NAME_SIZE];
  state_name_of_template(p->pass.name, state_name);
  if (state_names_template(p->pass.c, p->pass.ns, state_name))
    return PASS_DONE;
  state_template_delete(p->pass.c->state, p->pass.ns, state_name, on_deleted, p);
  return PASS_WAIT;
}

static PassNext tell(TemplatePass *p, const json_t *template) {
  CLEANUP(str_freep) char *key = cluster_key(p->pass.ns, p->pass.name);
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
  if (str_equal(json_string_value(json_object_get(p->told, key)), p->text))
    return PASS_DONE;
  char state_name[STATE_NAME_SIZE];
  state_name_of_template(p->pass.name, state_name);
  state_template_apply(p->pass.c->state,
                       &(TemplateRecord){.ns = p->pass.ns,
                                         .name = state_name,
                                         .manifest = p->text,
                                         .hash = hash,
                                         .runtime_class = class_name ? class_name : "",
                                         .image = image ? image : ""},
                       on_applied, p);
  return PASS_WAIT;
}

/* ---- the pass ---- */

/* What was refused is tried again later; pools and claims do without, as with the reference. */
static PassNext on_policy_written(void *pass, json_t *object, const Error *err) {
  TemplatePass *p = pass;
  const json_t *template = cluster_get(p->pass.c, CLUSTER_TEMPLATE, p->pass.ns, p->pass.name);
  if (!err || !is_told(err) || !template)
    return on_written(p, object, err);
  p->policy_err = *err;
  return tell(p, template);
}

/* PASS_ON: it has its label. */
static PassNext label(TemplatePass *p, const json_t *template) {
  char hash[9];
  kube_name_hash(p->pass.name, hash);
  if (str_equal(kube_label(template, LABEL_TEMPLATE_REF_HASH), hash))
    return PASS_ON;
  KUBE_OWNED json_t *patch = json_object();
  kube_set_label(patch, LABEL_TEMPLATE_REF_HASH, hash);
  return pass_patch(&p->pass, CLUSTER_TEMPLATE, p->pass.name, NULL, patch, on_written);
}

/* PASS_ON: there is nothing to do, or another's is in the way (policy_err). */
static PassNext keep_policy(TemplatePass *p, const json_t *template) {
  CLEANUP(str_freep) char *name = network_policy_name(template);
  KUBE_OWNED json_t *wanted = network_policy_build(template);
  const json_t *there = cluster_get(p->pass.c, CLUSTER_POLICY, p->pass.ns, name);
  bool ours = there && kube_is_controlled_by(there, kube_uid(template));
  if (!wanted)
    return ours && !kube_is_deleting(there)
               ? pass_delete(&p->pass, CLUSTER_POLICY, there, "Background", on_policy_written)
               : PASS_ON;
  if (!there)
    return pass_create(&p->pass, CLUSTER_POLICY, wanted, MANAGER, on_policy_written);
  if (!ours)
    error_set(&p->policy_err, ERROR_FAILED_PRECONDITION, "NetworkPolicy %s is not controlled by SandboxTemplate %s",
              name, p->pass.name);
  if (!ours || !network_policy_differs(there, wanted))
    return PASS_ON;
  KUBE_OWNED json_t *next = json_deep_copy(there);
  kube_set(next, "spec", json_incref(json_object_get(wanted, "spec")));
  return pass_replace(&p->pass, CLUSTER_POLICY, next, on_policy_written);
}

static PassNext look(void *pass) {
  TemplatePass *p = pass;
  const json_t *template = cluster_get(p->pass.c, CLUSTER_TEMPLATE, p->pass.ns, p->pass.name);
  p->told = ((TemplateController *)p->pass.owner)->told;
  if (!template)
    return untell(p);
  if (kube_is_deleting(template))
    return PASS_DONE;
  PassNext next = label(p, template);
  if (next == PASS_ON)
    next = keep_policy(p, template);
  return next == PASS_ON ? tell(p, template) : next;
}

/* ---- waking ---- */

static void on_template(void *owner, const json_t *before, const json_t *after) {
  const TemplateController *t = owner;
  controller_add_object(t->k, after ? after : before);
}

static void on_policy(void *owner, const json_t *before, const json_t *after) {
  const TemplateController *t = owner;
  const json_t *policy = after ? after : before;
  if (kube_controller_is(policy, EXTENSIONS_GROUP, KIND_TEMPLATE))
    controller_add(t->k, kube_namespace(policy), kube_text(kube_controller(policy), "name"));
}

/* Those that were deleted while nobody looked: claims may name a template, and must not get one that is no more. */
static void on_names(void *arg, const StateNames *names, const Error *err) {
  TemplateController *t = arg;
  for (size_t i = 0; !err && t->c->synced && i < names->n_names; i++) {
    char ns[STATE_NAME_MAX + 1];
    const char *name = state_name_split(names->names[i], ns);
    if (name && !state_names_template(t->c, ns, name))
      controller_add(t->k, ns, name);
  }
}

static void forget(void *owner) {
  TemplateController *t = owner;
  json_object_clear(t->told);
  if (t->c->synced)
    state_template_names(t->c->state, "", "", 0, on_names, t);
}

static void free_owner(void *owner) {
  TemplateController *t = owner;
  json_decref(t->told);
  json_decref(t->complained);
  free(t);
}

static const ControllerSpec SPEC = {.resource = CLUSTER_TEMPLATE,
                                    .pass_size = sizeof(TemplatePass),
                                    .noun = "template",
                                    .failure = "template_pass_failed",
                                    .looks_max = 10,
                                    .look = look,
                                    .end = end,
                                    .forget = forget,
                                    .on_change = {[CLUSTER_TEMPLATE] = on_template, [CLUSTER_POLICY] = on_policy},
                                    .free = free_owner};

Controller *template_controller_new(Cluster *c) {
  TemplateController *t = new0(TemplateController);
  *t = (TemplateController){.c = c, .told = json_object(), .complained = json_object()};
  t->k = controller_new(c, &SPEC, (int)c->config->template_workers, t);
  return t->k;
}
