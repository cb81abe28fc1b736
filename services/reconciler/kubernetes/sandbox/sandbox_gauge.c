/* See sandbox_gauge.h. */
#include "services/reconciler/kubernetes/sandbox/sandbox_gauge.h"

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pod/pod.h"
#include "services/reconciler/reconciler_metrics.h"

static const char *or_unknown(const char *text) {
  return str_empty(text) ? "unknown" : text;
}

static const char *owner_of(const json_t *sandbox) {
  if (kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM))
    return KIND_CLAIM;
  return kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL) ? KIND_POOL : "None";
}

static void count(void *arg, const json_t *sandbox) {
  Cluster *c = arg;
  const json_t *ready = kube_condition(kube_get(sandbox, "status.conditions"), "Ready");
  bool warm = str_equal(kube_label(sandbox, LABEL_LAUNCH_TYPE), "warm");
  const MetricLabels labels = {{
      kube_namespace(sandbox),
      str_equal(kube_text(ready, "status"), "True") ? "true" : "false",
      str_equal(kube_text(ready, "reason"), "SandboxExpired") ? "true" : "false",
      warm ? "warm" : "cold",
      or_unknown(kube_annotation(sandbox, ANNOTATION_TEMPLATE_REF)),
      owner_of(sandbox),
      or_unknown(kube_label(sandbox, LABEL_CREATED_BY)),
      pod_is_suspended(sandbox) ? "Suspended" : "Running",
  }};
  metrics_add_labels(c->metrics, RECONCILER_METRIC_KUBE_SANDBOXES, 1, &labels);
}

void sandbox_gauge_count(Cluster *c) {
  metrics_clear(c->metrics, RECONCILER_METRIC_KUBE_SANDBOXES);
  cluster_each(c, CLUSTER_SANDBOX, count, c);
}
