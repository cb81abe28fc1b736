/* The four custom resources: there, served, stored in the right version, converted. */
#include "cli/doctor/doctor.h"

static const char *const NAMES[] = {"sandboxes.agents.x-k8s.io", "sandboxclaims.extensions.agents.x-k8s.io",
                                    "sandboxtemplates.extensions.agents.x-k8s.io",
                                    "sandboxwarmpools.extensions.agents.x-k8s.io"};

#define OLD "v1alpha1"
#define STORED "v1beta1"
#define APPLY                                                                       \
  "helm upgrade, or kubectl apply --server-side -f deploy/manifests/manifest.yaml " \
  "-f deploy/manifests/extensions.yaml"

static json_t *version_of(const json_t *definition, const char *name) {
  size_t i;
  json_t *v;
  json_array_foreach(kube_get(definition, "spec.versions"), i, v) if (str_equal(kube_text(v, "name"), name)) return v;
  return NULL;
}

static bool report(Doctor *d, const char *next, const char *name, const char *what) {
  doctor_report(d, DOCTOR_PROBLEM, next, "%s %s", name, what);
  return false;
}

static bool check(Doctor *d, const char *name, const json_t *definition) {
  const json_t *conditions = kube_get(definition, "status.conditions");
  if (!kube_condition_is(conditions, "Established", "True")) {
    const char *why = kube_text(kube_condition(conditions, "NamesAccepted"), "message");
    const char *what = doctor_text(d, "is not established: %s", why ? why : "the API server has not taken it up");
    return report(d, doctor_text(d, "kubectl describe crd %s", name), name, what);
  }
  if (kube_bool(version_of(definition, STORED), "served") != 1)
    return report(d, APPLY, name, "does not serve " STORED);
  if (kube_bool(version_of(definition, STORED), "storage") != 1)
    return report(d, APPLY, name, "does not store " STORED ": it is of an older release, or of another controller");
  if (!version_of(definition, OLD))
    return true;
  if (kube_bool(version_of(definition, OLD), "served") != 1)
    return report(d, APPLY, name, "has " OLD " and does not serve it");
  if (!str_equal(kube_text(definition, "spec.conversion.strategy"), "Webhook"))
    return report(d, APPLY, name, "has no conversion webhook: objects of v1alpha1 lose what v1beta1 calls otherwise");
  return true;
}

void doctor_definitions(Doctor *d) {
  size_t good = 0, missing = 0, old = 0;
  const char *absent[ARRAY_LEN(NAMES)];
  for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
    Error err = {0};
    const char *path = doctor_text(d, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/%s", NAMES[i]);
    KUBE_OWNED json_t *definition = doctor_get(d, path, &err);
    if (!definition && err.kind == ERROR_NOT_FOUND) {
      absent[missing++] = NAMES[i];
    } else if (!definition) {
      doctor_failed(d, doctor_text(d, "definition %s", NAMES[i]), &err);
      return; /* what keeps one from being read keeps all */
    } else {
      old += version_of(definition, OLD) != NULL;
      good += check(d, NAMES[i], definition);
    }
  }
  if (missing == ARRAY_LEN(NAMES)) {
    doctor_report(d, DOCTOR_PROBLEM, APPLY, "none of the four custom resources is installed");
    return;
  }
  for (size_t i = 0; i < missing; i++)
    report(d, APPLY, absent[i], "is not installed");
  if (good + missing == ARRAY_LEN(NAMES) && old > 0 && old < good)
    doctor_report(d, DOCTOR_PROBLEM, APPLY, "%zu of the definitions have " OLD " and the others do not", old);
  d->only_v1beta1 = old == 0;
  if (good == ARRAY_LEN(NAMES) && old == good)
    doctor_report(d, DOCTOR_OK, NULL, "all four are established, store " STORED " and are converted by a webhook");
  if (good == ARRAY_LEN(NAMES) && old == 0)
    doctor_report(d, DOCTOR_OK, NULL,
                  "all four are established and have " STORED " alone, so that no webhook is needed");
}
