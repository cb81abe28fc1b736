/* The two questions pools has for the reconciler, as callbacks on the loop. */
#ifndef SANDPLANE_SERVICES_POOLS_RECONCILER_RPC_H_
#define SANDPLANE_SERVICES_POOLS_RECONCILER_RPC_H_

#include <stddef.h>

#include "lib/base/error.h"
#include "lib/rpc/rpc_client.h"
#include "lib/state/state.h"
#include "lib/trace/trace.h"

/* record: the canonical template, valid during the call; or NULL and err, whose field is a path in the
 * manifest. */
void reconciler_check_template(RpcChannel *reconciler, const char *manifest,
                               void (*fn)(void *arg, const TemplateRecord *record, const Error *err), void *arg);

typedef struct ReconcilerOrder {
  const char *ns, *pool, *template_name, *manifest, *template_hash;
  const char *const *ids;
  size_t n_ids;
  const TraceSpan *span; /* that the order is part of; NULL: none */
} ReconcilerOrder;

/* err NULL: accepted. Everything is copied. */
void reconciler_create_sandboxes(RpcChannel *reconciler, const ReconcilerOrder *order,
                                 void (*fn)(void *arg, const Error *err), void *arg);

#endif
