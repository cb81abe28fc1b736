/* What a caller may ask of claims, checked: fields in, a request for the state or an error with the field's
 * path out. No time but what is passed in, no input or output.
 *
 * The rules are those that api/sandplane/v1/sandbox.proto documents; a value that passes here is safe to hand
 * to the state as it is. Inputs are the request's fields as they came, before any check.
 */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIM_CLAIM_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIM_CLAIM_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/resource/resource.h"
#include "lib/state/state_record.h"

enum {
  CLAIM_MAX_LABELS = 64,
  CLAIM_MAX_ENV_BYTES = 32 << 10, /* as NAME=value and a NUL each, like the environment block of a process */
  CLAIM_MAX_REQUEST_ID = 128,
  CLAIM_DEFAULT_WAIT_MS = 60000,
};
/* Limits of every time to live, idle timeout and wait. */
#define CLAIM_MIN_TTL_MS INT64_C(1000)
#define CLAIM_MAX_TTL_MS (INT64_C(30) * 24 * 3600 * 1000)

/* A google.protobuf.Duration or Timestamp that may be absent. */
typedef struct ClaimTime {
  bool set;
  int64_t seconds;
  int32_t nanos;
} ClaimTime;

typedef struct ClaimInput {
  const char *parent, *pool, *template_name, *request_id;
  const char *tenant; /* of the authenticated caller; NULL or empty: STATE_DEFAULT_TENANT */
  int priority;       /* as in CreateSandboxRequest.Priority */
  ClaimTime ttl, idle_timeout, max_wait;
  const StatePair *labels;
  size_t n_labels;
  const StatePair *env;
  size_t n_env;
} ClaimInput;

typedef struct ClaimSpec {
  char ns[RESOURCE_SEGMENT_MAX + 1];
  char pool[RESOURCE_SEGMENT_MAX + 1];          /* empty: from a template */
  char template_name[RESOURCE_SEGMENT_MAX + 1]; /* empty: from a pool */
  const char *request_id;                       /* empty: none */
  int64_t ttl_ms, idle_timeout_ms;              /* 0: none */
  int64_t max_wait_ms;
  const char *tenant;
  int priority; /* as in ClaimRequest */
  const StatePair *labels;
  size_t n_labels;
  const StatePair *env;
  size_t n_env;
} ClaimSpec;

/* 0 or -1. Strings and pairs of ret_spec are the input's. */
int claim_check(const ClaimInput *in, ClaimSpec *ret_spec, Error *err) MUST_CHECK;

/* What the state is asked for. pool, uid: borrowed, as the strings and pairs of spec are. */
ClaimRequest claim_request(const ClaimSpec *spec, const char *pool, const char *uid, int64_t max_wait_ms);

/* What a caller is told whose quota has no room: RESOURCE_EXHAUSTED with the tenant, the limit and when to try again.
 * Always -1. */
int claim_refusal(const ClaimSpec *spec, const QuotaRefusal *refusal, Error *err);

typedef struct ClaimUpdateInput {
  const char *name;
  const char *const *mask;
  size_t n_mask;
  const StatePair *labels;
  size_t n_labels;
  ClaimTime expire_time;
  ClaimTime idle_timeout;
} ClaimUpdateInput;

/* The fields are those of SandboxUpdate; an expire_time in the past gives expire_ms <= now_ms. */
int claim_check_update(const ClaimUpdateInput *in, int64_t now_ms, ResourceName *ret_name, SandboxUpdate *ret_update,
                       Error *err) MUST_CHECK;

/* The pool that serves claims straight from a template; -1 with field "template" when the name is too long
 * for a sandbox's name to be made from it. */
int claim_implicit_pool(const char *template_name, char ret_pool[RESOURCE_SEGMENT_MAX + 1], Error *err) MUST_CHECK;

/* What holds a sandbox's Ready condition. */
typedef struct ClaimCondition {
  const char *status, *reason, *message;
  int64_t transition_ms; /* 0: unknown */
} ClaimCondition;

ClaimCondition claim_ready_condition(const SandboxRecord *record);

#endif
