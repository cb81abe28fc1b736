/* What the files of the backend share of it. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_KUBERNETES_BACKEND_STATE_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_KUBERNETES_BACKEND_STATE_H_

#include "services/reconciler/kubernetes/claim/claim_controller.h"
#include "services/reconciler/kubernetes/cluster/runtime_binder.h"
#include "services/reconciler/kubernetes/mirror/claim_mirror.h"
#include "services/reconciler/kubernetes/pool/pool_controller.h"
#include "services/reconciler/kubernetes/sandbox/address_book.h"
#include "services/reconciler/kubernetes/sandbox/sandbox_controller.h"
#include "services/reconciler/kubernetes/template/template_controller.h"
#include "services/reconciler/kubernetes/webhook/webhook.h"

typedef struct KubernetesBackend {
  Backend base;
  Cluster c;
  BackendEvents events;
  void *arg;
  json_t *creating;   /* "namespace/id" asked for and not answered -> whether it is to be destroyed by now */
  json_t *destroying; /* "namespace/id" -> when it was asked for, monotonic ms */
  json_t *moved;      /* "namespace/member" -> name of the Sandbox that took over its Pod (ANNOTATION_MEMBER) */
  RuntimeBinder *binder;
  Controller *sandboxes, *templates, *pools, *claims, *addresses;
  ClaimMirror *mirror;
  Webhook *webhook; /* NULL: not wanted */
} KubernetesBackend;

#endif
