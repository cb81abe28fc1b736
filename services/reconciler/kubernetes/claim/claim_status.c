/* See claim_status.h. */
#include "services/reconciler/kubernetes/claim/claim_status.h"

#include <string.h>

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"

/* ---- Ready ---- */

/* malloc'ed. */
static char *reject_message(const ClaimView *view) {
  const char *message = view->message ? view->message : "";
  switch (view->reject) {
  case CLAIM_TEMPLATE_NOT_FOUND:
    return str_printf("SandboxTemplate \"%s\" not found", view->template_name);
  case CLAIM_POOL_NOT_FOUND:
    return str_printf("SandboxWarmPool \"%s\" not found", view->pool_name);
  case CLAIM_ADOPTION_CONFLICT:
    return str_printf("%s; the next pass retries from a converged view", message);
  case CLAIM_CREATE_PENDING:
    return str_dup("Sandbox already created; waiting for cache to converge");
  case CLAIM_NOT_OWNED:
    return str_printf("Claim expired. %s; deletion skipped.", message);
  case CLAIM_FAILED:
    return str_printf("Error seen: %s", message);
  default:
    return str_dup(message);
  }
}

static void set_ready(json_t *conditions, const ClaimView *view, KubeCondition *c) {
  char now[21];
  kube_format_time(view->now_ms, now);
  c->type = "Ready";
  c->observed_generation = kube_int(view->claim, "metadata.generation", 0);
  kube_condition_set(conditions, c, now);
}

static const char *text_or(const json_t *condition, const char *key, const char *otherwise) {
  const char *s = kube_text(condition, key);
  return s ? s : otherwise;
}

/* Of what takes seconds to start where a warm one would have been there, it is said why. malloc'ed. */
static char *their_message(const ClaimView *view, const json_t *theirs) {
  const char *message = text_or(theirs, "message", ""), *why = kube_annotation(view->sandbox, ANNOTATION_COLD_REASON);
  if (str_empty(why) || !str_equal(kube_text(theirs, "reason"), "DependenciesNotReady"))
    return str_dup(message);
  return str_printf("%s (started cold, as the claim has env: %s)", message, why);
}

/* Errors come before all else, then the claim's own end, then what the Sandbox says of itself. */
static void build_ready(json_t *conditions, const ClaimView *view) {
  const json_t *theirs = kube_condition(kube_get(view->sandbox, "status.conditions"), "Ready");
  CLEANUP(str_freep) char *message = reject_message(view);
  CLEANUP(str_freep) char *theirs_message = their_message(view, theirs);
  KubeCondition c = {.status = "False"};
  if (view->reject != CLAIM_ACCEPTED) {
    c.reason = claim_reject_reason(view->reject);
    c.message = message;
  } else if (view->expired) {
    c.reason = "ClaimExpired";
    c.message = "Claim expired. Sandbox cleanup initiated.";
  } else if (!view->sandbox) {
    c.reason = "SandboxMissing";
    c.message = "Sandbox does not exist";
  } else if (str_equal(kube_text(theirs, "reason"), "SandboxExpired")) {
    c.reason = "SandboxExpired";
    c.message = "Underlying Sandbox resource has expired independently of the Claim.";
  } else if (theirs) {
    c.status = text_or(theirs, "status", "Unknown");
    c.reason = text_or(theirs, "reason", "SandboxNotReady");
    c.message = theirs_message;
    c.last_transition_time = kube_text(theirs, "lastTransitionTime");
  } else {
    c.reason = "SandboxNotReady";
    c.message = "Sandbox is not ready";
  }
  set_ready(conditions, view, &c);
}

/* ---- the rest ---- */

static void build_finished(json_t *conditions, const ClaimView *view) {
  if (!view->sandbox && view->expired)
    return;
  kube_condition_remove(conditions, "Finished");
  const json_t *theirs = kube_condition(kube_get(view->sandbox, "status.conditions"), "Finished");
  if (theirs)
    json_array_append_new(conditions, json_deep_copy(theirs));
}

static json_t *sorted_by_type(const json_t *conditions) {
  json_t *out = json_array(), *c;
  size_t i;
  json_array_foreach((json_t *)conditions, i, c) {
    size_t at = 0;
    const char *type = text_or(c, "type", "");
    while (at < json_array_size(out) && strcmp(text_or(json_array_get(out, at), "type", ""), type) <= 0)
      at++;
    json_array_insert(out, at, c);
  }
  return out;
}

/* A name that was once told stays through errors that may pass: its reader has it in use. */
static json_t *build_sandbox(const ClaimView *view) {
  const json_t *old = kube_get(view->claim, "status.sandbox");
  bool lasting = view->reject == CLAIM_ACCEPTED || view->reject == CLAIM_NOT_OWNED;
  if (!view->sandbox)
    return !lasting && json_is_object(old) ? json_deep_copy(old) : json_object();
  json_t *out = json_pack("{s:s}", "name", kube_name(view->sandbox)), *ips = kube_get(view->sandbox, "status.podIPs");
  if (json_array_size(ips) > 0)
    json_object_set_new(out, "podIPs", json_deep_copy(ips));
  return out;
}

json_t *claim_status_build(const ClaimView *view) {
  const json_t *old = kube_get(view->claim, "status");
  json_t *status = json_is_object(old) ? json_deep_copy(old) : json_object();
  const json_t *told = json_object_get(status, "conditions");
  KUBE_OWNED json_t *conditions = json_is_array(told) ? json_deep_copy(told) : json_array();
  build_finished(conditions, view);
  build_ready(conditions, view);
  json_object_set_new(status, "conditions", sorted_by_type(conditions));
  json_object_set_new(status, "sandbox", build_sandbox(view));
  return status;
}

json_t *claim_status_patch(const json_t *claim, const json_t *status) {
  KUBE_OWNED json_t *empty = json_object();
  const json_t *old = kube_get(claim, "status");
  json_t *patch = kube_merge_patch(json_is_object(old) ? old : empty, status);
  if (!patch)
    return NULL;
  const char *version = kube_text(claim, "metadata.resourceVersion");
  return json_pack("{s:{s:s*},s:o}", "metadata", "resourceVersion", version, "status", patch);
}
