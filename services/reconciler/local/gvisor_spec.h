/* The OCI runtime configuration of a sandbox under gVisor. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_GVISOR_SPEC_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_GVISOR_SPEC_H_

#include "services/reconciler/local/isolation.h"

/* Where sandplane-relief is inside, and what is to be there on the host for it, below the sandbox's folder. */
#define GVISOR_RELIEF "/run/sandplane/relief"
#define GVISOR_RELIEF_PLACE "/run/relief"

/* Writes DIR/config.json. runtime, relief: paths of these programs on the host; relief may be NULL. */
int gvisor_spec_write(const SandboxPlan *plan, const char *runtime, const char *relief, Error *err) MUST_CHECK;

#endif
