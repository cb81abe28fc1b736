/* Environment variables of a claim that gets a warm Sandbox: its containers run already, so the values are given to
 * Sandplane's runtime in them, which gives them to every command that it starts.
 *
 * The Sandbox's podTemplate has them as a cold one's has, for a Pod that is made anew; an annotation has their names,
 * for the Pod that there is.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_RUNTIME_ENV_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_RUNTIME_ENV_H_

#include "lib/kube/kube_object.h"

/* New reference: NAME -> value, as the commands in a member of this Pod spec are to find them. NULL: there are none, or
 * only a Pod of its own will do: the template does not take them, they are for a container that does not serve the
 * runtime's port, the kubelet would have to expand something, or they are no environment of a process. */
json_t *runtime_env_of(const json_t *claim, const json_t *template, const json_t *pod_spec);
/* Which of these it is, for whoever made the claim, without its values; "" where it is none. malloc'ed. */
char *runtime_env_refusal(const json_t *claim, const json_t *template, const json_t *pod_spec);
/* Writes them down on the Sandbox that the claim takes; nothing when runtime_env_of says NULL of it. */
void runtime_env_keep(json_t *sandbox, const json_t *claim, const json_t *template);
/* New reference: what runtime_env_keep wrote down, whatever the claim says by now; NULL: nothing. */
json_t *runtime_env_kept(const json_t *sandbox);

#endif
