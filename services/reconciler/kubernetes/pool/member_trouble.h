/* Why a member of a pool is not ready, from its Sandbox and its Pod, as one would read it there oneself.
 *
 * A member that merely takes its time has no trouble.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_MEMBER_TROUBLE_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_POOL_MEMBER_TROUBLE_H_

#include "lib/kube/kube_object.h"

/* How long a member may take to pass its readiness probe before that is worth a word. */
enum { MEMBER_PATIENCE_MS = 30000 };

typedef enum TroubleRank {
  TROUBLE_NONE,
  TROUBLE_UNREADY,     /* its readiness probe fails */
  TROUBLE_CONTAINER,   /* a container does not run, or does not go on running */
  TROUBLE_UNSCHEDULED, /* no node takes its Pod */
  TROUBLE_REFUSED,     /* the API server refuses its Pod, or what else it needs */
} TroubleRank;

typedef struct MemberTrouble {
  TroubleRank rank;
  char reason[64]; /* CamelCase */
  char message[900];
} MemberTrouble;

/* pod: as pod_outside leaves it; NULL: none. unready_ms: for how long it has not been ready. */
void member_trouble(const json_t *sandbox, const json_t *pod, int64_t unready_ms, MemberTrouble *out);

#endif
