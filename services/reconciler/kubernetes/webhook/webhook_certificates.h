/* The Secret with the webhook's certificates: made, checked, replaced. Pure but for OpenSSL, objects to objects. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_WEBHOOK_WEBHOOK_CERTIFICATES_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_WEBHOOK_WEBHOOK_CERTIFICATES_H_

#include <jansson.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

/* A certificate lives for a year, and is replaced when it has a month left. */
#define WEBHOOK_CERTIFICATE_MS (365LL * 86400 * 1000)
#define WEBHOOK_RENEW_MS (30LL * 86400 * 1000)

typedef struct WebhookNames {
  const char *ns, *service, *cluster_domain;
  const char *ip;   /* a host of webhook-url that is an address; NULL: none */
  const char *host; /* one that is a name; NULL: none */
} WebhookNames;

typedef struct WebhookCertificates {
  Buf ca, cert, key; /* PEM; ca may hold several */
} WebhookCertificates;

void webhook_certificates_deinit(WebhookCertificates *c);
/* New ones; old_ca (NULL: none) stays trusted beside the new CA. */
int webhook_certificates_make(WebhookCertificates *ret, const WebhookNames *names, const char *old_ca, int64_t now_ms,
                              Error *err) MUST_CHECK;
/* Of a Secret. 0; WEBHOOK_CERTIFICATES_OLD: they work and have to be replaced; -1: they cannot be used. */
enum { WEBHOOK_CERTIFICATES_OLD = 1 };
int webhook_certificates_read(WebhookCertificates *ret, const json_t *secret, const WebhookNames *names, int64_t now_ms,
                              Error *err) MUST_CHECK;
/* New reference: the Secret to write; before NULL: a new one. */
json_t *webhook_certificates_secret(const WebhookCertificates *c, const WebhookNames *names, const json_t *before);

#endif
