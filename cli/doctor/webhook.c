/* The conversion webhook: its Secret, whom the definitions trust, and a conversion. */
#include <arpa/inet.h>
#include <string.h>

#include "cli/doctor/doctor.h"
#include "lib/crypto/certificate.h"

#define OLD "extensions.agents.x-k8s.io/v1alpha1"
#define SECRET "agent-sandbox-webhook-certs"
/* The reconciler renews it a month before; a week before its end nobody has. */
#define SOON_MS (7LL * 86400 * 1000)

static const char *const NAMES[] = {"sandboxes.agents.x-k8s.io", "sandboxclaims.extensions.agents.x-k8s.io",
                                    "sandboxtemplates.extensions.agents.x-k8s.io",
                                    "sandboxwarmpools.extensions.agents.x-k8s.io"};

/* A decoded value of the Secret; "" when there is none. */
static const char *decoded(Doctor *d, const char *base64) {
  CLEANUP(buf_deinit) Buf out = BUF_INIT(1 << 20);
  if (!base64 || str_base64_decode(&out, base64, strlen(base64), false) != 0)
    return "";
  return arena_strndup(d->cli->arena, buf_str(&out), out.len);
}

static const char *secret_value(Doctor *d, const json_t *secret, const char *key) {
  return decoded(d, json_string_value(json_object_get(json_object_get(secret, "data"), key)));
}

/* The name that the API server expects in the certificate; NULL: an address, which is not looked at here. */
static const char *expected_name(Doctor *d, const json_t *client) {
  struct in6_addr any;
  const char *url = kube_text(client, "url"), *ns = kube_text(client, "service.namespace");
  if (!url)
    return doctor_text(d, "%s.%s.svc", kube_text(client, "service.name"), ns);
  const char *host = strstr(url, "://");
  if (!host || host[3] == '[')
    return NULL;
  host = arena_strndup(d->cli->arena, host + 3, strcspn(host + 3, ":/"));
  return inet_pton(AF_INET, host, &any) == 1 ? NULL : host;
}

/* Whether the Secret is fit to serve with; client: of a definition, whose name it must carry. */
static bool check_secret(Doctor *d, const json_t *secret, const json_t *client) {
  Error err = {0};
  int64_t end_ms, now_ms = doctor_now_ms(d);
  const char *cert = secret_value(d, secret, "tls.crt"), *ca = secret_value(d, secret, "ca.crt");
  const char *renew = doctor_text(d,
                                  "let the reconciler make a new one: kubectl -n %s delete secret " SECRET
                                  " && kubectl -n %s rollout restart deployment agent-sandbox-controller",
                                  d->system_ns, d->system_ns);
  if (certificate_expiry(cert, &end_ms, &err) != 0) {
    doctor_report(d, DOCTOR_PROBLEM, renew, "Secret %s/" SECRET ": tls.crt: %s", d->system_ns, err.message);
    return false;
  }
  char end[21];
  kube_format_time(end_ms, end);
  if (end_ms <= now_ms) {
    doctor_report(d, DOCTOR_PROBLEM, renew, "Secret %s/" SECRET ": the certificate has expired on %s", d->system_ns,
                  end);
    return false;
  }
  const char *name = expected_name(d, client);
  if (name && certificate_check(ca, cert, secret_value(d, secret, "tls.key"), name, now_ms, &err) != 0) {
    doctor_report(d, DOCTOR_PROBLEM, renew, "Secret %s/" SECRET ": the certificate does not serve for %s: %s",
                  d->system_ns, name, err.message);
    return false;
  }
  if (end_ms - now_ms < SOON_MS)
    doctor_report(d, DOCTOR_WARNING, renew, "Secret %s/" SECRET ": the certificate ends on %s and was not renewed",
                  d->system_ns, end);
  return true;
}

/* The first definition that does not trust the Secret's CA, told; true: all do. */
static bool check_bundle(Doctor *d, const char *name, const json_t *definition, const char *ca) {
  const json_t *client = kube_get(definition, "spec.conversion.webhook.clientConfig");
  const char *next = doctor_text(d,
                                 "the reconciler puts it right within 10 minutes; at once: kubectl -n %s rollout "
                                 "restart "
                                 "deployment agent-sandbox-controller",
                                 d->system_ns);
  const char *bundle = kube_text(client, "caBundle");
  if (str_empty(bundle))
    doctor_report(d, DOCTOR_PROBLEM, next, "%s: caBundle is empty: the API server does not trust the webhook", name);
  else if (strcmp(decoded(d, bundle), ca) != 0)
    doctor_report(d, DOCTOR_PROBLEM, next, "%s: caBundle is not the ca.crt of Secret %s/" SECRET, name, d->system_ns);
  else if (!kube_text(client, "url") && !kube_text(client, "service.name"))
    doctor_report(d, DOCTOR_PROBLEM, next, "%s: the webhook has neither a url nor a service", name);
  else
    return true;
  return false;
}

static bool is_needless(Doctor *d) {
  if (d->only_v1beta1)
    doctor_report(d, DOCTOR_OK, NULL, "not needed: the definitions have v1beta1 alone");
  return d->only_v1beta1;
}

void doctor_certificates(Doctor *d) {
  Error err = {0};
  if (is_needless(d))
    return;
  KUBE_OWNED json_t *secret =
      doctor_get(d, doctor_text(d, "/api/v1/namespaces/%s/secrets/" SECRET, d->system_ns), &err);
  if (!secret && err.kind == ERROR_NOT_FOUND) {
    doctor_report(d, DOCTOR_PROBLEM,
                  "start the reconciler, which makes it; its log names what keeps it from it "
                  "(webhook_not_set_up)",
                  "there is no Secret %s/" SECRET ": the webhook was never set up", d->system_ns);
    return;
  }
  if (!secret) {
    doctor_failed(d, "the webhook's Secret", &err);
    return;
  }
  bool good = true;
  for (size_t i = 0; i < ARRAY_LEN(NAMES); i++) {
    const char *path = doctor_text(d, "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/%s", NAMES[i]);
    KUBE_OWNED json_t *definition = doctor_get(d, path, &err);
    if (!definition) {
      doctor_failed(d, doctor_text(d, "definition %s", NAMES[i]), &err);
      return;
    }
    if (i == 0 && !check_secret(d, secret, kube_get(definition, "spec.conversion.webhook.clientConfig")))
      return;
    good &= check_bundle(d, NAMES[i], definition, secret_value(d, secret, "ca.crt"));
  }
  if (good && d->worst == DOCTOR_OK)
    doctor_report(d, DOCTOR_OK, NULL, "the webhook's certificate is valid, and all four definitions trust its CA");
}

static const char *conversion_next(Doctor *d, const char *message) {
  if (strstr(message, "x509"))
    return "see certificates above; the API server takes a new caBundle up within seconds";
  if (strstr(message, "no endpoints") || strstr(message, "refused"))
    return doctor_text(d, "no reconciler answers: kubectl -n %s get pods,endpoints -l app=agent-sandbox-controller",
                       d->system_ns);
  return doctor_text(d,
                     "see that the control plane reaches port 9443 of the reconciler's Pods: kubectl -n %s logs "
                     "deployment/agent-sandbox-controller",
                     d->system_ns);
}

void doctor_conversion(Doctor *d) {
  Error err = {0};
  if (is_needless(d))
    return;
  const char *ns = d->ns ? d->ns : "default";
  const char *path = doctor_text(d, "/apis/" OLD "/namespaces/%s/sandboxwarmpools?dryRun=All", ns);
  KUBE_OWNED json_t *spec = json_pack("{s:i,s:{s:s}}", "replicas", 0, "sandboxTemplateRef", "name", "none");
  KUBE_OWNED json_t *pool = json_pack("{s:s,s:s,s:{s:s},s:O}", "apiVersion", OLD, "kind", "SandboxWarmPool", "metadata",
                                      "generateName", "sandctl-doctor-", "spec", spec);
  KUBE_OWNED json_t *made = doctor_send(d, "POST", path, pool, &err);
  if (made)
    doctor_report(d, DOCTOR_OK, NULL, "a v1alpha1 object is converted (rehearsed in namespace %s)", ns);
  else if (err.kind == ERROR_UNAVAILABLE || err.kind == ERROR_INVALID_ARGUMENT || err.kind == ERROR_DEADLINE_EXCEEDED)
    doctor_report(d, DOCTOR_PROBLEM, conversion_next(d, err.message), "a v1alpha1 object is not converted: %s",
                  err.message);
  else
    doctor_failed(d, "a rehearsed creation of a v1alpha1 SandboxWarmPool", &err);
}
