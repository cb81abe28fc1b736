/* See controller.h. */
#include "services/reconciler/kubernetes/cluster/controller.h"

#include <stdio.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"

struct Controller {
  Cluster *c;
  const ControllerSpec *spec;
  KubeQueue *queue;
  void *owner;
};

/* ---- passes ---- */

PassEnd pass_end(const Pass *p) {
  bool failed = p->err.kind != ERROR_NONE;
  return (PassEnd){failed, failed ? p->err.retry_after_ms : p->again_ms};
}

static void end(Pass *p) {
  const ControllerSpec *spec = p->controller->spec;
  KubeTask *task = p->task;
  PassEnd e = spec->end ? spec->end(p) : pass_end(p);
  if (spec->failure && p->err.kind != ERROR_NONE && p->err.kind != ERROR_CANCELLED)
    log_event(LOG_WARN, spec->failure, LOG_STR("namespace", p->ns), LOG_STR(spec->noun, p->name), LOG_ERR(&p->err));
  free(p);
  if (e.failed)
    kube_task_failed(task, e.ms);
  else if (e.ms > 0)
    kube_task_done_again(task, e.ms);
  else
    kube_task_done(task);
}

void pass_go(Pass *p, PassNext next) {
  const ControllerSpec *spec = p->controller->spec;
  while (next == PASS_LOOK) {
    if (++p->looks > spec->looks_max) {
      error_set(&p->err, ERROR_INTERNAL, "no end after %d steps", spec->looks_max);
      next = PASS_DONE;
    } else {
      next = spec->look(p);
    }
  }
  if (next != PASS_WAIT)
    end(p);
}

bool pass_is_cancelled(Pass *p, const Error *err) {
  if (!err || err->kind != ERROR_CANCELLED)
    return false;
  p->err = *err;
  end(p);
  return true;
}

PassNext pass_fail(Pass *p, const Error *err) {
  if (err)
    p->err = *err;
  return PASS_DONE;
}

void pass_again_in(Pass *p, int64_t ms) {
  if (p->again_ms == 0 || ms < p->again_ms)
    p->again_ms = ms;
}

static void work(void *arg, KubeTask *task, const char *ns, const char *name) {
  Controller *k = arg;
  Pass *p = xcalloc(1, k->spec->pass_size);
  *p = (Pass){.controller = k, .c = k->c, .owner = k->owner, .task = task};
  snprintf(p->ns, sizeof p->ns, "%s", ns);
  snprintf(p->name, sizeof p->name, "%s", name);
  pass_go(p, PASS_LOOK);
}

/* ---- what steps ask for ---- */

static void on_answer(void *arg, json_t *object, const Error *err) {
  Pass *p = arg;
  if (!pass_is_cancelled(p, err))
    pass_go(p, p->then(p, object, err));
}

PassNext pass_create(Pass *p, ClusterResource r, const json_t *body, const char *manager, PassFn then) {
  p->then = then;
  cluster_create(p->c, r, p->ns, body, manager, p->haste, on_answer, p);
  return PASS_WAIT;
}

PassNext pass_patch(Pass *p, ClusterResource r, const char *name, const char *sub, const json_t *patch, PassFn then) {
  p->then = then;
  cluster_patch(p->c, r, p->ns, name, sub, patch, p->haste, on_answer, p);
  return PASS_WAIT;
}

PassNext pass_replace(Pass *p, ClusterResource r, const json_t *object, PassFn then) {
  p->then = then;
  cluster_replace(p->c, r, object, p->haste, on_answer, p);
  return PASS_WAIT;
}

PassNext pass_delete(Pass *p, ClusterResource r, const json_t *object, const char *propagation, PassFn then) {
  p->then = then;
  cluster_delete(p->c, r, object, propagation, p->haste, on_answer, p);
  return PASS_WAIT;
}

PassNext pass_read(Pass *p, ClusterResource r, const char *name, PassFn then) {
  p->then = then;
  cluster_read(p->c, r, p->ns, name, on_answer, p);
  return PASS_WAIT;
}

/* ---- waking ---- */

void controller_add(Controller *k, const char *ns, const char *name) {
  if (k->c->synced)
    kube_queue_add(k->queue, ns, name);
}

void controller_add_after(Controller *k, const char *ns, const char *name, int64_t ms) {
  if (k->c->synced)
    kube_queue_add_after(k->queue, ns, name, ms);
}

void controller_add_object(void *k, const json_t *object) {
  controller_add(k, kube_namespace(object), kube_name(object));
}

void controller_hold(Controller *k, const char *ns, const char *name, bool held) {
  if (k)
    kube_queue_hold(k->queue, ns, name, held);
}

void controller_change(Controller *k, ClusterResource r, const json_t *before, const json_t *after) {
  if (k->spec->on_change[r])
    k->spec->on_change[r](k->owner, before, after);
}

void controller_again(Controller *k) {
  if (k->spec->forget)
    k->spec->forget(k->owner);
  if (k->c->synced && k->spec->resource < CLUSTER_N_RESOURCES)
    cluster_each(k->c, k->spec->resource, controller_add_object, k);
}

void controller_lead(Controller *k, bool leads) {
  kube_queue_pause(k->queue, !leads);
  if (leads)
    controller_again(k);
}

Controller *controller_new(Cluster *c, const ControllerSpec *spec, int workers, void *owner) {
  Controller *k = new0(Controller);
  *k = (Controller){.c = c, .spec = spec, .owner = owner};
  k->queue = kube_queue_new(c->loop, workers, work, k);
  kube_queue_pause(k->queue, true);
  return k;
}

void controller_free(Controller *k) {
  if (!k)
    return;
  kube_queue_free(k->queue);
  if (k->spec->free)
    k->spec->free(k->owner);
  free(k);
}

void *controller_owner(const Controller *k) {
  return k->owner;
}
