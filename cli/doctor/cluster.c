/* The cluster itself: its API server, its clock, and who leads. */
#include "cli/doctor/doctor.h"
#include "lib/kube/kube_lease.h"

/* Tokens and certificates are judged by the API server's clock; the Lease by everybody's own. */
#define SKEW_WARNING_MS 2000
#define SKEW_PROBLEM_MS 30000
#define LEASE "a3317529.agent-sandbox.x-k8s.io"

/* The user that the API server takes us for; NULL: it does not say (before Kubernetes 1.28). */
static const char *who_am_i(Doctor *d) {
  Error err;
  KUBE_OWNED json_t *body =
      json_pack("{s:s,s:s}", "apiVersion", "authentication.k8s.io/v1", "kind", "SelfSubjectReview");
  KUBE_OWNED json_t *review = doctor_send(d, "POST", "/apis/authentication.k8s.io/v1/selfsubjectreviews", body, &err);
  const char *name = kube_text(review, "status.userInfo.username");
  return name ? arena_strdup(d->cli->arena, name) : NULL;
}

void doctor_server(Doctor *d) {
  Error err = {0};
  KUBE_OWNED json_t *version = doctor_get(d, "/version", &err);
  if (!version && err.kind == ERROR_UNAVAILABLE) {
    doctor_report(d, DOCTOR_PROBLEM, "see whether the address in the kubeconfig is right and can be reached from here",
                  "%s: %s", d->config->server, err.message);
    return;
  }
  if (!version) {
    doctor_failed(d, d->config->server, &err);
    return;
  }
  const char *release = kube_text(version, "gitVersion"), *user = who_am_i(d);
  doctor_report(d, DOCTOR_OK, NULL, "%s, Kubernetes %s%s%s", d->config->server,
                release ? release : "of unknown version", user ? ", as " : "", user ? user : "");
}

void doctor_clock(Doctor *d) {
  int64_t skew_ms, away_ms;
  if (!kube_client_skew(d->client, &skew_ms)) {
    doctor_report(d, DOCTOR_SKIPPED, NULL, "the API server does not say what time it has");
    return;
  }
  away_ms = skew_ms < 0 ? -skew_ms : skew_ms;
  DoctorResult result = away_ms > SKEW_PROBLEM_MS   ? DOCTOR_PROBLEM
                        : away_ms > SKEW_WARNING_MS ? DOCTOR_WARNING
                                                    : DOCTOR_OK;
  if (result == DOCTOR_OK)
    doctor_report(d, result, NULL, "this machine and the API server agree");
  else
    doctor_report(d, result, "let both follow a time server: timedatectl set-ntp true",
                  "the API server's clock is %.1f s %s this machine's", (double)away_ms / 1000,
                  skew_ms > 0 ? "before" : "behind");
}

void doctor_leader(Doctor *d) {
  Error err = {0};
  const char *path = doctor_text(d, "/apis/coordination.k8s.io/v1/namespaces/%s/leases/" LEASE, d->system_ns);
  const char *next = doctor_text(d,
                                 "see why no reconciler runs: kubectl -n %s get pods -l "
                                 "app=agent-sandbox-controller",
                                 d->system_ns);
  KUBE_OWNED json_t *lease = doctor_get(d, path, &err);
  if (!lease && err.kind == ERROR_NOT_FOUND) {
    doctor_report(d, DOCTOR_PROBLEM, next, "there is no Lease %s/" LEASE ": no reconciler has ever led", d->system_ns);
    return;
  }
  if (!lease) {
    doctor_failed(d, "the Lease of the reconciler", &err);
    return;
  }
  const char *holder = kube_text(lease, "spec.holderIdentity");
  int64_t age_ms = doctor_age_ms(d, kube_text(lease, "spec.renewTime"));
  int64_t limit_s = kube_int(lease, "spec.leaseDurationSeconds", KUBE_LEASE_S);
  if (str_empty(holder))
    doctor_report(d, DOCTOR_PROBLEM, next, "nobody leads: the last reconciler gave the Lease " LEASE " back");
  else if (age_ms < 0 || age_ms > limit_s * 1000)
    doctor_report(d, DOCTOR_PROBLEM, next, "nobody leads: %s renewed the Lease " LEASE " %.0f s ago, it lasts %d s",
                  holder, (double)age_ms / 1000, (int)limit_s);
  else
    doctor_report(d, DOCTOR_OK, NULL, "%s leads, renewed %.1f s ago", holder, (double)age_ms / 1000);
}
