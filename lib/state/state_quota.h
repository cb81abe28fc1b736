/* Quotas of tenants, and what they hold. */
#ifndef SANDPLANE_LIB_STATE_STATE_QUOTA_H_
#define SANDPLANE_LIB_STATE_STATE_QUOTA_H_

#include "lib/state/state.h"

typedef void (*StateQuotaFn)(void *arg, const QuotaRecord *q, const Error *err);
void state_quota_set(State *s, const QuotaRecord *quota, StateQuotaFn fn, void *arg);
void state_quota_get(State *s, const char *ns, const char *tenant, StateQuotaFn fn, void *arg); /* NOT_FOUND */
/* No such quota: success. */
void state_quota_delete(State *s, const char *ns, const char *tenant, StateDoneFn fn, void *arg);
typedef struct StateQuotas {
  const QuotaRecord *quotas;
  size_t n_quotas;
} StateQuotas;
typedef void (*StateQuotasFn)(void *arg, const StateQuotas *q, const Error *err);
/* In order of tenants, after `after` (exclusive, empty: from the start), at most limit. */
void state_quota_list(State *s, const char *ns, const char *after, size_t limit, StateQuotasFn fn, void *arg);

#endif
