/* What keeps a Pod from running, in the words of the scheduler and of kubelet. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POD_POD_TROUBLE_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POD_POD_TROUBLE_H_

#include "lib/kube/kube_object.h"

typedef struct PodTrouble {
  const char *reason;    /* the Pod's; NULL: nothing is said */
  const char *container; /* the Pod's; NULL: no node takes it */
  char *message;         /* owned, not NULL when there is a reason; may be empty */
} PodTrouble;

/* pod: as pod_outside leaves it; NULL: none. To be given to pod_trouble_deinit. */
PodTrouble pod_trouble(const json_t *pod);
void pod_trouble_deinit(PodTrouble *trouble);

#endif
