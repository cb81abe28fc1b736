/* What the objects of members say, told to the reconcile loop: ready, ended, destroyed. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_MEMBER_WATCH_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_MEMBER_WATCH_H_

#include "services/reconciler/kubernetes/kubernetes_backend_state.h"

/* False: its name is none of a pool's. *out points into the object and the two buffers. */
bool member_watch_view(const json_t *sandbox, BackendSandbox *out, char route[80], char pool[STATE_NAME_MAX + 1]);
/* A Sandbox object changed. */
void member_watch_change(KubernetesBackend *b, const json_t *before, const json_t *after);

#endif
