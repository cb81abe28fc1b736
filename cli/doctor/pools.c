/* Pools that are not full, and why. */
#include "cli/doctor/doctor.h"

#define EXTENSIONS "/apis/extensions.agents.x-k8s.io/v1beta1"
#define AGENTS "/apis/agents.x-k8s.io/v1beta1"
/* A refill of moments ago is no trouble yet. */
#define PATIENCE_MS 30000

typedef struct Why {
  const char *text, *next;
  bool starting;
} Why;

static bool has_template(Doctor *d, const json_t *pool, const char *name) {
  Error err;
  size_t i;
  json_t *t;
  json_t *items = doctor_list(d, EXTENSIONS, "sandboxtemplates", &err);
  json_array_foreach(items, i, t) if (str_equal(kube_name(t), name) &&
                                      str_equal(kube_namespace(t), kube_namespace(pool))) return true;
  return !items; /* unknown: then it is not what we name */
}

/* Why one member is not ready, by its Pod, else by its own condition. */
static Why member_why(Doctor *d, const json_t *member) {
  Error err = {0};
  const char *ns = kube_namespace(member), *pod_name = kube_annotation(member, "agents.x-k8s.io/pod-name");
  const json_t *ready = kube_condition(kube_get(member, "status.conditions"), "Ready");
  const char *reason = kube_text(ready, "reason"), *message = kube_text(ready, "message");
  Why why = {0};
  KUBE_OWNED json_t *pod =
      doctor_get(d, doctor_text(d, "/api/v1/namespaces/%s/pods/%s", ns, pod_name ? pod_name : kube_name(member)), &err);
  if (pod)
    why.text = doctor_pod_why(d, pod, &why.starting, &why.next);
  if (!why.text) {
    why.text = doctor_text(d, "%s: %s", reason ? reason : "no condition yet",
                           message    ? message
                           : err.kind ? err.message
                                      : "");
    why.next = doctor_text(d, "kubectl -n %s describe sandbox %s", ns, kube_name(member));
  }
  int64_t age_ms = doctor_age_ms(d, kube_text(member, "metadata.creationTimestamp"));
  why.starting &= age_ms >= 0 && age_ms < PATIENCE_MS;
  why.text = doctor_text(d, "%s: %s", kube_name(member), why.text);
  return why;
}

/* What the pool itself says, which remembers members that are gone; no text: nothing. */
static Why own_word(Doctor *d, const json_t *pool) {
  const json_t *ready = kube_condition(kube_get(pool, "status.conditions"), "Ready");
  const char *reason = kube_text(ready, "reason"), *message = kube_text(ready, "message");
  bool is_present = kube_int(ready, "observedGeneration", 0) == kube_int(pool, "metadata.generation", 0);
  if (!is_present || !str_equal(kube_text(ready, "status"), "False") || str_equal(reason, "Filling"))
    return (Why){0};
  return (Why){.text = doctor_text(d, "%s: %s", reason, message),
               .next =
                   doctor_text(d, "kubectl -n %s describe sandboxwarmpool %s", kube_namespace(pool), kube_name(pool))};
}

static Why pool_why(Doctor *d, const json_t *pool) {
  Error err = {0};
  Why why = {0};
  size_t i;
  json_t *member;
  const char *template = kube_text(pool, "spec.sandboxTemplateRef.name"), *ns = kube_namespace(pool);
  if (!has_template(d, pool, template))
    return (Why){.text = doctor_text(d, "SandboxTemplate %s/%s does not exist", ns, template ? template : ""),
                 .next = "apply the template, or name another one in the pool's spec.sandboxTemplateRef"};
  json_t *members = doctor_list(d, AGENTS, "sandboxes", &err);
  if (!members)
    return (Why){.text = doctor_text(d, "its members cannot be read: %s", err.message),
                 .next = "see definitions above"};
  json_array_foreach(members, i, member) {
    bool ready = kube_condition_is(kube_get(member, "status.conditions"), "Ready", "True");
    if (why.text || !kube_is_controlled_by(member, kube_uid(pool)) || kube_is_deleting(member) || ready)
      continue;
    why = member_why(d, member);
  }
  /* of one that starts only the pool knows what became of those before it */
  Why own = !why.text || why.starting ? own_word(d, pool) : (Why){0};
  if (own.text || why.text)
    return own.text ? own : why;
  int64_t age_ms = doctor_age_ms(d, kube_text(pool, "metadata.creationTimestamp"));
  return (Why){.text = "nobody has made its sandboxes",
               .starting = age_ms >= 0 && age_ms < PATIENCE_MS,
               .next = doctor_text(d,
                                   "see leader above and whether pools runs: kubectl -n %s get pods; kubectl -n %s "
                                   "describe sandboxwarmpool %s",
                                   d->system_ns, ns, kube_name(pool))};
}

void doctor_pools(Doctor *d) {
  Error err = {0};
  size_t i, n_full = 0;
  json_t *pool;
  json_t *pools = doctor_list(d, EXTENSIONS, "sandboxwarmpools", &err);
  if (!pools && err.kind == ERROR_NOT_FOUND) {
    doctor_report(d, DOCTOR_SKIPPED, NULL, "not looked at: it depends on definitions, see above");
    return;
  }
  if (!pools) {
    doctor_failed(d, "SandboxWarmPools", &err);
    return;
  }
  json_array_foreach(pools, i, pool) {
    int64_t want = kube_int(pool, "spec.replicas", 0), ready = kube_int(pool, "status.readyReplicas", 0);
    if (kube_is_deleting(pool) || ready >= want) {
      n_full++;
      continue;
    }
    Why why = pool_why(d, pool);
    doctor_report(d, why.starting ? DOCTOR_WARNING : DOCTOR_PROBLEM, why.next, "%s has %d of %d ready: %s",
                  doctor_id(d, pool), (int)ready, (int)want, why.text);
  }
  if (!d->reported)
    doctor_report(d, DOCTOR_OK, NULL, n_full ? "all %zu pools are full" : "there are no pools", n_full);
}
