/* See kube_lease.h. Time is judged by our own monotonic clock alone: a lease is free when its record has not
 * changed for as long as it says, since we saw it first. So the clocks of the replicas need not agree. */
#include "lib/kube/kube_lease.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/loop/leadership.h"

struct KubeLease {
  Loop *loop;
  KubeClient *client;
  char *path, *list_path, *name, *ns, *identity;
  Leadership leadership;
  LoopTimer *turn;
  json_t *seen; /* spec as last read */
  int64_t seen_ms;
  bool released, busy, freed;
  void (*done)(void *arg);
  void *done_arg;
};

/* As client-go does: half of the time there is, so that one lost answer does not cost the leadership. */
#define REQUEST_MS (KUBE_LEASE_RENEW_MS / 2)

static void turn(void *arg);

static void ask(KubeLease *l, const char *method, const char *path, const json_t *body, KubeDoneFn fn) {
  l->busy = true;
  const KubeRequest r = {.method = method, .path = path, .body = body, .timeout_ms = REQUEST_MS, .urgent = true};
  kube_request(l->client, &r, fn, l);
}

bool kube_lease_is_held(const KubeLease *l) {
  return leadership_is_held(&l->leadership);
}

static void lease_destroy(KubeLease *l) {
  char *texts[] = {l->path, l->list_path, l->name, l->ns, l->identity};
  for (size_t i = 0; i < ARRAY_LEN(texts); i++)
    free(texts[i]);
  json_decref(l->seen);
  free(l);
}

/* True when the answer is still of interest. */
static bool answered(KubeLease *l) {
  l->busy = false;
  if (!l->freed)
    return true;
  lease_destroy(l);
  return false;
}

static void release_now(KubeLease *l, const json_t *lease);

static void on_written(void *arg, json_t *lease, const Error *err) {
  KubeLease *l = arg;
  if (!answered(l))
    return;
  if (l->released)
    return release_now(l, lease);
  loop_timer_start(l->turn, KUBE_LEASE_RETRY_MS);
  if (!err)
    leadership_grant(&l->leadership, KUBE_LEASE_RENEW_MS);
}

/* metav1.MicroTime */
static void micro_time(char out[32]) {
  struct timespec now;
  struct tm tm;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &tm);
  size_t n = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(out + n, 32 - n, ".%06ldZ", now.tv_nsec / 1000);
}

static void write_lease(KubeLease *l, const json_t *before, const char *holder) {
  KUBE_OWNED json_t *o = before ? json_deep_copy(before) : json_object();
  char now[32];
  micro_time(now);
  bool mine = str_equal(kube_text(before, "spec.holderIdentity"), l->identity);
  kube_set(o, "apiVersion", json_string("coordination.k8s.io/v1"));
  kube_set(o, "kind", json_string("Lease"));
  kube_set(o, "metadata.name", json_string(l->name));
  kube_set(o, "metadata.namespace", json_string(l->ns));
  kube_set(o, "spec.holderIdentity", json_string(holder));
  kube_set(o, "spec.leaseDurationSeconds", json_integer(*holder ? KUBE_LEASE_S : 1));
  kube_set(o, "spec.renewTime", json_string(now));
  if (!mine) {
    kube_set(o, "spec.acquireTime", json_string(now));
    kube_set(o, "spec.leaseTransitions", json_integer(kube_int(before, "spec.leaseTransitions", -1) + 1));
  }
  leadership_ask(&l->leadership);
  /* PUT with the version read: of two that try, one gets a conflict */
  ask(l, before ? "PUT" : "POST", before ? l->path : l->list_path, o, on_written);
}

static bool is_free(KubeLease *l, const json_t *lease) {
  const json_t *spec = json_object_get(lease, "spec");
  const char *holder = kube_text(spec, "holderIdentity");
  if (!json_equal(spec, l->seen)) {
    json_decref(l->seen);
    l->seen = json_deep_copy(spec);
    l->seen_ms = loop_now_ms(l->loop);
  }
  if (str_empty(holder) || str_equal(holder, l->identity))
    return true;
  return loop_now_ms(l->loop) - l->seen_ms >= kube_int(spec, "leaseDurationSeconds", KUBE_LEASE_S) * 1000;
}

static void on_read(void *arg, json_t *lease, const Error *err) {
  KubeLease *l = arg;
  if (!answered(l))
    return;
  if (l->released)
    return release_now(l, lease);
  if (err && err->kind == ERROR_NOT_FOUND)
    return write_lease(l, NULL, l->identity);
  loop_timer_start(l->turn, KUBE_LEASE_RETRY_MS);
  if (err)
    return;
  if (is_free(l, lease))
    return write_lease(l, lease, l->identity);
  leadership_end(&l->leadership);
}

static void turn(void *arg) {
  KubeLease *l = arg;
  if (l->busy || l->released)
    return;
  ask(l, "GET", l->path, NULL, on_read);
}

static void on_released(void *arg, json_t *lease, const Error *err) {
  KubeLease *l = arg;
  if (answered(l))
    l->done(l->done_arg);
}

static void on_read_to_release(void *arg, json_t *lease, const Error *err) {
  KubeLease *l = arg;
  if (answered(l))
    release_now(l, lease);
}

/* lease: as the server has it now; NULL: it could not be read. */
static void release_now(KubeLease *l, const json_t *lease) {
  if (!str_equal(kube_text(lease, "spec.holderIdentity"), l->identity))
    return l->done(l->done_arg);
  KUBE_OWNED json_t *o = json_deep_copy(lease);
  kube_set(o, "spec.holderIdentity", json_string(""));
  kube_set(o, "spec.leaseDurationSeconds", json_integer(1));
  ask(l, "PUT", l->path, o, on_released);
}

void kube_lease_release(KubeLease *l, void (*done)(void *arg), void *arg) {
  bool led = l->leadership.leads;
  l->released = true;
  l->done = done;
  l->done_arg = arg;
  loop_timer_stop(l->turn);
  leadership_end(&l->leadership);
  if (l->busy)
    return; /* its answer goes on */
  if (!led)
    return done(arg);
  ask(l, "GET", l->path, NULL, on_read_to_release);
}

KubeLease *kube_lease_new(Loop *loop, KubeClient *client, const char *ns, const char *name, const char *identity,
                          void (*fn)(void *arg, bool leads), void *arg) {
  KubeLease *l = new0(KubeLease);
  *l = (KubeLease){
      .loop = loop, .client = client, .ns = str_dup(ns), .name = str_dup(name), .identity = str_dup(identity)};
  l->list_path = str_printf("/apis/coordination.k8s.io/v1/namespaces/%s/leases", ns);
  l->path = str_printf("%s/%s", l->list_path, name);
  l->turn = loop_timer_new(loop, turn, l);
  leadership_init(&l->leadership, loop, fn, arg);
  turn(l);
  return l;
}

void kube_lease_free(KubeLease *l) {
  if (!l)
    return;
  loop_timer_free(l->turn);
  leadership_deinit(&l->leadership);
  l->freed = true;
  if (!l->busy)
    lease_destroy(l);
}
