/* See fake_cluster.h. */
#include "services/reconciler/kubernetes/testing/fake_cluster.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/kube/kube_status.h"
#include "services/reconciler/reconciler_metrics.h"

/* An answer takes this long, and so does the event that follows. */
enum { ANSWER_MS = 2, EVENT_MS = 1, TURNS = 4 };

typedef struct FakeRequest {
  struct FakeRequest *next;
  FakeCluster *f;
  LoopTimer *timer;
  ClusterResource r;
  const char *verb;
  char *name, *sub;
  json_t *body; /* of a DELETE: the object that is meant */
  KubeDoneFn fn;
  void *arg;
} FakeRequest;

static FakeCluster *of(Cluster *c) {
  return (FakeCluster *)c;
}

/* ---- the server ---- */

json_t *fake_cluster_get(const FakeCluster *f, ClusterResource r, const char *name) {
  CLEANUP(str_freep) char *key = cluster_key(FAKE_NS, name);
  return json_object_get(f->objects[r], key);
}

static void deliver(void *arg) {
  FakeCluster *f = arg;
  while (!f->lags && json_array_size(f->unseen) > 0) {
    KUBE_OWNED json_t *event = json_incref(json_array_get(f->unseen, 0));
    json_array_remove(f->unseen, 0);
    kube_informer_feed(f->c.informers[kube_int(event, "resource", 0)], event);
  }
}

static void watched(FakeCluster *f, ClusterResource r, const char *type, const json_t *object) {
  json_array_append_new(f->unseen,
                        json_pack("{s:i,s:s,s:o}", "resource", (int)r, "type", type, "object", json_deep_copy(object)));
  loop_timer_start(f->watch, EVENT_MS);
}

static void new_version(FakeCluster *f, json_t *object) {
  CLEANUP(str_freep) char *version = str_printf("%ld", ++f->version);
  kube_set(object, "metadata.resourceVersion", json_string(version));
}

static void merge(json_t *target, const json_t *patch) {
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)patch, key, value) {
    if (json_is_null(value)) {
      json_object_del(target, key);
    } else if (json_is_object(value)) {
      if (!json_is_object(json_object_get(target, key)))
        json_object_set_new(target, key, json_object());
      merge(json_object_get(target, key), value);
    } else {
      json_object_set_new(target, key, json_deep_copy(value));
    }
  }
}

static int store(FakeCluster *f, ClusterResource r, json_t *object, const char *type) {
  CLEANUP(str_freep) char *key = cluster_key(FAKE_NS, kube_name(object));
  new_version(f, object);
  json_object_set(f->objects[r], key, object);
  watched(f, r, type, object);
  return 200;
}

/* What follows answers with an HTTP status; *ret: new reference to what is answered. */

static int do_create(FakeCluster *f, ClusterResource r, const json_t *body, json_t **ret) {
  if (fake_cluster_get(f, r, kube_name(body)))
    return 409;
  json_t *object = json_deep_copy(body);
  CLEANUP(str_freep) char *uid = str_printf("uid-%ld", f->version + 1);
  char now[21];
  kube_format_time(clock_wall_ms(), now);
  kube_set(object, "metadata.namespace", json_string(FAKE_NS));
  if (!kube_uid(object))
    kube_set(object, "metadata.uid", json_string(uid));
  if (!kube_text(object, "metadata.creationTimestamp"))
    kube_set(object, "metadata.creationTimestamp", json_string(now));
  kube_set(object, "metadata.generation", json_integer(1));
  *ret = object;
  return store(f, r, object, "ADDED");
}

/* A precondition of a patch or a replacement that does not hold. */
static bool conflicts(const json_t *there, const json_t *body) {
  const char *version = kube_text(body, "metadata.resourceVersion"), *uid = kube_uid(body);
  return (version && !str_equal(version, kube_text(there, "metadata.resourceVersion"))) ||
         (uid && !str_equal(uid, kube_uid(there)));
}

static int do_write(FakeCluster *f, ClusterResource r, const char *name, const char *sub, const json_t *body,
                    bool replaces, json_t **ret) {
  const json_t *there = fake_cluster_get(f, r, name);
  if (!there)
    return 404;
  if (conflicts(there, body))
    return 409;
  json_t *object = replaces ? json_deep_copy(body) : json_deep_copy(there);
  KUBE_OWNED json_t *part = sub ? json_pack("{s:O}", sub, json_object_get(body, sub)) : json_deep_copy(body);
  if (!replaces && !sub)
    json_object_del(part, "status");
  if (!replaces)
    merge(object, part);
  bool is_new_spec = !json_equal(json_object_get(there, "spec"), json_object_get(object, "spec"));
  if (is_new_spec)
    kube_set(object, "metadata.generation", json_integer(kube_int(there, "metadata.generation", 1) + 1));
  *ret = object;
  if (json_equal(there, object))
    return 200;
  return store(f, r, object, "MODIFIED");
}

static int do_delete(FakeCluster *f, ClusterResource r, const json_t *meant, json_t **ret) {
  const json_t *there = fake_cluster_get(f, r, kube_name(meant));
  if (!there)
    return 404;
  if (!str_equal(kube_uid(there), kube_uid(meant)))
    return 409;
  *ret = json_pack("{s:s}", "kind", "Status");
  fake_cluster_remove(f, r, kube_name(meant));
  return 200;
}

static int carry_out(FakeRequest *q, json_t **ret) {
  FakeCluster *f = q->f;
  if (strcmp(q->verb, "create") == 0)
    return do_create(f, q->r, q->body, ret);
  if (strcmp(q->verb, "delete") == 0)
    return do_delete(f, q->r, q->body, ret);
  if (strcmp(q->verb, "read") == 0) {
    *ret = json_deep_copy(fake_cluster_get(f, q->r, q->name));
    return *ret ? 200 : 404;
  }
  return do_write(f, q->r, q->name, q->sub, q->body, strcmp(q->verb, "replace") == 0, ret);
}

/* ---- requests ---- */

static void request_free(FakeRequest *q) {
  for (FakeRequest **at = &q->f->requests; *at; at = &(*at)->next) {
    if (*at == q) {
      *at = q->next;
      break;
    }
  }
  loop_timer_free(q->timer);
  free(q->name);
  free(q->sub);
  json_decref(q->body);
  free(q);
}

/* Takes the request; the object may be NULL. */
static void answer(FakeRequest *q, json_t *object, const Error *err) {
  KubeDoneFn fn = q->fn;
  void *arg = q->arg;
  request_free(q);
  fn(arg, err ? NULL : object, err);
}

static FakeFault fault_of(FakeRequest *q) {
  FakeCluster *f = q->f;
  if (strcmp(q->verb, "read") == 0)
    return FAKE_NO_FAULT;
  if (++f->n_writes == f->fault_at)
    return f->fault;
  return q->r == f->refused && f->refused_verb && strcmp(q->verb, f->refused_verb) == 0 ? FAKE_REFUSED : FAKE_NO_FAULT;
}

static void on_turn(void *arg) {
  FakeRequest *q = arg;
  FakeCluster *f = q->f;
  if (f->dead)
    return;
  KUBE_OWNED json_t *object = NULL;
  FakeFault fault = fault_of(q);
  f->dead = fault == FAKE_DEAD_BEFORE || fault == FAKE_DEAD_AFTER;
  if (fault == FAKE_DEAD_BEFORE)
    return;
  int status = fault == FAKE_REFUSED ? f->status : carry_out(q, &object);
  if (fault == FAKE_DEAD_AFTER)
    return;
  if (fault == FAKE_ANSWER_LOST)
    status = 504;
  if (status == 200)
    return answer(q, object, NULL);
  bool exists = status == 409 && strcmp(q->verb, "create") == 0;
  KUBE_OWNED json_t *body =
      json_pack("{s:s,s:s}", "reason", exists ? "AlreadyExists" : "Conflict", "message", "the fake says no");
  Error err = {0};
  kube_status_error(&err, status, body, q->verb);
  answer(q, NULL, &err);
}

static void ask(Cluster *c, ClusterResource r, const char *verb, const char *name, const char *sub, const json_t *body,
                KubeDoneFn fn, void *arg) {
  FakeRequest *q = new0(FakeRequest);
  *q = (FakeRequest){.next = of(c)->requests,
                     .f = of(c),
                     .r = r,
                     .verb = verb,
                     .name = name ? str_dup(name) : NULL,
                     .sub = sub ? str_dup(sub) : NULL,
                     .body = json_deep_copy(body),
                     .fn = fn,
                     .arg = arg};
  of(c)->requests = q;
  q->timer = loop_timer_new(c->loop, on_turn, q);
  loop_timer_start(q->timer, ANSWER_MS);
}

static void create(Cluster *c, ClusterResource r, const char *ns, const json_t *body, const char *manager,
                   ClusterHaste haste, KubeDoneFn fn, void *arg) {
  ask(c, r, "create", NULL, NULL, body, fn, arg);
}
static void patch(Cluster *c, ClusterResource r, const char *ns, const char *name, const char *sub, const json_t *body,
                  ClusterHaste haste, KubeDoneFn fn, void *arg) {
  ask(c, r, "patch", name, sub, body, fn, arg);
}
static void replace(Cluster *c, ClusterResource r, const json_t *object, ClusterHaste haste, KubeDoneFn fn, void *arg) {
  ask(c, r, "replace", kube_name(object), NULL, object, fn, arg);
}
static void delete (Cluster *c, ClusterResource r, const json_t *object, const char *propagation, ClusterHaste haste,
                    KubeDoneFn fn, void *arg) {
  ask(c, r, "delete", NULL, NULL, object, fn, arg);
}
static void read(Cluster *c, ClusterResource r, const char *ns, const char *name, KubeDoneFn fn, void *arg) {
  ask(c, r, "read", name, NULL, NULL, fn, arg);
}
/* At once: nobody waits for it, and nothing follows from it. */
static void tell(Cluster *c, const char *ns, const json_t *event, KubeDoneFn fn, void *arg) {
  json_array_append_new(of(c)->told, json_string(kube_text(event, "reason")));
  fn(arg, NULL, NULL);
}

static const ClusterApi FAKE = {
    .create = create, .patch = patch, .replace = replace, .delete = delete, .read = read, .tell = tell};

/* ---- others ---- */

void fake_cluster_put(FakeCluster *f, ClusterResource r, json_t *object) {
  KUBE_OWNED json_t *body = object;
  KUBE_OWNED json_t *made = NULL;
  int status = do_create(f, r, body, &made);
  if (status != 200)
    abort();
}

void fake_cluster_change(FakeCluster *f, ClusterResource r, const char *name, const char *sub, json_t *patch_body) {
  KUBE_OWNED json_t *body = patch_body;
  KUBE_OWNED json_t *changed = NULL;
  int status = do_write(f, r, name, sub, body, false, &changed);
  if (status != 200)
    abort();
}

void fake_cluster_remove(FakeCluster *f, ClusterResource r, const char *name) {
  CLEANUP(str_freep) char *key = cluster_key(FAKE_NS, name);
  KUBE_OWNED json_t *object = json_incref(json_object_get(f->objects[r], key));
  json_object_del(f->objects[r], key);
  new_version(f, object);
  watched(f, r, "DELETED", object);
}

/* ---- life ---- */

void fake_cluster_catch_up(FakeCluster *f) {
  f->lags = false;
  deliver(f);
}

static void on_turn_end(void *arg) {
  loop_stop(((FakeCluster *)arg)->loop);
}

/* What is due at once runs by itself, and may add more of the kind. */
static void take_turns(FakeCluster *f) {
  for (int i = 0; i < TURNS; i++) {
    loop_timer_start(f->turn, 0);
    loop_run(f->loop);
  }
}

void fake_cluster_pass(FakeCluster *f, int64_t ms) {
  int64_t end = loop_now_ms(f->loop) + ms;
  do {
    take_turns(f);
  } while (!f->dead && loop_now_ms(f->loop) < end && loop_pass_to_next(f->loop));
}

static void copies_free(Cluster *c) {
  for (ClusterResource r = 0; r < CLUSTER_N_RESOURCES; r++)
    kube_informer_stop(c->informers[r]);
  cluster_deinit(c);
}

static void keep(FakeCluster *f) {
  Cluster *c = &f->c;
  cluster_keep(c);
  c->api = &FAKE;
  c->leads = c->synced = true;
}

void fake_cluster_init(FakeCluster *f) {
  *f = (FakeCluster){.loop = loop_new(), .unseen = json_array(), .told = json_array()};
  loop_hold_time(f->loop);
  f->config = (ReconcilerConfig){.cluster_domain = "cluster.local",
                                 .config_dir = "/nonexistent",
                                 .sandbox_workers = 4,
                                 .claim_workers = 4,
                                 .pool_workers = 4,
                                 .template_workers = 4};
  f->c = (Cluster){
      .loop = f->loop, .config = &f->config, .metrics = metrics_new(RECONCILER_METRICS, RECONCILER_N_METRICS)};
  f->watch = loop_timer_new(f->loop, deliver, f);
  f->turn = loop_timer_new(f->loop, on_turn_end, f);
  for (ClusterResource r = 0; r < CLUSTER_N_RESOURCES; r++)
    f->objects[r] = json_object();
  keep(f);
}

void fake_cluster_disconnect(FakeCluster *f) {
  Error err = {0};
  error_set(&err, ERROR_CANCELLED, "the client is freed");
  f->dead = false;
  while (f->requests) {
    FakeRequest *first = f->requests;
    f->requests = first->next;
    answer(first, NULL, &err);
  }
}

void fake_cluster_restart(FakeCluster *f) {
  Cluster old = f->c;
  copies_free(&f->c);
  json_array_clear(f->unseen);
  f->c = (Cluster){.loop = old.loop, .config = old.config, .metrics = old.metrics, .state = old.state};
  f->c.on_change = old.on_change;
  memcpy(f->c.epoch, old.epoch, sizeof old.epoch);
  f->lags = false;
  keep(f);
  for (ClusterResource r = 0; r < CLUSTER_N_RESOURCES; r++) {
    const char *key;
    json_t *object;
    json_object_foreach(f->objects[r], key, object) watched(f, r, "ADDED", object);
  }
}

void fake_cluster_deinit(FakeCluster *f) {
  copies_free(&f->c);
  for (ClusterResource r = 0; r < CLUSTER_N_RESOURCES; r++)
    json_decref(f->objects[r]);
  json_decref(f->unseen);
  json_decref(f->told);
  metrics_free(f->c.metrics);
  loop_timer_free(f->watch);
  loop_timer_free(f->turn);
  loop_free(f->loop);
}
