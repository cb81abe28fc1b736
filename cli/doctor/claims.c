/* Claims that wait, and sandboxes that nobody holds any more. */
#include "cli/doctor/doctor.h"

#define EXTENSIONS "/apis/extensions.agents.x-k8s.io/v1beta1"
#define AGENTS "/apis/agents.x-k8s.io/v1beta1"
#define PATIENCE_MS 60000
#define EXTENSIONS_GROUP "extensions.agents.x-k8s.io"

typedef struct Next {
  const char *reason;
  DoctorResult result;
  const char *next;
} Next;

/* What a claim's author did is a warning: the installation does as it should. */
static const Next NEXT[] = {
    {"TemplateNotFound", DOCTOR_WARNING, "apply that template, in the claim's own namespace"},
    {"WarmPoolNotFound", DOCTOR_WARNING, "apply that pool, in the claim's own namespace"},
    {"InvalidConfiguration", DOCTOR_WARNING, "correct the field that the message names, in the template or the claim"},
    {"InvalidMetadata", DOCTOR_WARNING, "change the claim's additionalPodMetadata as the message says"},
    {"EnvVarsInjectionRejected", DOCTOR_WARNING, "the template's envVarsInjectionPolicy decides what a claim may set"},
    {"VolumeClaimTemplatesError", DOCTOR_WARNING, "the template's policy decides which volumes a claim may ask for"},
    {"AdoptionConflict", DOCTOR_WARNING, "another object has the name; delete one of the two"},
};

/* They have had their time, and stay as their policy says. */
static bool is_over(const char *reason) {
  return str_equal(reason, "ClaimExpired") || str_equal(reason, "SandboxExpired") || str_equal(reason, "Suspended") ||
         str_equal(reason, "SandboxSuspended");
}

/* reason -> {count, claim, message} */
static void group(Doctor *d, json_t *groups, const json_t *claim) {
  const json_t *ready = kube_condition(kube_get(claim, "status.conditions"), "Ready");
  const char *reason = kube_text(ready, "reason"), *message = kube_text(ready, "message");
  const char *since = kube_text(ready, "lastTransitionTime");
  if (str_equal(kube_text(ready, "status"), "True") || is_over(reason) || kube_is_deleting(claim) ||
      kube_condition_is(kube_get(claim, "status.conditions"), "Finished", "True"))
    return;
  if (doctor_age_ms(d, since ? since : kube_text(claim, "metadata.creationTimestamp")) < PATIENCE_MS)
    return;
  reason = reason ? reason : "NoCondition";
  json_t *of = json_object_get(groups, reason);
  if (!of) {
    of = json_pack("{s:i,s:s,s:s}", "count", 0, "claim", doctor_id(d, claim), "message",
                   message ? message : "no controller has looked at it");
    json_object_set_new(groups, reason, of);
  }
  json_object_set_new(of, "count", json_integer(kube_int(of, "count", 0) + 1));
}

void doctor_claims(Doctor *d) {
  Error err = {0};
  size_t i;
  json_t *claim, *of;
  const char *reason;
  json_t *claims = doctor_list(d, EXTENSIONS, "sandboxclaims", &err);
  if (!claims && err.kind == ERROR_NOT_FOUND) {
    doctor_report(d, DOCTOR_SKIPPED, NULL, "not looked at: it depends on definitions, see above");
    return;
  }
  if (!claims) {
    doctor_failed(d, "SandboxClaims", &err);
    return;
  }
  KUBE_OWNED json_t *groups = json_object();
  json_array_foreach(claims, i, claim) group(d, groups, claim);
  json_object_foreach(groups, reason, of) {
    const Next *known = NULL;
    for (size_t k = 0; k < ARRAY_LEN(NEXT) && !known; k++)
      if (str_equal(NEXT[k].reason, reason))
        known = &NEXT[k];
    int64_t n = kube_int(of, "count", 0);
    doctor_report(d, known ? known->result : DOCTOR_PROBLEM,
                  known ? known->next : "see leader and pools above; kubectl describe sandboxclaim says more",
                  "%d SandboxClaim%s not Ready for more than a minute: %s, for example %s: %s", (int)n,
                  n == 1 ? " is" : "s are", reason, kube_text(of, "claim"), kube_text(of, "message"));
  }
  if (!json_object_size(groups))
    doctor_report(d, DOCTOR_OK, NULL, "none of %zu has waited for more than a minute", json_array_size(claims));
}

/* The garbage collector takes them within seconds; those that stay were given away by hand, or it does not run. */
void doctor_leftovers(Doctor *d) {
  Error err = {0};
  size_t i, n = 0;
  json_t *object;
  const char *example = NULL;
  json_t *sandboxes = doctor_list(d, AGENTS, "sandboxes", &err);
  json_t *claims = sandboxes ? doctor_list(d, EXTENSIONS, "sandboxclaims", &err) : NULL;
  if (!claims) {
    if (err.kind == ERROR_NOT_FOUND)
      doctor_report(d, DOCTOR_SKIPPED, NULL, "not looked at: it depends on definitions, see above");
    else
      doctor_failed(d, "Sandboxes and their claims", &err);
    return;
  }
  KUBE_OWNED json_t *uids = json_object();
  json_array_foreach(claims, i, object) json_object_set_new(uids, kube_uid(object), json_true());
  json_array_foreach(sandboxes, i, object) {
    const char *uid = kube_text(kube_controller(object), "uid");
    bool of_claim = kube_controller_is(object, EXTENSIONS_GROUP, "SandboxClaim");
    if (!of_claim || kube_is_deleting(object) || json_object_get(uids, uid) ||
        doctor_age_ms(d, kube_text(object, "metadata.creationTimestamp")) < PATIENCE_MS)
      continue;
    n++;
    if (!example)
      example = doctor_id(d, object);
  }
  if (n)
    doctor_report(d, DOCTOR_WARNING,
                  "kubectl delete sandbox removes one; see that kube-controller-manager's garbage "
                  "collector runs",
                  "%zu Sandbox%s a claim that is gone, for example %s", n, n == 1 ? " has" : "es have", example);
  else
    doctor_report(d, DOCTOR_OK, NULL, "none of %zu Sandboxes has outlived its claim", json_array_size(sandboxes));
}
