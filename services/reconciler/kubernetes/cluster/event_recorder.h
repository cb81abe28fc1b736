/* Events (events.k8s.io/v1) about objects: told once, and not told again when that fails. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_EVENT_RECORDER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLUSTER_EVENT_RECORDER_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

typedef struct EventNote {
  const json_t *about;
  const char *api_version, *kind;
  bool warning;
  const char *reason, *action, *note; /* note: at most 1 kB, cut here */
  const char *controller;             /* reportingController */
} EventNote;

void event_record(Cluster *c, const EventNote *note);

#endif
