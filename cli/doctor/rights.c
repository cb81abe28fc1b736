/* What the reconciler's ServiceAccount may do, against the manifest that gives it its rights.
 *
 * The manifest is in this program, so that the two cannot differ: each right in it is asked for by a
 * SubjectAccessReview. */
#include <string.h>

#include "cli/doctor/doctor.h"
#include "cli/doctor_rbac.h"
#include "lib/yaml/yaml_json.h"

#define ACCOUNT "agent-sandbox-controller"

typedef struct Rights {
  Doctor *d;
  const char *account, *user;
  json_t *missing; /* resource -> verbs */
  int n_asked, n_missing;
  Error err;
  bool failed;
} Rights;

/* The ServiceAccount that the reconciler's Deployment runs as. */
static const char *account_of(Doctor *d) {
  Error err;
  size_t i;
  json_t *deployment;
  json_array_foreach(doctor_list_in(d, "/apis/apps/v1", d->system_ns, "deployments", &err), i, deployment) {
    const char *name = kube_text(deployment, "spec.template.spec.serviceAccountName");
    if (name && str_equal(kube_label(deployment, "app"), "agent-sandbox-controller"))
      return name;
  }
  return ACCOUNT;
}

/* Whether it may; a review that cannot be made ends all. */
static bool may(Rights *r, const char *ns, const char *group, const char *resource, const char *verb,
                const char *name) {
  const char *slash = strchr(resource, '/');
  KUBE_OWNED json_t *attributes = json_pack("{s:s,s:s,s:s%}", "group", group, "verb", verb, "resource", resource,
                                            slash ? (size_t)(slash - resource) : strlen(resource));
  if (slash)
    json_object_set_new(attributes, "subresource", json_string(slash + 1));
  if (ns)
    json_object_set_new(attributes, "namespace", json_string(ns));
  if (name)
    json_object_set_new(attributes, "name", json_string(name));
  KUBE_OWNED json_t *spec = json_pack("{s:s,s:[s,s,s],s:O}", "user", r->user, "groups", "system:serviceaccounts",
                                      doctor_text(r->d, "system:serviceaccounts:%s", r->d->system_ns),
                                      "system:authenticated", "resourceAttributes", attributes);
  KUBE_OWNED json_t *body =
      json_pack("{s:s,s:s,s:O}", "apiVersion", "authorization.k8s.io/v1", "kind", "SubjectAccessReview", "spec", spec);
  KUBE_OWNED json_t *review =
      doctor_send(r->d, "POST", "/apis/authorization.k8s.io/v1/subjectaccessreviews", body, &r->err);
  if (!review) {
    r->failed = true;
    return true;
  }
  r->n_asked++;
  return kube_bool(review, "status.allowed") == 1;
}

static void ask(Rights *r, const char *ns, const char *group, const char *resource, const char *verb,
                const char *name) {
  if (r->failed || may(r, ns, group, resource, verb, name))
    return;
  r->n_missing++;
  const char *slash = strchr(resource, '/');
  int len = slash ? (int)(slash - resource) : (int)strlen(resource);
  const char *key = doctor_text(r->d, "%.*s%s%s%s", len, resource, *group ? "." : "", group, slash ? slash : "");
  const char *verbs = json_string_value(json_object_get(r->missing, key));
  /* one of several names: the verb once */
  if (!verbs || !strstr(verbs, verb))
    json_object_set_new(r->missing, key, json_string(verbs ? doctor_text(r->d, "%s, %s", verbs, verb) : verb));
}

static void ask_rule(Rights *r, const char *ns, const json_t *rule) {
  size_t g, s, v, n;
  json_t *group, *resource, *verb, *name;
  json_t *names = json_object_get(rule, "resourceNames");
  json_array_foreach(json_object_get(rule, "apiGroups"), g, group)
      json_array_foreach(json_object_get(rule, "resources"), s, resource)
          json_array_foreach(json_object_get(rule, "verbs"), v, verb) {
    /* the webhook's: where its CA is told, and its certificate */
    const char *what = json_string_value(resource);
    if (r->d->only_v1beta1 && (str_equal(what, "customresourcedefinitions") || str_equal(what, "secrets")))
      continue;
    const char *texts[] = {json_string_value(group), json_string_value(resource), json_string_value(verb)};
    if (!names)
      ask(r, ns, texts[0], texts[1], texts[2], NULL);
    json_array_foreach(names, n, name) ask(r, ns, texts[0], texts[1], texts[2], json_string_value(name));
  }
}

static void ask_document(Rights *r, const char *text, size_t len) {
  Error err;
  KUBE_OWNED json_t *document = yaml_json_load(text, len, &err);
  size_t i;
  json_t *rule;
  bool local = str_equal(kube_text(document, "kind"), "Role");
  json_array_foreach(json_object_get(document, "rules"), i, rule) ask_rule(r, local ? r->d->system_ns : NULL, rule);
}

static void report_missing(Rights *r) {
  CLEANUP(buf_deinit) Buf list = BUF_INIT(1 << 16);
  const char *resource;
  json_t *verbs;
  bool cut = false;
  json_object_foreach(r->missing, resource, verbs) cut |=
      buf_printf(&list, "%s%s (%s)", list.len ? "; " : "", resource, json_string_value(verbs)) != 0;
  const char *next = "helm upgrade, or kubectl apply -f deploy/manifests/rbac.yaml, gives them";
  if (r->n_missing == r->n_asked)
    doctor_report(r->d, DOCTOR_PROBLEM, next, "%s has none of the %d rights that the reconciler needs", r->user,
                  r->n_asked);
  else
    doctor_report(r->d, DOCTOR_PROBLEM, next, "%s lacks %d of %d rights: %s%s", r->user, r->n_missing, r->n_asked,
                  buf_str(&list), cut ? " ..." : "");
}

void doctor_rights(Doctor *d) {
  const char *account = account_of(d);
  Rights r = {.d = d, .account = account, .user = doctor_text(d, "system:serviceaccount:%s:%s", d->system_ns, account)};
  r.missing = json_object();
  const char *text = (const char *)DOCTOR_RBAC, *end;
  for (; text; text = end ? end + strlen("\n---\n") : NULL) {
    end = strstr(text, "\n---\n");
    ask_document(&r, text, end ? (size_t)(end - text) : strlen(text));
  }
  if (r.failed)
    doctor_failed(d, "the reconciler's rights", &r.err);
  else if (r.n_missing)
    report_missing(&r);
  else
    doctor_report(d, DOCTOR_OK, NULL, "%s has all %d rights that the reconciler needs", r.user, r.n_asked);
  json_decref(r.missing);
}
