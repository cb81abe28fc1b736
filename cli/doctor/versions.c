/* Which form of the definitions a cluster needs: with v1alpha1 and a webhook, or v1beta1 alone (crds.v1alpha1=false,
 * and the reference project from v1.0 on).
 *
 * Who writes v1alpha1 is seen by metadata.managedFields, and by the annotation that its conversion leaves; what may
 * still be stored in it by status.storedVersions, with which an API server refuses definitions that lack it.
 */
#include <string.h>

#include "cli/doctor/doctor.h"

static const struct {
  const char *definition, *group, *plural, *kind, *origin;
} KINDS[] = {
    {"sandboxes.agents.x-k8s.io", "/apis/agents.x-k8s.io/v1beta1", "sandboxes", "Sandbox",
     "api.agents.x-k8s.io/v1alpha1-sandbox-state"},
    {"sandboxclaims.extensions.agents.x-k8s.io", "/apis/extensions.agents.x-k8s.io/v1beta1", "sandboxclaims",
     "SandboxClaim", "api.agents.x-k8s.io/v1alpha1-sandboxclaim-state"},
    {"sandboxtemplates.extensions.agents.x-k8s.io", "/apis/extensions.agents.x-k8s.io/v1beta1", "sandboxtemplates",
     "SandboxTemplate", "api.agents.x-k8s.io/v1alpha1-sandboxtemplate-state"},
    {"sandboxwarmpools.extensions.agents.x-k8s.io", "/apis/extensions.agents.x-k8s.io/v1beta1", "sandboxwarmpools",
     "SandboxWarmPool", "api.agents.x-k8s.io/v1alpha1-sandboxwarmpool-state"},
};

typedef struct Users {
  int n;
  const char *kind, *id, *manager; /* of one */
} Users;

static bool ends_with(const char *text, const char *end) {
  size_t n = text ? strlen(text) : 0, m = strlen(end);
  return n >= m && !strcmp(text + n - m, end);
}

/* Who wrote it in v1alpha1; NULL: nobody that can be seen. */
static const char *old_writer(const json_t *object, const char *origin) {
  size_t i;
  json_t *entry;
  json_array_foreach(kube_get(object, "metadata.managedFields"), i,
                     entry) if (ends_with(kube_text(entry, "apiVersion"), "/v1alpha1")) return kube_text(entry,
                                                                                                         "manager");
  return kube_annotation(object, origin) ? "a client of v1alpha1" : NULL;
}

static bool count_users(Doctor *d, Users *users, Error *err) {
  size_t k, i;
  json_t *object;
  for (k = 0; k < ARRAY_LEN(KINDS); k++) {
    json_t *items = doctor_list_in(d, KINDS[k].group, NULL, KINDS[k].plural, err);
    if (!items)
      return doctor_failed(d, KINDS[k].plural, err), false;
    json_array_foreach(items, i, object) {
      const char *manager = old_writer(object, KINDS[k].origin);
      if (!manager)
        continue;
      users->n++;
      users->kind = KINDS[k].kind;
      users->id = doctor_id(d, object);
      users->manager = manager;
    }
  }
  return true;
}

static bool is_stored(const json_t *definition) {
  size_t i;
  json_t *version;
  json_array_foreach(kube_get(definition, "status.storedVersions"), i,
                     version) if (str_equal(json_string_value(version), "v1alpha1")) return true;
  return false;
}

/* Definitions of which old objects may lie in v1alpha1: a newcomer with v1beta1 alone is refused because of them. */
static bool report_stored(Doctor *d, bool *ret_any) {
  *ret_any = false;
  for (size_t k = 0; k < ARRAY_LEN(KINDS); k++) {
    Error err = {0};
    const char *path =
        doctor_text(d, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/%s", KINDS[k].definition);
    KUBE_OWNED json_t *definition = doctor_get(d, path, &err);
    if (!definition)
      return doctor_failed(d, doctor_text(d, "definition %s", KINDS[k].definition), &err), false;
    if (!is_stored(definition))
      continue;
    *ret_any = true;
    doctor_report(d, DOCTOR_WARNING,
                  doctor_text(d,
                              "write them anew and say so: kubectl get %s -A -o json | kubectl replace -f - && kubectl "
                              "patch crd %s --subresource=status --type=merge -p "
                              "'{\"status\":{\"storedVersions\":[\"v1beta1\"]}}'",
                              KINDS[k].plural, KINDS[k].definition),
                  "%s: objects may still be stored in v1alpha1, so that definitions without it are refused",
                  KINDS[k].definition);
  }
  return true;
}

void doctor_versions(Doctor *d) {
  Error err = {0};
  Users users = {0};
  bool stored;
  if (!count_users(d, &users, &err) || !report_stored(d, &stored))
    return;
  const char *one = users.n ? doctor_text(d, "%s %s by %s", users.kind, users.id, users.manager) : "";
  if (users.n && d->only_v1beta1)
    doctor_report(d, DOCTOR_WARNING,
                  "let its writers use v1beta1, or serve v1alpha1 again: helm upgrade --set crds.v1alpha1=true",
                  "v1alpha1 is not served; objects that were written in it: %d, such as %s", users.n, one);
  else if (users.n)
    doctor_report(d, DOCTOR_OK, NULL, "v1alpha1 is needed; objects that were written in it: %d, such as %s", users.n,
                  one);
  else if (d->only_v1beta1)
    doctor_report(d, DOCTOR_OK, NULL, "v1beta1 alone is served, and nobody has written v1alpha1");
  else if (!stored)
    doctor_report(d, DOCTOR_OK, NULL, "nobody has written v1alpha1: crds.v1alpha1=false would do as well");
}
