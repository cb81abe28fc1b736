/* What a pass over a claim leaves behind: its status, two annotations in one write, events, metrics. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/claim/claim_lookup.h"
#include "services/reconciler/kubernetes/claim/claim_pass.h"
#include "services/reconciler/kubernetes/claim/claim_status.h"
#include "services/reconciler/kubernetes/cluster/event_recorder.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/reconciler_metrics.h"

void claim_report_event(ClaimPass *p, const json_t *claim, const char *reason, const char *action, const char *note) {
  if (p->pass.c->config->disable_claim_events)
    return;
  event_record(p->pass.c, &(EventNote){.about = claim,
                                       .api_version = EXTENSIONS_V1BETA1,
                                       .kind = KIND_CLAIM,
                                       .reason = reason,
                                       .action = action,
                                       .note = note,
                                       .controller = CLAIM_MANAGER});
}

void claim_report_got(ClaimPass *p, const char *sandbox_name, bool warm, bool ready) {
  snprintf(p->got, sizeof p->got, "%s", sandbox_name);
  p->got_warm = warm;
  p->got_ready = ready;
}

void claim_report_tell(ClaimPass *p) {
  const json_t *claim = claim_pass_claim(p);
  if (!*p->got || !claim || p->err.kind == ERROR_CANCELLED)
    return;
  bool warm = p->got_warm;
  CLEANUP(str_freep)
  char *note = str_printf(warm ? "Adopted warm pool Sandbox \"%s\"" : "Created Sandbox \"%s\"", p->got);
  claim_report_event(p, claim, warm ? "SandboxAdopted" : "SandboxProvisioned", warm ? "Adoption" : "Provisioning",
                     note);
  if (!warm && *p->why_cold) {
    CLEANUP(str_freep)
    char *why = str_printf("No warm Sandbox was taken, as the claim has environment variables: %s", p->why_cold);
    claim_report_event(p, claim, "SandboxStartedCold", "Provisioning", why);
  }
  CLEANUP(str_freep) char *template_name = claim_lookup_template_name(p->pass.c, claim);
  const char *created_by = kube_label(claim, LABEL_CREATED_BY);
  const MetricLabels labels = {{
      p->pass.ns,
      template_name ? template_name : "__unknown__",
      warm ? "warm" : "cold",
      kube_text(claim, "spec.warmPoolRef.name"),
      p->got_ready ? "ready" : "not_ready",
      str_empty(created_by) ? "unknown" : created_by,
  }};
  metrics_add_labels(p->pass.c->metrics, RECONCILER_METRIC_CLAIMS, 1, &labels);
}

/* RFC 3339 with nanoseconds, as the reference stamps. */
static void nano_time(char out[40]) {
  struct timespec now;
  struct tm tm;
  clock_gettime(CLOCK_REALTIME, &now);
  gmtime_r(&now.tv_sec, &tm);
  size_t n = strftime(out, 40, "%Y-%m-%dT%H:%M:%S", &tm);
  snprintf(out + n, 40 - n, ".%09ldZ", now.tv_nsec);
}

/* ---- metrics ---- */

static void observe_since(Metrics *m, size_t metric, const char *since, const char *launch_type,
                          const char *template_name) {
  int64_t at_ms = kube_parse_time(since), took_ms = clock_wall_ms() - at_ms;
  if (at_ms > 0 && took_ms >= 0)
    metrics_observe(m, metric, (double)took_ms, launch_type, template_name, NULL);
}

static void count_first_ready(ClaimPass *p, const json_t *claim, const json_t *sandbox, const char *first_seen) {
  Metrics *m = p->pass.c->metrics;
  const char *launch = kube_label(sandbox, LABEL_LAUNCH_TYPE),
             *template_name = kube_annotation(sandbox, ANNOTATION_TEMPLATE_REF);
  launch = launch ? launch : "unknown";
  template_name = template_name ? template_name : "__unknown__";
  observe_since(m, RECONCILER_METRIC_CLAIM_STARTUP, kube_annotation(claim, ANNOTATION_WEBHOOK_OBSERVED), launch,
                template_name);
  observe_since(m, RECONCILER_METRIC_CLAIM_CONTROLLER_STARTUP, first_seen, launch, template_name);
  observe_since(m, RECONCILER_METRIC_CLIENT_CLAIM_STARTUP, kube_annotation(claim, ANNOTATION_CLIENT_REQUESTED), launch,
                template_name);
  const json_t *ready = kube_condition(kube_get(sandbox, "status.conditions"), "Ready");
  int64_t made_ms = kube_parse_time(kube_text(sandbox, "metadata.creationTimestamp")),
          ready_ms = kube_parse_time(kube_text(ready, "lastTransitionTime"));
  if (made_ms > 0 && ready_ms >= made_ms)
    metrics_observe(m, RECONCILER_METRIC_CREATION, (double)(ready_ms - made_ms), kube_namespace(sandbox), launch,
                    template_name);
}

/* ---- annotations: after Ready, in one write ---- */

static PassNext on_stamped(void *pass, json_t *object, const Error *err) {
  ClaimPass *p = pass;
  if (err && err->kind != ERROR_NOT_FOUND && p->reject == CLAIM_ACCEPTED)
    claim_pass_reject(p, CLAIM_FAILED, err);
  return PASS_DONE;
}

static const char *first_seen(ClaimPass *p, const json_t *claim) {
  const char *stamped = kube_annotation(claim, ANNOTATION_CONTROLLER_OBSERVED), *uid = kube_uid(claim);
  if (!str_empty(stamped))
    return stamped;
  if (!json_object_get(claim_pass_owner(p)->seen, uid)) {
    char now[40];
    nano_time(now);
    json_object_set_new(claim_pass_owner(p)->seen, uid, json_string(now));
  }
  return json_string_value(json_object_get(claim_pass_owner(p)->seen, uid));
}

/* And since when it is known; the legacy label says the same as the annotation. */
json_t *claim_report_assignment(ClaimPass *p, const json_t *claim, const char *sandbox_name) {
  json_t *patch = json_object();
  if (!str_equal(kube_annotation(claim, ANNOTATION_SANDBOX_NAME), sandbox_name))
    kube_set_annotation(patch, ANNOTATION_SANDBOX_NAME, sandbox_name);
  if (kube_label(claim, ANNOTATION_SANDBOX_NAME))
    kube_set(patch, "metadata.labels", json_pack("{s:n}", ANNOTATION_SANDBOX_NAME));
  if (json_object_size(patch) == 0) {
    json_decref(patch);
    return NULL;
  }
  bool observes = !p->pass.c->config->disable_claim_observability;
  if (observes && str_empty(kube_annotation(claim, ANNOTATION_CONTROLLER_OBSERVED)))
    kube_set_annotation(patch, ANNOTATION_CONTROLLER_OBSERVED, first_seen(p, claim));
  return patch;
}

static PassNext assign(ClaimPass *p, const json_t *claim, const json_t *sandbox, PassFn then) {
  KUBE_OWNED json_t *patch = claim_report_assignment(p, claim, kube_name(sandbox));
  return patch ? pass_patch(&p->pass, CLUSTER_CLAIM, p->pass.name, NULL, patch, then) : then(p, NULL, NULL);
}

static PassNext stamp(ClaimPass *p, const json_t *claim, const json_t *sandbox, bool is_first) {
  KUBE_OWNED json_t *patch = json_object();
  const char *seen = first_seen(p, claim);
  bool observes = !p->pass.c->config->disable_claim_observability;
  if (is_first)
    count_first_ready(p, claim, sandbox, seen);
  if (observes && str_empty(kube_annotation(claim, ANNOTATION_CONTROLLER_OBSERVED)))
    kube_set_annotation(patch, ANNOTATION_CONTROLLER_OBSERVED, seen);
  if (observes && str_empty(kube_annotation(claim, ANNOTATION_FIRST_READY))) {
    char now[40];
    nano_time(now);
    /* Ready before we came to know of it: the moment is lost */
    kube_set_annotation(patch, ANNOTATION_FIRST_READY, is_first ? now : "unknown");
  }
  if (json_object_size(patch) == 0)
    return PASS_DONE;
  p->pass.haste = CLUSTER_PATIENT;
  return pass_patch(&p->pass, CLUSTER_CLAIM, p->pass.name, NULL, patch, on_stamped);
}

/* ---- status ---- */

static PassNext after_status(ClaimPass *p) {
  const json_t *claim = claim_pass_claim(p);
  const json_t *sandbox = claim ? claim_lookup_sandbox(p->pass.c, claim) : NULL;
  if (!sandbox || p->expired || kube_is_deleting(claim))
    return PASS_DONE;
  /* made through gRPC: it has the Sandbox's name from the beginning, and its times are not the objects' */
  if (claim_is_shown(claim))
    return PASS_DONE;
  if (kube_condition_is(kube_get(claim, "status.conditions"), "Ready", "True"))
    return stamp(p, claim, sandbox, !p->was_ready);
  /* while its Pod starts nobody waits for this, and Ready need not wait for it later */
  return p->reject == CLAIM_ACCEPTED ? assign(p, claim, sandbox, on_stamped) : PASS_DONE;
}

static PassNext on_status(void *pass, json_t *object, const Error *err) {
  ClaimPass *p = pass;
  if (!err)
    return after_status(p);
  /* a conflict: whoever wrote meanwhile has woken us, or the copy will; no longer there: nothing to say */
  if (err->kind == ERROR_ABORTED)
    pass_again_in(&p->pass, 1000);
  else if (err->kind != ERROR_NOT_FOUND)
    claim_pass_reject(p, CLAIM_FAILED, err);
  return PASS_DONE;
}

static PassNext on_assigned(void *pass, json_t *object, const Error *err) {
  ClaimPass *p = pass;
  if (!err || err->kind == ERROR_NOT_FOUND)
    return PASS_LOOK;
  /* what the status says stays: nothing is wrong with the Sandbox */
  claim_pass_reject(p, CLAIM_FAILED, err);
  return PASS_DONE;
}

/* Whether the status would say Ready and the claim does not name its Sandbox yet: that comes first. */
static bool lacks_assignment(const json_t *claim, const json_t *sandbox, const json_t *status) {
  return sandbox && !claim_is_shown(claim) &&
         kube_condition_is(json_object_get(status, "conditions"), "Ready", "True") &&
         !str_equal(kube_annotation(claim, ANNOTATION_SANDBOX_NAME), kube_name(sandbox));
}

PassNext claim_report(ClaimPass *p, const json_t *claim, const json_t *sandbox) {
  Cluster *c = p->pass.c;
  first_seen(p, claim);
  CLEANUP(str_freep) char *template_name = claim_lookup_template_name(c, claim);
  const char *pool_name = kube_text(claim, "spec.warmPoolRef.name");
  const ClaimView v = {.claim = claim,
                       .sandbox = sandbox,
                       .reject = p->reject,
                       .message = p->err.message,
                       .template_name = template_name ? template_name : "",
                       .pool_name = pool_name ? pool_name : "",
                       .expired = p->expired,
                       .now_ms = clock_wall_ms()};
  KUBE_OWNED json_t *status = claim_status_build(&v);
  if (lacks_assignment(claim, sandbox, status))
    return assign(p, claim, sandbox, on_assigned);
  KUBE_OWNED json_t *patch = claim_status_patch(claim, status);
  p->was_ready = kube_condition_is(kube_get(claim, "status.conditions"), "Ready", "True");
  if (!patch)
    return after_status(p);
  return pass_patch(&p->pass, CLUSTER_CLAIM, p->pass.name, "status", patch, on_status);
}
