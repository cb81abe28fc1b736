/* Groups, versions, labels and annotations of the Agent Sandbox API, in this one place. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_OBJECT_WELL_KNOWN_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_OBJECT_WELL_KNOWN_H_

#define AGENTS_GROUP "agents.x-k8s.io"
#define EXTENSIONS_GROUP "extensions.agents.x-k8s.io"
/* The hub version: what is stored, and all that the controllers read and write. */
#define AGENTS_V1BETA1 AGENTS_GROUP "/v1beta1"
#define EXTENSIONS_V1BETA1 EXTENSIONS_GROUP "/v1beta1"

#define KIND_SANDBOX "Sandbox"
#define KIND_CLAIM "SandboxClaim"
#define KIND_TEMPLATE "SandboxTemplate"
#define KIND_POOL "SandboxWarmPool"

/* labels */
#define LABEL_NAME_HASH "agents.x-k8s.io/sandbox-name-hash"
#define LABEL_POOL "agents.x-k8s.io/warm-pool-sandbox"
#define LABEL_TEMPLATE_REF_HASH "agents.x-k8s.io/sandbox-template-ref-hash"
#define LABEL_TEMPLATE_HASH "agents.x-k8s.io/sandbox-template-hash"
#define LABEL_POD_TEMPLATE_HASH "agents.x-k8s.io/sandbox-pod-template-hash"
#define LABEL_LAUNCH_TYPE "agents.x-k8s.io/launch-type"
#define LABEL_CREATED_BY "agents.x-k8s.io/created-by"
#define LABEL_CLAIM_UID "agents.x-k8s.io/claim-uid"
#define LABEL_ADOPTABLE "agents.x-k8s.io/adoptable"

/* annotations */
#define ANNOTATION_POD_NAME "agents.x-k8s.io/pod-name"
#define ANNOTATION_TEMPLATE_REF "agents.x-k8s.io/sandbox-template-ref"
#define ANNOTATION_PROPAGATED_LABELS "agents.x-k8s.io/propagated-labels"
#define ANNOTATION_PROPAGATED_ANNOTATIONS "agents.x-k8s.io/propagated-annotations"
#define ANNOTATION_SANDBOX_NAME "agents.x-k8s.io/sandbox-name" /* on claims; a legacy label of the same key */
#define ANNOTATION_CONTROLLER_OBSERVED "agents.x-k8s.io/controller-first-observed-at"
#define ANNOTATION_FIRST_READY "agents.x-k8s.io/claim-first-ready-at"
#define ANNOTATION_CLIENT_REQUESTED "agents.x-k8s.io/client-first-requested-at"
#define ANNOTATION_WEBHOOK_OBSERVED "agents.x-k8s.io/webhook-first-observed-at"
#define ANNOTATION_TRACE_CONTEXT "opentelemetry.io/trace-context"
#define ANNOTATION_SAFE_TO_EVICT "cluster-autoscaler.kubernetes.io/safe-to-evict"

/* Marks a member with the data set of the shared state that it was made under. */
#define ANNOTATION_EPOCH "sandplane.dev/epoch"
/* On a Sandbox: the other one whose volume claims, by their names, are its own (claim_move.c). */
#define ANNOTATION_VOLUMES_OF "sandplane.dev/volumes-of"
/* On a Sandbox of a v1alpha1 claim: the member whose Pod it took over, and whose name the shared state knows it by. */
#define ANNOTATION_MEMBER "sandplane.dev/member"
/* On a Sandbox: names of the variables that the runtime of its Pod was given, with commas between them (runtime_env.h).
 */
#define ANNOTATION_RUNTIME_ENV "sandplane.dev/runtime-env"
/* On the SandboxClaim that shows a claim made through gRPC: that claim's uid. */
#define ANNOTATION_MIRRORED_UID "sandplane.dev/claim-uid"
/* And whose quota it counts against. */
#define ANNOTATION_MIRRORED_TENANT "sandplane.dev/tenant"
/* On a cold Sandbox: why none of its pool was taken for the claim's variables. */
#define ANNOTATION_COLD_REASON "sandplane.dev/cold-start-reason"
/* On a template, "cold": a claim with env gets a Pod of its own always. */
#define ANNOTATION_CLAIM_ENV "sandplane.dev/claim-env"

/* The whole v1alpha1 object that a v1beta1 one was converted from. */
#define ANNOTATION_V1ALPHA1_SANDBOX "api.agents.x-k8s.io/v1alpha1-sandbox-state"
#define ANNOTATION_V1ALPHA1_CLAIM "api.agents.x-k8s.io/v1alpha1-sandboxclaim-state"
#define ANNOTATION_V1ALPHA1_TEMPLATE "api.agents.x-k8s.io/v1alpha1-sandboxtemplate-state"
#define ANNOTATION_V1ALPHA1_POOL "api.agents.x-k8s.io/v1alpha1-sandboxwarmpool-state"
#define ANNOTATION_VCT_POLICY "api.agents.x-k8s.io/v1beta1-volume-claim-templates-policy"
#define ANNOTATION_POOL_GRACE "api.agents.x-k8s.io/v1beta1-readiness-grace-period-seconds"

/* Pool name of a v1alpha1 claim that names no pool: the prefix and its template's name. */
#define SHADOW_POOL_PREFIX "shadow-pool-"

/* Keys that pod metadata of a user may never set on Pods. */
#define RESERVED_PREFIX_AGENTS AGENTS_GROUP "/"
#define RESERVED_PREFIX_EXTENSIONS EXTENSIONS_GROUP "/"

#endif
