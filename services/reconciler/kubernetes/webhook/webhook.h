/* The conversion webhook: its HTTPS server, its certificates, and the four definitions that point to it.
 *
 * The certificates are one Secret that all replicas share: whoever finds none makes them, and whoever finds them near
 * their end replaces them. The CRDs trust the new CA and the old one before any replica serves the new certificate, so
 * that no conversion fails meanwhile. Runs without leadership.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_WEBHOOK_WEBHOOK_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_WEBHOOK_WEBHOOK_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

typedef struct Webhook Webhook;

/* Begins to look after the certificates; serves as soon as it has some. NULL and err: webhook-address or webhook-url is
 * none. */
Webhook *webhook_new(Cluster *c, Error *err);
void webhook_free(Webhook *w); /* NULL-safe; after cluster_disconnect */

#endif
