/* Whose turn it is: which of the requests that are asked for may start now, which wait, and which are refused.
 *
 * At most options.max_in_flight run, no more than options.qps a second begin. There are two lanes, each in order: of
 * what somebody waits for, and of what is patient. While there are others, and KUBE_PATIENT_MS longer, only
 * KUBE_PATIENT_BESIDE patient ones run. One that is fenced and may not be written when its turn comes is refused, from
 * the loop. Everything on the loop's thread.
 */
#ifndef SANDPLANE_LIB_KUBE_KUBE_LANES_H_
#define SANDPLANE_LIB_KUBE_KUBE_LANES_H_

#include "lib/kube/kube_client.h"

typedef struct KubeLanes KubeLanes;

/* The part of a request that waits; zero when new, in memory of the caller's until kube_lanes_leave. */
typedef struct KubeTurn {
  struct KubeTurn *next, **at; /* at NULL: in no lane */
  bool is_patient, is_urgent, is_fenced;
} KubeTurn;

typedef struct KubeLaneEvents {
  /* It is this one's turn: it runs from kube_lanes_began on. May come inside kube_lanes_wait. */
  void (*start)(void *arg, KubeTurn *turn);
  /* Its turn has come and it may not start; it has left. Never inside kube_lanes_wait. */
  void (*refuse)(void *arg, KubeTurn *turn);
} KubeLaneEvents;

/* options and events are borrowed for the life of the lanes. */
KubeLanes *kube_lanes_new(Loop *loop, const KubeOptions *options, const KubeLaneEvents *events, void *arg);
/* All turns have left. NULL-safe. */
void kube_lanes_free(KubeLanes *lanes);
/* Nothing starts any more. */
void kube_lanes_close(KubeLanes *lanes);

void kube_lanes_wait(KubeLanes *lanes, KubeTurn *turn);
/* Out of the lane it is in, if any. */
void kube_lanes_leave(KubeLanes *lanes, KubeTurn *turn);
/* One runs, or does no longer: whoever is next starts at kube_lanes_look. */
void kube_lanes_began(KubeLanes *lanes, const KubeTurn *turn);
void kube_lanes_ended(KubeLanes *lanes, const KubeTurn *turn);
void kube_lanes_look(KubeLanes *lanes);
/* One that waits, or is to be refused; NULL: none. */
KubeTurn *kube_lanes_any(const KubeLanes *lanes);

#endif
