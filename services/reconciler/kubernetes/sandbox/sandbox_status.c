/* See sandbox_status.h. */
#include "services/reconciler/kubernetes/sandbox/sandbox_status.h"

#include <string.h>

#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/pod/pod.h"
#include "services/reconciler/kubernetes/pod/pod_trouble.h"

/* A Sandbox that is expected to die is looked at no more often than this. */
enum { REQUEUE_MIN_MS = 2000 };

static const char REASON_EXPIRED[] = "SandboxExpired";

static void set_condition(const json_t *sandbox, json_t *conditions, KubeCondition c, const char *now) {
  c.observed_generation = kube_int(sandbox, "metadata.generation", 0);
  kube_condition_set(conditions, &c, now);
}

static void set(const SandboxView *v, json_t *conditions, const char *type, const char *status, const char *reason,
                const char *message) {
  KubeCondition c = {.type = type, .status = status, .reason = reason, .message = message};
  set_condition(v->sandbox, conditions, c, v->now);
}

/* ---- what the view says ---- */

static bool is_pod_unknown(const SandboxView *v) {
  return !v->pod && (v->pod_failed || v->n_owned_pods > 1);
}

/* Of several Pods none is the Sandbox's, whatever the caller handed in. */
static const json_t *pod_of(const SandboxView *v) {
  return v->n_owned_pods > 1 ? NULL : v->pod;
}

static const char *phase_of(const json_t *pod) {
  const char *phase = kube_text(pod, "status.phase");
  return phase ? phase : "";
}

static bool is_pod_in_service(const json_t *pod) {
  return str_equal(phase_of(pod), "Running") && kube_condition_is(kube_get(pod, "status.conditions"), "Ready", "True");
}

/* New reference: ["10.0.0.1", ...], NULL when there are none. */
static json_t *pod_ips(const json_t *pod) {
  json_t *ips = json_array();
  size_t i;
  json_t *entry;
  json_array_foreach(kube_get(pod, "status.podIPs"), i, entry) {
    json_t *ip = json_object_get(entry, "ip");
    if (json_is_string(ip))
      json_array_append(ips, ip);
  }
  if (json_array_size(ips) > 0)
    return ips;
  json_decref(ips);
  return NULL;
}

/* Whether a caller can count on the Service; the Service of a Sandbox that never asked for one counts once it is. */
static bool is_service_required(const SandboxView *v) {
  int wanted = kube_bool(v->sandbox, "spec.service");
  return wanted == -1 ? v->service != NULL : wanted == 1;
}

/* ---- conditions ---- */

static void set_suspended(const SandboxView *v, json_t *conditions) {
  if (!pod_is_suspended(v->sandbox)) {
    set(v, conditions, "Suspended", "False", "NotSuspended", "Sandbox is not suspended");
  } else if (is_pod_unknown(v)) {
    set(v, conditions, "Suspended", "Unknown", "PodStateUnknown",
        "Pod state is unknown. Sandbox suspension cannot be confirmed");
  } else if (pod_of(v)) {
    set(v, conditions, "Suspended", "False", "PodTerminating", "Pod is terminating. Sandbox is suspending");
  } else if (v->unowned_pod) {
    set(v, conditions, "Suspended", "False", "PodNotOwned",
        "Refused to delete pod because it is not owned by this sandbox");
  } else {
    set(v, conditions, "Suspended", "True", "PodTerminated", "Pod has been terminated. Sandbox is suspended");
  }
}

typedef struct Ending {
  const char *phase, *reason, *message;
} Ending;

/* NULL: the Pod has not ended, or there is none. */
static const Ending *ending_of(const json_t *pod) {
  static const Ending ENDINGS[] = {
      {"Succeeded", "PodSucceeded", "Pod completed successfully"},
      {"Failed", "PodFailed", "Pod failed"},
  };
  for (size_t i = 0; i < ARRAY_LEN(ENDINGS); i++) {
    if (str_equal(phase_of(pod), ENDINGS[i].phase))
      return &ENDINGS[i];
  }
  return NULL;
}

static void set_finished(const SandboxView *v, json_t *conditions) {
  const Ending *ending = ending_of(pod_of(v));
  if (ending) {
    set(v, conditions, "Finished", "True", ending->reason, ending->message);
  } else {
    kube_condition_remove(conditions, "Finished");
  }
}

static void set_pod_scheduled(const SandboxView *v, json_t *conditions) {
  const json_t *pod = pod_of(v);
  const json_t *theirs = kube_condition(kube_get(pod, "status.conditions"), "PodScheduled");
  const char *status = kube_text(theirs, "status"), *reason = kube_text(theirs, "reason"),
             *message = kube_text(theirs, "message");
  if (is_pod_unknown(v)) {
    set(v, conditions, "PodScheduled", "Unknown", "PodSchedulingUnknown",
        "Pod state is unknown. Pod scheduling cannot be determined");
  } else if (!pod) {
    kube_condition_remove(conditions, "PodScheduled");
  } else if (!status) {
    set(v, conditions, "PodScheduled", "Unknown", "PodSchedulingUnknown",
        "Pod has not reported a PodScheduled condition yet");
  } else {
    if (str_empty(reason))
      reason = str_equal(status, "True") ? "PodScheduled" : "PodSchedulingUnknown";
    set(v, conditions, "PodScheduled", status, reason, message ? message : "");
  }
}

/* A message has to be UTF-8, and an error may quote bytes of anyone, or be cut inside a character. */
static char *error_message(const char *before, const char *text) {
  char *message = str_printf("%s%s", before, text);
  if (str_is_utf8(message, strlen(message)))
    return message;
  for (char *c = message; *c; c++) {
    if ((unsigned char)*c >= 0x80)
      *c = '?';
  }
  return message;
}

/* What keeps the Pod from running, in brackets; "": nothing, or nobody waits for it. A member of a pool is the pool's,
 * which says it once for all of them. */
static char *trouble_in_brackets(const SandboxView *v) {
  bool is_member = str_equal(kube_text(kube_controller(v->sandbox), "kind"), KIND_POOL);
  CLEANUP(pod_trouble_deinit) PodTrouble t = pod_trouble(is_member ? NULL : pod_of(v));
  if (!t.reason)
    return str_dup("");
  const char *colon = *t.message ? ": " : "";
  return t.container ? str_printf(" (container %s: %s%s%s)", t.container, t.reason, colon, t.message)
                     : str_printf(" (%s%s%s)", t.reason, colon, t.message);
}

static void set_dependencies(const SandboxView *v, json_t *conditions) {
  const json_t *pod = pod_of(v);
  KUBE_OWNED json_t *ips = pod_ips(pod);
  CLEANUP(str_freep) char *why = trouble_in_brackets(v);
  CLEANUP(str_freep) char *phase = str_printf("Pod exists with phase: %s%s", phase_of(pod), why);
  CLEANUP(str_freep) char *unready = str_printf("Pod is Running but not Ready%s", why);
  const char *base = "Pod is Ready";
  if (!pod) {
    base = "Pod does not exist";
  } else if (kube_is_deleting(pod)) {
    base = "Pod is terminating";
  } else if (!str_equal(phase_of(pod), "Running")) {
    base = phase;
  } else if (!is_pod_in_service(pod)) {
    base = unready;
  } else if (!ips) {
    base = "Pod is Ready but has no podIPs yet";
  }
  const char *service = "";
  if (is_service_required(v))
    service = v->service ? "; Service Exists" : "; Service does not exist";
  CLEANUP(str_freep) char *message = str_printf("%s%s", base, service);
  /* whoever is told that it is ready would lose it in a moment */
  bool serves = is_pod_in_service(pod) && !kube_is_deleting(pod);
  bool ready = serves && ips && (v->service || !is_service_required(v));
  set(v, conditions, "Ready", ready ? "True" : "False", ready ? "DependenciesReady" : "DependenciesNotReady", message);
}

static void set_ready(const SandboxView *v, json_t *conditions) {
  const Ending *ending = ending_of(pod_of(v));
  if (v->n_owned_pods > 1) {
    CLEANUP(str_freep)
    char *message = str_printf("multiple Pods (%zu) are controlled by this Sandbox; refusing to choose or create a Pod",
                               v->n_owned_pods);
    set(v, conditions, "Ready", "False", "MultiplePods", message);
  } else if (!str_empty(v->error_text)) {
    CLEANUP(str_freep) char *message = error_message(v->error_is_final ? "" : "Error seen: ", v->error_text);
    set(v, conditions, "Ready", "False", v->error_is_final ? SANDBOX_INVALID : "ReconcilerError", message);
  } else if (pod_is_suspended(v->sandbox)) {
    bool seen = v->pod || v->unowned_pod;
    set(v, conditions, "Ready", "False", "SandboxSuspended", seen ? "Sandbox is suspending" : "Sandbox is suspended");
  } else if (ending) {
    set(v, conditions, "Ready", "False", ending->reason, ending->message);
  } else {
    set_dependencies(v, conditions);
  }
}

/* ---- the status ---- */

/* A value of NULL takes the key away. */
static void put(json_t *status, const char *key, json_t *value) {
  if (value) {
    kube_set(status, key, value);
  } else {
    json_object_del(status, key);
  }
}

static void put_text(json_t *status, const char *key, const char *text) {
  put(status, key, str_empty(text) ? NULL : json_string(text));
}

static void put_service(const SandboxView *v, json_t *status) {
  if (v->service_unknown)
    return;
  const char *name = kube_name(v->sandbox), *namespace = kube_namespace(v->sandbox);
  CLEANUP(str_freep) char *fqdn = str_printf("%s.%s.svc.%s", name, namespace ? namespace : "", v->cluster_domain);
  put_text(status, "service", v->service ? name : NULL);
  put_text(status, "serviceFQDN", v->service ? fqdn : NULL);
}

/* New reference: a status's copy, with a list of conditions; *ret_conditions is borrowed of it. */
static json_t *begin(const json_t *old, json_t **ret_conditions) {
  json_t *status = json_is_object(old) ? json_deep_copy(old) : json_object();
  if (!json_is_array(json_object_get(status, "conditions")))
    kube_set(status, "conditions", json_array());
  *ret_conditions = json_object_get(status, "conditions");
  return status;
}

json_t *sandbox_status_build(const SandboxView *v) {
  json_t *conditions = NULL;
  json_t *status = begin(kube_get(v->sandbox, "status"), &conditions);
  set_suspended(v, conditions);
  set_finished(v, conditions);
  set_pod_scheduled(v, conditions);
  set_ready(v, conditions);
  const json_t *pod = pod_of(v);
  put(status, "podIPs", pod_ips(pod));
  put_text(status, "nodeName", kube_text(pod, "spec.nodeName"));
  if (pod || v->unowned_pod) {
    char hash[9];
    kube_name_hash(kube_name(v->sandbox), hash);
    CLEANUP(str_freep) char *selector = str_printf("%s=%s", LABEL_NAME_HASH, hash);
    put_text(status, "selector", selector);
  }
  put_service(v, status);
  return status;
}

static bool is_node_name_alone(const json_t *patch) {
  return json_object_size(patch) == 1 && json_object_get(patch, "nodeName");
}

json_t *sandbox_status_patch(const json_t *sandbox, const json_t *new_status) {
  KUBE_OWNED json_t *none = json_object();
  const json_t *old = kube_get(sandbox, "status");
  KUBE_OWNED json_t *patch = kube_merge_patch(json_is_object(old) ? old : none, new_status);
  if (!patch)
    return NULL;
  bool ready = kube_condition_is(json_object_get(new_status, "conditions"), "Ready", "True");
  if (is_node_name_alone(patch) && !ready)
    return NULL;
  return json_pack("{s:O}", "status", patch);
}

static void drop_generations(json_t *status) {
  size_t i;
  json_t *condition;
  json_array_foreach(json_object_get(status, "conditions"), i, condition)
      json_object_del(condition, "observedGeneration");
}

bool sandbox_status_is_old_news(const json_t *sandbox, const json_t *new_status) {
  KUBE_OWNED json_t *old = json_deep_copy(kube_get(sandbox, "status"));
  KUBE_OWNED json_t *next = json_deep_copy(new_status);
  drop_generations(old);
  drop_generations(next);
  return old && json_equal(old, next);
}

/* ---- expiry ---- */

SandboxExpiry sandbox_expiry(const json_t *sandbox, int64_t now_ms, int64_t *ret_requeue_ms) {
  int64_t at = kube_parse_time(kube_text(sandbox, "spec.shutdownTime"));
  *ret_requeue_ms = 0;
  if (at < 0)
    return SANDBOX_LIVES;
  if (at > now_ms) {
    *ret_requeue_ms = at - now_ms > REQUEUE_MIN_MS ? at - now_ms : REQUEUE_MIN_MS;
    return SANDBOX_LIVES;
  }
  const json_t *ready = kube_condition(kube_get(sandbox, "status.conditions"), "Ready");
  return str_equal(kube_text(ready, "reason"), REASON_EXPIRED) ? SANDBOX_EXPIRED : SANDBOX_EXPIRES;
}

bool sandbox_expiry_deletes(const json_t *sandbox) {
  return str_equal(kube_text(sandbox, "spec.shutdownPolicy"), "Delete");
}

static void set_expired(const json_t *sandbox, json_t *conditions, const char *now) {
  KubeCondition ready = {
      .type = "Ready", .status = "False", .reason = REASON_EXPIRED, .message = "Sandbox has expired"};
  kube_condition_remove(conditions, "PodScheduled");
  set_condition(sandbox, conditions, ready, now);
}

json_t *sandbox_status_expired(const json_t *sandbox, const json_t *status, const char *now) {
  json_t *conditions = NULL;
  json_t *expired = begin(status ? status : kube_get(sandbox, "status"), &conditions);
  set_expired(sandbox, conditions, now);
  return expired;
}

json_t *sandbox_status_wiped(const json_t *sandbox, const char *now) {
  json_t *conditions = NULL;
  KUBE_OWNED json_t *status = begin(kube_get(sandbox, "status"), &conditions);
  set_expired(sandbox, conditions, now);
  json_t *wiped = json_object();
  json_object_set(wiped, "conditions", json_object_get(status, "conditions"));
  return wiped;
}
