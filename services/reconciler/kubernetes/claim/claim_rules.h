/* Rules for a claim that need nothing but the claim and its template, and what its refusal means. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_RULES_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CLAIM_CLAIM_RULES_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/compiler.h"
#include "lib/base/error.h"
#include "lib/kube/kube_object.h"

/* Why a claim has no usable sandbox after a pass, in the words of its Ready condition. A pass ends with at most one of
 * these. The number says how to go on (claim_reject_is_final and claim_reject_retry_ms), the Error beside it carries
 * the text. */
typedef enum ClaimReject {
  CLAIM_ACCEPTED = 0,
  CLAIM_TEMPLATE_NOT_FOUND,
  CLAIM_POOL_NOT_FOUND,
  CLAIM_ADOPTION_CONFLICT,
  CLAIM_CREATE_PENDING, /* the cold Sandbox exists, but is not in the cache yet */
  CLAIM_INVALID_METADATA,
  CLAIM_ENV_REJECTED,
  CLAIM_NOT_OWNED, /* expired, but its Sandbox is of another owner and stays */
  CLAIM_VOLUMES_REJECTED,
  CLAIM_INVALID_CONFIGURATION, /* the API server refuses the Sandbox that it asks for */
  CLAIM_QUOTA_EXCEEDED,        /* of STATE_KUBERNETES_TENANT in the namespace */
  CLAIM_FAILED,                /* anything else: ReconcilerError */
} ClaimReject;

/* The reason of the condition ("TemplateNotFound"); NULL for CLAIM_ACCEPTED. */
const char *claim_reject_reason(ClaimReject reject);
/* The user has to change something first: not retried. */
bool claim_reject_is_final(ClaimReject reject);
/* The longest wait for the next pass; 0: nothing to wait for, or exponential back-off when it is not final. */
int64_t claim_reject_retry_ms(ClaimReject reject);

/* Domains that keys of additional labels may have: a text separated by commas or newlines, lower-cased. NULL or
 * nothing in it: the default, sandbox.users.io. To be freed with claim_domains_deinit. */
typedef struct ClaimDomains {
  char *text;
  const char **names;
  size_t n;
} ClaimDomains;
void claim_domains_parse(ClaimDomains *domains, const char *text);
void claim_domains_deinit(ClaimDomains *domains);

/* additionalPodMetadata: 0, or -1 with CLAIM_INVALID_METADATA, or CLAIM_FAILED when it contradicts the template
 * (NULL: not readable, then nothing to contradict). */
int claim_check_metadata(const json_t *claim, const json_t *template, const ClaimDomains *domains,
                         ClaimReject *ret_reject, Error *err) MUST_CHECK;
/* Whether it asks for anything at all: with an unreadable template that is an error. */
bool claim_has_metadata(const json_t *claim);
/* volumeClaimTemplates, which no pool's sandbox has, or warmpool "none" of a v1alpha1 claim. */
bool claim_needs_cold(const json_t *claim);
/* Then a pool's sandbox will do only if its runtime takes them (runtime_env.h). */
bool claim_has_env(const json_t *claim);
/* Whether it has expired. conditions: where to look for Finished; NULL: the claim's own. *ret_at_ms: when it
 * will, -1: never. */
bool claim_expiry(const json_t *claim, const json_t *conditions, int64_t now_ms, int64_t *ret_at_ms);
/* "Retain", "Delete" or "DeleteForeground". */
const char *claim_shutdown_policy(const json_t *claim);
/* The Sandbox recorded in the annotation, or in the label of older controllers; NULL: none. */
const char *claim_assigned_name(const json_t *claim);

/* Whether it shows a claim made through gRPC. */
bool claim_is_shown(const json_t *claim);
/* The claim's uid in the state: its own, or that of the claim made through gRPC that it shows. */
const char *claim_state_uid(const json_t *claim);

/* Written by a v1alpha1 client, which names a template and expects a Sandbox with the claim's name. pool_exists:
 * whether the pool of warmPoolRef does. */
bool claim_is_v1alpha1_origin(const json_t *claim, bool pool_exists);
/* The template that such a claim named, malloc'ed; NULL: it is not to be known. */
char *claim_template_of_origin(const json_t *claim);

#endif
