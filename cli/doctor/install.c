/* The installation's own Deployments and Pods, and where its router is. */
#include "cli/doctor/doctor.h"

static bool is_ours(const json_t *object) {
  return str_equal(kube_label(object, "app.kubernetes.io/part-of"), "sandplane") ||
         str_equal(kube_label(object, "app"), "agent-sandbox-controller") ||
         str_equal(kube_label(object, "app"), "sandbox-router");
}

/* ---- workloads ---- */

/* Its containers run. */
static bool is_running(const json_t *pod) {
  size_t i;
  json_t *status;
  json_array_foreach(kube_get(pod, "status.containerStatuses"), i,
                     status) if (!kube_get(status, "state.running")) return false;
  return str_equal(kube_text(pod, "status.phase"), "Running");
}

/* Of several reconcilers one leads; the others may be not ready, by design. Whether one leads is a check of its own. */
static bool is_reconciler(const json_t *object) {
  return str_equal(kube_label(object, "app"), "agent-sandbox-controller");
}

/* A Pod of ours that is not ready; readiness is how a service says that Redis does not answer. */
static void report_pod(Doctor *d, const json_t *pod) {
  bool starting, running = is_running(pod);
  bool over = kube_is_deleting(pod) || str_equal(kube_text(pod, "status.phase"), "Succeeded");
  if (over || (running && is_reconciler(pod)))
    return;
  const char *next, *why = doctor_pod_why(d, pod, &starting, &next);
  if (!why)
    return;
  if (running && !str_equal(kube_label(pod, "app.kubernetes.io/component"), "redis"))
    next = doctor_text(d, "kubectl -n %s logs %s --tail=20 says why; most often Redis does not answer it", d->system_ns,
                       kube_name(pod));
  doctor_report(d, starting ? DOCTOR_WARNING : DOCTOR_PROBLEM, next, "Pod %s: %s", doctor_id(d, pod), why);
}

/* How many of a kind are complete; those that are not are told. */
static int report_kind(Doctor *d, const char *plural, const char *kind, int *ret_all, Error *err) {
  size_t i;
  json_t *object;
  int good = 0;
  json_t *items = doctor_list_in(d, "/apis/apps/v1", d->system_ns, plural, err);
  if (!items)
    return -1;
  json_array_foreach(items, i, object) {
    if (!is_ours(object))
      continue;
    int64_t want = kube_int(object, "spec.replicas", 1), ready = kube_int(object, "status.readyReplicas", 0);
    bool standby = is_reconciler(object) && ready > 0;
    ++*ret_all;
    if (ready >= want || standby) {
      good++;
      continue;
    }
    const char *next = doctor_text(d, "kubectl -n %s describe %s %s", d->system_ns, plural, kube_name(object));
    doctor_report(d, DOCTOR_PROBLEM, next, "%s %s: %d of %d replicas are ready", kind, doctor_id(d, object), (int)ready,
                  (int)want);
  }
  return good;
}

void doctor_workloads(Doctor *d) {
  Error err = {0};
  int all = 0;
  size_t i;
  json_t *pod;
  if (report_kind(d, "deployments", "Deployment", &all, &err) < 0 ||
      report_kind(d, "statefulsets", "StatefulSet", &all, &err) < 0) {
    doctor_failed(d, doctor_text(d, "workloads in namespace %s", d->system_ns), &err);
    return;
  }
  json_t *pods = doctor_list_in(d, "/api/v1", d->system_ns, "pods", &err);
  if (!pods) {
    doctor_failed(d, doctor_text(d, "Pods in namespace %s", d->system_ns), &err);
    return;
  }
  json_array_foreach(pods, i, pod) if (is_ours(pod)) report_pod(d, pod);
  if (!all)
    doctor_report(d, DOCTOR_WARNING,
                  "--system-namespace says where else it is installed; services outside the "
                  "cluster are not seen here",
                  "namespace %s has no Deployment of Sandplane", d->system_ns);
  else if (!d->reported)
    doctor_report(d, DOCTOR_OK, NULL, "all %d Deployments and StatefulSets in %s are ready", all, d->system_ns);
}

/* ---- network ---- */

#define ROUTERS "/api/v1/pods?labelSelector=app%3Dsandbox-router&limit=500"

/* A template of which the default policy lets in nobody but a router in agent-sandbox-system; NULL: none. */
static const json_t *with_default_policy(Doctor *d, Error *err, bool *ret_failed) {
  size_t i;
  json_t *template;
  json_t *items = doctor_list(d, "/apis/extensions.agents.x-k8s.io/v1beta1", "sandboxtemplates", err);
  *ret_failed = !items;
  json_array_foreach(items, i, template) {
    const char *management = kube_text(template, "spec.networkPolicyManagement");
    if (!str_equal(management, "Unmanaged") && !kube_get(template, "spec.networkPolicy"))
      return template;
  }
  return NULL;
}

void doctor_network(Doctor *d) {
  Error err = {0};
  bool failed;
  size_t i;
  json_t *pod;
  const json_t *template = with_default_policy(d, &err, &failed);
  if (failed && err.kind == ERROR_NOT_FOUND) {
    doctor_report(d, DOCTOR_SKIPPED, NULL, "not looked at: it depends on definitions, see above");
    return;
  }
  KUBE_OWNED json_t *routers = failed ? NULL : doctor_get(d, ROUTERS, &err);
  if (!routers) {
    doctor_failed(d, failed ? "SandboxTemplates" : "router Pods of all namespaces", &err);
    return;
  }
  json_array_foreach(json_object_get(routers, "items"), i, pod) {
    if (!template || str_equal(kube_namespace(pod), "agent-sandbox-system"))
      continue;
    doctor_report(d, DOCTOR_WARNING,
                  "move the router to agent-sandbox-system, or give the templates a spec.networkPolicy that lets it in",
                  "router Pod %s: the default policy of templates such as %s lets in routers of agent-sandbox-system "
                  "only; where "
                  "policies are enforced its requests are dropped",
                  doctor_id(d, pod), doctor_id(d, template));
    return;
  }
  bool any = json_array_size(json_object_get(routers, "items")) > 0;
  doctor_report(d, DOCTOR_OK, NULL, "%s",
                any ? "the templates' policies let the router in" : "no router Pod that a policy could keep out");
}
