/* Leadership among replicas by a Lease (coordination.k8s.io/v1), in the form that client-go's election writes, so
 * that either can take over from the other: 15 s of lease, renewed each 2 s, given up when 10 s went without.
 */
#ifndef SANDPLANE_LIB_KUBE_KUBE_LEASE_H_
#define SANDPLANE_LIB_KUBE_KUBE_LEASE_H_

#include "lib/kube/kube_client.h"

typedef struct KubeLease KubeLease;

enum { KUBE_LEASE_S = 15, KUBE_LEASE_RENEW_MS = 10000, KUBE_LEASE_RETRY_MS = 2000 };

/* identity: unique name of this process. fn: leadership begins or ends; told of changes only, on the loop. */
KubeLease *kube_lease_new(Loop *loop, KubeClient *client, const char *ns, const char *name, const char *identity,
                          void (*fn)(void *arg, bool leads), void *arg);
/* Whether it is held at this very moment, by the clock: fn is told a little later when the process was stopped
 * meanwhile. */
bool kube_lease_is_held(const KubeLease *lease);
/* Gives it back, so that another need not wait; tells fn that it ended. done comes when the server knows, or has
 * failed. */
void kube_lease_release(KubeLease *lease, void (*done)(void *arg), void *arg);
void kube_lease_free(KubeLease *lease); /* NULL-safe; before the client is freed */

#endif
