/* See claim_mirror.h. The history of each pool (state_events) tells which sandboxes changed; a sandbox is looked up
 * again when its time has come, so what happened in between does not matter. */
#include "services/reconciler/kubernetes/mirror/claim_mirror.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/state/state_events.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"
#include "services/reconciler/kubernetes/claim/claim_adoption.h"
#include "services/reconciler/kubernetes/cluster/controller.h"
#include "services/reconciler/kubernetes/cluster/state_names.h"
#include "services/reconciler/kubernetes/object/well_known.h"

#define MANAGER "sandboxclaim-controller"
#define LIST_PAGE 500
#define FEED_MS 20
#define FEED_AGAIN_MS 500

struct ClaimMirror {
  Cluster *c;
  Controller *feeds;     /* by namespace and pool */
  Controller *sandboxes; /* by namespace and id */
  json_t *after;         /* "namespace/pool" -> newest entry read */
  bool leads;
};

/* ---- reading what changed ---- */

typedef struct Feed {
  Pass pass;
  ClaimMirror *m;
  bool all; /* the history does not reach back: every sandbox of the pool */
} Feed;

static PassEnd feed_end(void *pass) {
  const Error *err = &((Feed *)pass)->pass.err;
  bool failed = err->kind != ERROR_NONE && err->kind != ERROR_NOT_FOUND;
  return (PassEnd){failed, failed ? FEED_AGAIN_MS : 0};
}

static void consider(Feed *f, const char *id) {
  controller_add_after(f->m->sandboxes, f->pass.ns, id, MIRROR_AFTER_MS);
}

static void on_listed(void *arg, const SandboxPage *page, const Error *err) {
  Feed *f = arg;
  if (err)
    return pass_go(&f->pass, pass_fail(&f->pass, err));
  for (size_t i = 0; i < page->n_records; i++)
    if (page->records[i].state == SANDBOX_CLAIMED)
      consider(f, page->records[i].id);
  if (page->next)
    return state_list(f->m->c->state, f->pass.ns, f->pass.name, page->next, LIST_PAGE, on_listed, f);
  pass_go(&f->pass, PASS_DONE);
}

static void on_events(void *arg, const StateEvents *e, const Error *err) {
  Feed *f = arg;
  if (err)
    return pass_go(&f->pass, pass_fail(&f->pass, err));
  CLEANUP(str_freep) char *key = cluster_key(f->pass.ns, f->pass.name);
  const char *last = e->n_events ? e->events[e->n_events - 1].stream_id : e->last_id;
  /* nothing is left of a pool that vanished long ago, nor is here */
  if (e->n_events == 0 && strcmp(last, "0-0") == 0)
    json_object_del(f->m->after, key);
  else
    json_object_set_new(f->m->after, key, json_string(last));
  for (size_t i = 0; i < e->n_events; i++)
    if (!e->events[i].deleted && *e->events[i].uid)
      consider(f, e->events[i].id);
  if (f->all || e->trimmed)
    return state_list(f->m->c->state, f->pass.ns, f->pass.name, "", LIST_PAGE, on_listed, f);
  if (e->n_events && strcmp(last, e->last_id) != 0)
    return state_events(f->m->c->state, f->pass.ns, f->pass.name, last, on_events, f);
  pass_go(&f->pass, PASS_DONE);
}

static PassNext read_feed(void *pass) {
  Feed *f = pass;
  f->m = f->pass.owner;
  CLEANUP(str_freep) char *key = cluster_key(f->pass.ns, f->pass.name);
  const char *after = json_string_value(json_object_get(f->m->after, key));
  f->all = !after;
  state_events(f->m->c->state, f->pass.ns, f->pass.name, after ? after : "$", on_events, f);
  return PASS_WAIT;
}

static const ControllerSpec FEED = {
    .resource = CLUSTER_N_RESOURCES, .pass_size = sizeof(Feed), .looks_max = 1, .look = read_feed, .end = feed_end};

/* ---- one claim ---- */

typedef struct Show {
  Pass pass;
  Error why; /* it was refused */
} Show;

static PassNext on_read(void *pass, json_t *object, const Error *err) {
  Show *s = pass;
  if (err)
    return pass_fail(&s->pass, err->kind == ERROR_NOT_FOUND ? NULL : err);
  cluster_put(s->pass.c, CLUSTER_SANDBOX, object);
  return PASS_LOOK;
}

static PassNext on_adopted(void *pass, json_t *object, const Error *err) {
  Show *s = pass;
  if (err && err->kind == ERROR_ABORTED)
    return pass_read(&s->pass, CLUSTER_SANDBOX, s->pass.name, on_read);
  return pass_fail(&s->pass, err && err->kind != ERROR_NOT_FOUND ? err : NULL);
}

static PassNext on_detached(void *pass, json_t *object, const Error *err) {
  Show *s = pass;
  return pass_fail(&s->pass, err ? err : &s->why);
}

/* Its object cannot be: the Sandbox is the pool's no longer, all the same. The attempt ends as failed, and is repeated
 * after a pause. */
static PassNext detach(Show *s, const Error *why) {
  Cluster *c = s->pass.c;
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, s->pass.ns, s->pass.name);
  bool is_pools = sandbox && !kube_is_deleting(sandbox) && kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL);
  KUBE_OWNED json_t *patch = is_pools ? claim_detach_patch(sandbox, cluster_anchor(c)) : NULL;
  if (!patch)
    return pass_fail(&s->pass, why);
  s->why = *why;
  return pass_patch(&s->pass, CLUSTER_SANDBOX, s->pass.name, NULL, patch, on_detached);
}

/* The API server will say the same again. */
static bool is_refused(const Error *err) {
  return err->kind == ERROR_PERMISSION_DENIED || err->kind == ERROR_INVALID_ARGUMENT ||
         err->kind == ERROR_FAILED_PRECONDITION;
}

static PassNext on_made(void *pass, json_t *object, const Error *err) {
  Show *s = pass;
  if (err && is_refused(err))
    return detach(s, err);
  return err && err->kind != ERROR_ALREADY_EXISTS ? pass_fail(&s->pass, err) : PASS_LOOK;
}

static json_t *claim_of(const Cluster *c, const SandboxRecord *r) {
  const json_t *pool = state_names_pool(c, r->ns, r->pool);
  json_t *claim =
      json_pack("{s:s,s:s,s:{s:s,s:s},s:{s:{s:s}}}", "apiVersion", EXTENSIONS_V1BETA1, "kind", KIND_CLAIM, "metadata",
                "name", r->id, "namespace", r->ns, "spec", "warmPoolRef", "name", pool ? kube_name(pool) : r->pool);
  kube_set_annotation(claim, ANNOTATION_MIRRORED_UID, r->uid);
  if (!str_empty(r->tenant))
    kube_set_annotation(claim, ANNOTATION_MIRRORED_TENANT, r->tenant);
  kube_set_annotation(claim, ANNOTATION_SANDBOX_NAME, r->id);
  for (size_t i = 0; i < r->n_labels; i++)
    if (str_is_label_key(r->labels[i].key) && str_is_label_value(r->labels[i].value))
      kube_set_label(claim, r->labels[i].key, r->labels[i].value);
  if (r->expire_ms > 0) {
    char at[21];
    kube_format_time(r->expire_ms, at);
    kube_set(claim, "spec.lifecycle.shutdownTime", json_string(at));
    kube_set(claim, "spec.lifecycle.shutdownPolicy", json_string("Delete"));
  }
  return claim;
}

static PassNext show(Show *s, const SandboxRecord *r, const Error *err) {
  Cluster *c = s->pass.c;
  const ClaimMirror *m = s->pass.owner;
  if (err && err->kind != ERROR_NOT_FOUND)
    return pass_fail(&s->pass, err);
  if (err || r->state != SANDBOX_CLAIMED || r->pending || strchr(r->uid, '-') || !m->leads)
    return PASS_DONE;
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, s->pass.ns, s->pass.name),
               *claim = cluster_get(c, CLUSTER_CLAIM, s->pass.ns, s->pass.name);
  if (!sandbox || kube_is_deleting(sandbox) || kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM))
    return PASS_DONE;
  if (!claim) {
    KUBE_OWNED json_t *body = claim_of(c, r);
    return pass_create(&s->pass, CLUSTER_CLAIM, body, MANAGER, on_made);
  }
  if (!str_equal(kube_annotation(claim, ANNOTATION_MIRRORED_UID), r->uid)) {
    Error why;
    error_set(&why, ERROR_ALREADY_EXISTS, "there is another SandboxClaim of this name");
    return detach(s, &why);
  }
  KUBE_OWNED json_t *patch =
      claim_adoption_patch(claim, sandbox, state_names_template(c, s->pass.ns, r->template_name));
  return pass_patch(&s->pass, CLUSTER_SANDBOX, s->pass.name, NULL, patch, on_adopted);
}

static void on_record(void *arg, const SandboxRecord *r, const Error *err) {
  Show *s = arg;
  pass_go(&s->pass, show(s, r, err));
}

static PassNext look(void *pass) {
  Show *s = pass;
  state_get(s->pass.c->state, s->pass.ns, s->pass.name, on_record, s);
  return PASS_WAIT;
}

static const ControllerSpec SHOW = {.resource = CLUSTER_N_RESOURCES,
                                    .pass_size = sizeof(Show),
                                    .noun = "sandbox",
                                    .failure = "claim_not_mirrored",
                                    .looks_max = 8,
                                    .look = look};

/* ---- waking ---- */

static void on_names(void *arg, const StateNames *names, const Error *err) {
  ClaimMirror *m = arg;
  for (size_t i = 0; !err && m->leads && i < names->n_names; i++) {
    char ns[STATE_NAME_MAX + 1];
    const char *name = state_name_split(names->names[i], ns);
    if (name)
      controller_add(m->feeds, ns, name);
  }
}

static void on_hint(void *arg, const char *ns, const char *pool) {
  ClaimMirror *m = arg;
  if (!m->leads)
    return;
  if (ns)
    controller_add_after(m->feeds, ns, pool, FEED_MS);
  else
    state_pool_names(m->c->state, "", "", 0, on_names, m);
}

void claim_mirror_lead(ClaimMirror *m, bool leads) {
  m->leads = leads;
  controller_lead(m->feeds, leads);
  controller_lead(m->sandboxes, leads);
  json_object_clear(m->after);
  if (leads)
    on_hint(m, NULL, NULL);
}

ClaimMirror *claim_mirror_new(Cluster *c) {
  ClaimMirror *m = new0(ClaimMirror);
  *m = (ClaimMirror){.c = c, .after = json_object()};
  m->feeds = controller_new(c, &FEED, 4, m);
  m->sandboxes = controller_new(c, &SHOW, 16, m);
  state_on_events(c->state, on_hint, m);
  return m;
}

void claim_mirror_free(ClaimMirror *m) {
  if (!m)
    return;
  controller_free(m->feeds);
  controller_free(m->sandboxes);
  json_decref(m->after);
  free(m);
}
