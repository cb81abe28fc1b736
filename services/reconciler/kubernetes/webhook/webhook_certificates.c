/* See webhook_certificates.h. Keys and names are the reference controller's: either may find the other's Secret. */
#include "services/reconciler/kubernetes/webhook/webhook_certificates.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/crypto/certificate.h"
#include "lib/kube/kube_object.h"

#define CA_NAME "agent-sandbox-conversion-webhook-ca"
#define SECRET_NAME "agent-sandbox-webhook-certs"
#define PEM_MAX (256 << 10)

void webhook_certificates_deinit(WebhookCertificates *c) {
  if (c->key.data)
    explicit_bzero(c->key.data, c->key.len);
  buf_deinit(&c->ca);
  buf_deinit(&c->cert);
  buf_deinit(&c->key);
}

/* Of several PEM blocks the first: what was in force before, without what was before that. */
static size_t first_block(const char *pem) {
  static const char END[] = "-----END CERTIFICATE-----";
  const char *end = strstr(pem, END);
  return end ? (size_t)(end - pem) + strlen(END) : 0;
}

int webhook_certificates_make(WebhookCertificates *ret, const WebhookNames *n, const char *old_ca, int64_t now_ms,
                              Error *err) {
  CLEANUP(str_freep) char *in_ns = str_printf("%s.%s", n->service, n->ns);
  CLEANUP(str_freep) char *svc = str_printf("%s.svc", in_ns);
  CLEANUP(str_freep) char *full = str_printf("%s.%s", svc, n->cluster_domain);
  const char *dns[] = {n->service, in_ns, svc, full, n->host};
  const char *ips[] = {n->ip};
  CertificateTerms terms = {.common_name = CA_NAME, .now_ms = now_ms, .not_after_ms = now_ms + WEBHOOK_CERTIFICATE_MS};
  CLEANUP(buf_deinit) Buf ca_key = BUF_INIT(PEM_MAX);
  *ret = (WebhookCertificates){BUF_INIT(PEM_MAX), BUF_INIT(PEM_MAX), BUF_INIT(PEM_MAX)};
  int result = certificate_make_ca(&terms, &ret->ca, &ca_key, err);
  /* a common name has at most 64 bytes; clients look at the alternative names alone */
  terms.common_name = strlen(svc) <= 64 ? svc : "webhook";
  terms.dns_names = dns;
  terms.n_dns_names = n->host ? 5 : 4;
  terms.ips = ips;
  terms.n_ips = n->ip ? 1 : 0;
  if (result == 0)
    result = certificate_make_server(buf_str(&ret->ca), buf_str(&ca_key), &terms, &ret->cert, &ret->key, err);
  /* the CA signs nothing further: its key is forgotten here */
  if (ca_key.data)
    explicit_bzero(ca_key.data, ca_key.len);
  if (result == 0 && old_ca)
    result = buf_append(&ret->ca, old_ca, first_block(old_ca)) || buf_append_str(&ret->ca, "\n") ? -1 : 0;
  if (result != 0)
    webhook_certificates_deinit(ret);
  return result;
}

static int decode(const json_t *secret, const char *key, Buf *out, Error *err) {
  const char *text = json_string_value(json_object_get(json_object_get(secret, "data"), key));
  *out = BUF_INIT(PEM_MAX);
  if (!text)
    return error_set(err, ERROR_INVALID_ARGUMENT, "Secret %s has no %s", SECRET_NAME, key);
  if (str_base64_decode(out, text, strlen(text), false) != 0)
    return error_set(err, ERROR_INVALID_ARGUMENT, "Secret %s: %s is not base64", SECRET_NAME, key);
  return 0;
}

int webhook_certificates_read(WebhookCertificates *ret, const json_t *secret, const WebhookNames *n, int64_t now_ms,
                              Error *err) {
  int64_t ends_ms;
  CLEANUP(str_freep) char *svc = str_printf("%s.%s.svc", n->service, n->ns);
  *ret = (WebhookCertificates){0};
  const char *name = n->host ? n->host : svc;
  if (decode(secret, "ca.crt", &ret->ca, err) != 0 || decode(secret, "tls.crt", &ret->cert, err) != 0 ||
      decode(secret, "tls.key", &ret->key, err) != 0 ||
      certificate_check(buf_str(&ret->ca), buf_str(&ret->cert), buf_str(&ret->key), name, now_ms, err) != 0 ||
      certificate_expiry(buf_str(&ret->cert), &ends_ms, err) != 0) {
    webhook_certificates_deinit(ret);
    return -1;
  }
  return ends_ms - now_ms < WEBHOOK_RENEW_MS ? WEBHOOK_CERTIFICATES_OLD : 0;
}

static json_t *encode(const Buf *pem) {
  CLEANUP(buf_deinit) Buf text = BUF_INIT((size_t)PEM_MAX * 2);
  if (str_base64_encode(&text, pem->data, pem->len, false) != 0)
    abort();
  return json_string(buf_str(&text));
}

json_t *webhook_certificates_secret(const WebhookCertificates *c, const WebhookNames *n, const json_t *before) {
  json_t *s = before ? json_deep_copy(before) : json_object();
  kube_set(s, "apiVersion", json_string("v1"));
  kube_set(s, "kind", json_string("Secret"));
  kube_set(s, "metadata.name", json_string(SECRET_NAME));
  kube_set(s, "metadata.namespace", json_string(n->ns));
  if (!before)
    kube_set(s, "type", json_string("Opaque"));
  json_t *data = json_object();
  json_object_set_new(data, "ca.crt", encode(&c->ca));
  json_object_set_new(data, "tls.crt", encode(&c->cert));
  json_object_set_new(data, "tls.key", encode(&c->key));
  json_object_set_new(s, "data", data);
  return s;
}
