/* What a pass over a Sandbox leaves behind: its status, and when its turn is again. See sandbox_pass.h. */
#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_pass.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_status.h"

/* For how long a member that was just made need not say that it is not ready (unready_ms). */
#define UNREADY_MS 3000
#define STARTING_MS 30000

static const char *const STEP_NAMES[] = {"volumes", "pod", "service", "sandbox"};

/* ---- the end ---- */

PassEnd sandbox_report_end(void *pass) {
  SandboxPass *p = pass;
  bool failed = false;
  int64_t again_ms = p->pass.again_ms, wait_ms = 0;
  if (p->pass.err.kind != ERROR_NONE)
    p->failed[STEP_REST] = p->pass.err;
  for (size_t i = 0; i < N_STEPS; i++) {
    const Error *e = &p->failed[i];
    if (e->kind == ERROR_NONE)
      continue;
    failed = true;
    if (e->retry_after_ms > wait_ms)
      wait_ms = e->retry_after_ms;
    if (e->kind != ERROR_CANCELLED && !(p->recalled & 1u << i))
      log_event(LOG_WARN, "sandbox_pass_failed", LOG_STR("namespace", p->pass.ns), LOG_STR("sandbox", p->pass.name),
                LOG_STR("step", STEP_NAMES[i]), LOG_ERR(e));
  }
  const json_t *sandbox = cluster_get(p->pass.c, CLUSTER_SANDBOX, p->pass.ns, p->pass.name);
  int64_t refused_ms = sandbox ? sandbox_refusals_keep(p, sandbox) : 0;
  if (failed && refused_ms > 0 && sandbox_refusals_only(p)) {
    failed = false;
    if (again_ms == 0 || refused_ms < again_ms)
      again_ms = refused_ms;
  }
  json_decref(p->pod_read);
  json_decref(p->service_read);
  json_decref(p->volume_read);
  return (PassEnd){failed, failed ? wait_ms : again_ms};
}

/* ---- status ---- */

static void join_errors(const SandboxPass *p, char *out, size_t size) {
  size_t n = 0;
  out[0] = 0;
  for (size_t i = 0; i < N_STEPS; i++) {
    if (p->failed[i].kind == ERROR_NONE || n >= size)
      continue;
    n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "\n" : "", p->failed[i].message);
  }
}

static bool was_multiple(const json_t *sandbox) {
  return str_equal(kube_text(kube_condition(kube_get(sandbox, "status.conditions"), "Ready"), "reason"),
                   "MultiplePods");
}

static PassNext on_status_written(void *pass, json_t *object, const Error *err) {
  SandboxPass *p = pass;
  if (err && err->kind != ERROR_NOT_FOUND)
    p->failed[STEP_REST] = *err;
  const json_t *sandbox = cluster_get(p->pass.c, CLUSTER_SANDBOX, p->pass.ns, p->pass.name);
  if (sandbox && !err)
    sandbox_events_tell(p, sandbox);
  if (sandbox)
    sandbox_expiry(sandbox, clock_wall_ms(), &p->pass.again_ms);
  if (p->later_ms > 0)
    pass_again_in(&p->pass, p->later_ms);
  if (p->marked)
    p->pass.again_ms = 1;
  return PASS_DONE;
}

/* Its Pod only takes its time: nothing has gone wrong with it that anyone would want to read, and it does not run yet,
 * for of one that does a claim must know (claim_warm.c). */
static bool is_starting(const json_t *status) {
  const json_t *conditions = json_object_get(status, "conditions");
  return str_equal(kube_text(kube_condition(conditions, "Ready"), "reason"), "DependenciesNotReady") &&
         !kube_condition_is(conditions, "PodScheduled", "False") &&
         json_array_size(json_object_get(status, "podIPs")) == 0;
}

/* For how long yet a member of a pool that was just made need not say that it is not ready: with luck the next thing to
 * say is that it is, and a pool of thousands is filled with a write less for each. An API server that is slow because
 * many are being made would otherwise get more to do for it. */
static int64_t unready_ms(const SandboxPass *p, const json_t *sandbox, const json_t *status) {
  if (kube_get(sandbox, "status.conditions") || !kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL))
    return 0;
  for (size_t i = 0; i < N_STEPS; i++)
    if (p->failed[i].kind != ERROR_NONE)
      return 0;
  if (p->multiple || !kube_condition_is(json_object_get(status, "conditions"), "Ready", "False"))
    return 0;
  int64_t age_ms = clock_wall_ms() - kube_parse_time(kube_text(sandbox, "metadata.creationTimestamp"));
  int64_t until_ms = is_starting(status) ? STARTING_MS : UNREADY_MS;
  return age_ms >= 0 && age_ms < until_ms ? until_ms - age_ms : 0;
}

/* For how long yet a status that differs from what was said need not be written; 0: now. */
static int64_t put_off_ms(SandboxPass *p, const json_t *sandbox, const json_t *status) {
  int64_t quiet_ms = sandbox_steps_quiet_ms(p, sandbox);
  if (quiet_ms > 0 && sandbox_status_is_old_news(sandbox, status))
    return quiet_ms;
  return unready_ms(p, sandbox, status);
}

/* Nothing worth a write: the pass is over as well. */
PassNext sandbox_report_status(SandboxPass *p, const json_t *sandbox, const json_t *status) {
  KUBE_OWNED json_t *patch = sandbox_status_patch(sandbox, status);
  int64_t off_ms = patch ? put_off_ms(p, sandbox, status) : 0;
  if (off_ms > 0)
    p->later_ms = off_ms;
  if (!patch || off_ms > 0)
    return on_status_written(p, NULL, NULL);
  p->events = sandbox_events_of(sandbox, status);
  return pass_patch(&p->pass, CLUSTER_SANDBOX, p->pass.name, "status", patch, on_status_written);
}

PassNext sandbox_report(SandboxPass *p, const json_t *sandbox) {
  char now[21], errors[2048];
  kube_format_time(clock_wall_ms(), now);
  join_errors(p, errors, sizeof errors);
  bool ours = p->choice.pod && p->choice.ownership == OWNERSHIP_OURS;
  SandboxView v = {
      .sandbox = sandbox,
      .pod = ours ? p->choice.pod : NULL,
      .unowned_pod = ours ? NULL : p->choice.pod,
      .pod_failed = p->failed[STEP_POD].kind != ERROR_NONE,
      .n_owned_pods = p->choice.n_owned,
      .service = p->service_shown ? sandbox_steps_service_of(p) : NULL,
      .service_unknown = p->multiple || p->failed[STEP_SERVICE].kind != ERROR_NONE,
      .error_text = errors,
      .error_is_final = sandbox_refusals_only(p),
      .cluster_domain = p->pass.c->config->cluster_domain,
      .now = now,
  };
  KUBE_OWNED json_t *status = sandbox_status_build(&v);
  if (p->multiple && !was_multiple(sandbox))
    sandbox_events_record(p, sandbox, true, "MultiplePods",
                          kube_text(kube_condition(json_object_get(status, "conditions"), "Ready"), "message"));
  int64_t again_ms;
  if (sandbox_expiry(sandbox, clock_wall_ms(), &again_ms) != SANDBOX_EXPIRES)
    return sandbox_report_status(p, sandbox, status);
  /* its time came while the pass ran */
  p->marked = true;
  KUBE_OWNED json_t *expired = sandbox_status_expired(sandbox, status, now);
  return sandbox_report_status(p, sandbox, expired);
}
