/* The OCI runtime configuration of a sandbox under gVisor. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_GVISOR_SPEC_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_GVISOR_SPEC_H_

#include "services/reconciler/local/isolation.h"

/* Writes DIR/config.json. runtime: path of sandplane-runtime on the host. */
int gvisor_spec_write(const SandboxPlan *plan, const char *runtime, Error *err) MUST_CHECK;

#endif
