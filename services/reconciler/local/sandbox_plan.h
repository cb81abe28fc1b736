/* What a sandbox of a template is to be on this machine: the template's words, what it leaves out filled in, and all
 * that cannot be had here refused with the field that asks for it.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_SANDBOX_PLAN_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_SANDBOX_PLAN_H_

#include "services/reconciler/local/machine.h"

/* Fills all of *ret_plan but id, dir and cgroup; its strings are the template's and the image's. FAILED_PRECONDITION.
 */
int sandbox_plan_of(const Machine *m, const ManifestTemplate *t, SandboxPlan *ret_plan, const Isolation **ret_isolation,
                    Error *err) MUST_CHECK;
/* How a class (empty: the default one) is isolated. FAILED_PRECONDITION. */
int sandbox_plan_isolation(const Machine *m, const char *class_name, const Isolation **ret_isolation,
                           Error *err) MUST_CHECK;

#endif
