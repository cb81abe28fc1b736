/* See claim_mirror.h. The history of each pool (state_events) tells which sandboxes changed; a sandbox is looked up
 * again when its time has come, so what happened in between does not matter. */
#include "services/reconciler/kubernetes/mirror/claim_mirror.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/state/state_events.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"
#include "services/reconciler/kubernetes/claim/claim_adoption.h"
#include "services/reconciler/kubernetes/cluster/state_names.h"
#include "services/reconciler/kubernetes/object/well_known.h"

#define MANAGER "sandboxclaim-controller"
#define LIST_PAGE 500
#define FEED_MS 20
#define LOOKS_MAX 8

struct ClaimMirror {
  Cluster *c;
  KubeQueue *feeds;     /* by namespace and pool */
  KubeQueue *sandboxes; /* by namespace and id */
  json_t *after;        /* "namespace/pool" -> newest entry read */
  bool leads;
};

/* ---- reading what changed ---- */

typedef struct Feed {
  ClaimMirror *m;
  KubeTask *task;
  char ns[256], pool[256];
  bool all; /* the history does not reach back: every sandbox of the pool */
} Feed;

static void feed_end(Feed *f, const Error *err) {
  KubeTask *task = f->task;
  bool failed = err && err->kind != ERROR_NOT_FOUND;
  free(f);
  if (failed)
    kube_task_failed(task, 500);
  else
    kube_task_done(task);
}

static void consider(Feed *f, const char *id) {
  kube_queue_add_after(f->m->sandboxes, f->ns, id, MIRROR_AFTER_MS);
}

static void on_listed(void *arg, const SandboxPage *page, const Error *err) {
  Feed *f = arg;
  if (err)
    return feed_end(f, err);
  for (size_t i = 0; i < page->n_records; i++)
    if (page->records[i].state == SANDBOX_CLAIMED)
      consider(f, page->records[i].id);
  if (page->next)
    return state_list(f->m->c->state, f->ns, f->pool, page->next, LIST_PAGE, on_listed, f);
  feed_end(f, NULL);
}

static void on_events(void *arg, const StateEvents *e, const Error *err) {
  Feed *f = arg;
  if (err)
    return feed_end(f, err);
  CLEANUP(str_freep) char *key = cluster_key(f->ns, f->pool);
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
    return state_list(f->m->c->state, f->ns, f->pool, "", LIST_PAGE, on_listed, f);
  if (e->n_events && strcmp(last, e->last_id) != 0)
    return state_events(f->m->c->state, f->ns, f->pool, last, on_events, f);
  feed_end(f, NULL);
}

static void read_feed(void *arg, KubeTask *task, const char *ns, const char *pool) {
  ClaimMirror *m = arg;
  Feed *f = new0(Feed);
  *f = (Feed){.m = m, .task = task};
  snprintf(f->ns, sizeof f->ns, "%s", ns);
  snprintf(f->pool, sizeof f->pool, "%s", pool);
  CLEANUP(str_freep) char *key = cluster_key(ns, pool);
  const char *after = json_string_value(json_object_get(m->after, key));
  f->all = !after;
  state_events(m->c->state, ns, pool, after ? after : "$", on_events, f);
}

/* ---- one claim ---- */

typedef struct Show {
  ClaimMirror *m;
  KubeTask *task;
  char ns[256], id[256];
  int looks;
  Error why; /* it was refused */
} Show;

static void show_end(Show *s, const Error *err) {
  KubeTask *task = s->task;
  if (err && err->kind != ERROR_CANCELLED)
    log_event(LOG_WARN, "claim_not_mirrored", LOG_STR("namespace", s->ns), LOG_STR("sandbox", s->id), LOG_ERR(err));
  uint32_t wait_ms = err ? err->retry_after_ms : 0;
  free(s);
  if (err)
    kube_task_failed(task, wait_ms);
  else
    kube_task_done(task);
}

static void on_record(void *arg, const SandboxRecord *r, const Error *err);

static void look(Show *s) {
  if (++s->looks > LOOKS_MAX) {
    Error err;
    error_set(&err, ERROR_ABORTED, "the Sandbox keeps changing");
    return show_end(s, &err);
  }
  state_get(s->m->c->state, s->ns, s->id, on_record, s);
}

static void on_read(void *arg, json_t *object, const Error *err) {
  Show *s = arg;
  if (err)
    return show_end(s, err->kind == ERROR_NOT_FOUND ? NULL : err);
  kube_informer_put(s->m->c->informers[CLUSTER_SANDBOX], object);
  look(s);
}

static void on_adopted(void *arg, json_t *object, const Error *err) {
  Show *s = arg;
  if (err && err->kind == ERROR_ABORTED)
    return cluster_read(s->m->c, CLUSTER_SANDBOX, s->ns, s->id, on_read, s);
  show_end(s, err && err->kind != ERROR_NOT_FOUND ? err : NULL);
}

static void on_detached(void *arg, json_t *object, const Error *err) {
  Show *s = arg;
  show_end(s, err ? err : &s->why);
}

/* Its object cannot be: the Sandbox is the pool's no longer, all the same. The attempt ends as failed, and is repeated
 * after a pause. */
static void detach(Show *s, const Error *why) {
  Cluster *c = s->m->c;
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, s->ns, s->id);
  bool is_pools = sandbox && !kube_is_deleting(sandbox) && kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL);
  KUBE_OWNED json_t *patch = is_pools ? claim_detach_patch(sandbox, cluster_anchor(c)) : NULL;
  if (!patch)
    return show_end(s, why);
  s->why = *why;
  cluster_patch(c, CLUSTER_SANDBOX, s->ns, s->id, NULL, patch, on_detached, s);
}

/* The API server will say the same again. */
static bool is_refused(const Error *err) {
  return err->kind == ERROR_PERMISSION_DENIED || err->kind == ERROR_INVALID_ARGUMENT ||
         err->kind == ERROR_FAILED_PRECONDITION;
}

static void on_made(void *arg, json_t *object, const Error *err) {
  Show *s = arg;
  if (err && is_refused(err))
    return detach(s, err);
  if (err && err->kind != ERROR_ALREADY_EXISTS)
    return show_end(s, err);
  look(s);
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

static void on_record(void *arg, const SandboxRecord *r, const Error *err) {
  Show *s = arg;
  Cluster *c = s->m->c;
  if (err && err->kind != ERROR_NOT_FOUND)
    return show_end(s, err);
  if (err || r->state != SANDBOX_CLAIMED || r->pending || strchr(r->uid, '-') || !s->m->leads)
    return show_end(s, NULL);
  const json_t *sandbox = cluster_get(c, CLUSTER_SANDBOX, s->ns, s->id),
               *claim = cluster_get(c, CLUSTER_CLAIM, s->ns, s->id);
  if (!sandbox || kube_is_deleting(sandbox) || kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM))
    return show_end(s, NULL);
  if (!claim) {
    KUBE_OWNED json_t *body = claim_of(c, r);
    return cluster_create(c, CLUSTER_CLAIM, s->ns, body, MANAGER, on_made, s);
  }
  if (!str_equal(kube_annotation(claim, ANNOTATION_MIRRORED_UID), r->uid)) {
    Error why;
    error_set(&why, ERROR_ALREADY_EXISTS, "there is another SandboxClaim of this name");
    return detach(s, &why);
  }
  KUBE_OWNED json_t *patch = claim_adoption_patch(claim, sandbox, state_names_template(c, s->ns, r->template_name));
  cluster_patch(c, CLUSTER_SANDBOX, s->ns, s->id, NULL, patch, on_adopted, s);
}

static void show(void *arg, KubeTask *task, const char *ns, const char *id) {
  Show *s = new0(Show);
  *s = (Show){.m = arg, .task = task};
  snprintf(s->ns, sizeof s->ns, "%s", ns);
  snprintf(s->id, sizeof s->id, "%s", id);
  look(s);
}

/* ---- waking ---- */

static void on_names(void *arg, const StateNames *names, const Error *err) {
  ClaimMirror *m = arg;
  for (size_t i = 0; !err && m->leads && i < names->n_names; i++) {
    char ns[STATE_NAME_MAX + 1];
    const char *name = state_name_split(names->names[i], ns);
    if (name)
      kube_queue_add(m->feeds, ns, name);
  }
}

static void on_hint(void *arg, const char *ns, const char *pool) {
  ClaimMirror *m = arg;
  if (!m->leads)
    return;
  if (ns)
    kube_queue_add_after(m->feeds, ns, pool, FEED_MS);
  else
    state_pool_names(m->c->state, "", "", 0, on_names, m);
}

void claim_mirror_lead(ClaimMirror *m, bool leads) {
  m->leads = leads;
  kube_queue_pause(m->feeds, !leads);
  kube_queue_pause(m->sandboxes, !leads);
  json_object_clear(m->after);
  if (leads)
    on_hint(m, NULL, NULL);
}

ClaimMirror *claim_mirror_new(Cluster *c) {
  ClaimMirror *m = new0(ClaimMirror);
  *m = (ClaimMirror){.c = c, .after = json_object()};
  m->feeds = kube_queue_new(c->loop, 4, read_feed, m);
  m->sandboxes = kube_queue_new(c->loop, 16, show, m);
  kube_queue_pause(m->feeds, true);
  kube_queue_pause(m->sandboxes, true);
  state_on_events(c->state, on_hint, m);
  return m;
}

void claim_mirror_free(ClaimMirror *m) {
  if (!m)
    return;
  kube_queue_free(m->feeds);
  kube_queue_free(m->sandboxes);
  json_decref(m->after);
  free(m);
}
