/* What the reconcile loop asks for about members: made, destroyed, told of; see BackendOps. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_MEMBER_ORDERS_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_MEMBER_ORDERS_H_

#include "services/reconciler/kubernetes/kubernetes_backend_state.h"

int member_orders_create(Backend *base, const BackendSandbox *s, const char *manifest, Error *err);
void member_orders_destroy(Backend *base, const char *ns, const char *id);
void member_orders_observe(Backend *base, void (*fn)(void *arg, const BackendSandbox *sandbox), void *arg);
bool member_orders_exists(Backend *base, const char *ns, const char *id, const char *uid);
/* A Sandbox object changed: whether it has the Pod of a member. */
void member_orders_note_moved(KubernetesBackend *b, const json_t *before, const json_t *after);

#endif
