/* What the parts of the reconciler share. */
#ifndef SANDPLANE_SERVICES_RECONCILER_RECONCILER_H_
#define SANDPLANE_SERVICES_RECONCILER_RECONCILER_H_

#include "lib/rpc/rpc_client.h"
#include "lib/service/service_state.h"
#include "services/reconciler/backend.h"
#include "services/reconciler/config.h"
#include "services/reconciler/local/image_store.h"

typedef struct Reconciler {
  Service *service;
  const ReconcilerConfig *config;
  ServiceState *shared;
  State *state;
  struct ReconcileLoop *loop;
  Backend *backend;
  ImageStore *images;
  struct StartSpans *starts;
  RpcChannel *router; /* NULL: none */
} Reconciler;

#endif
