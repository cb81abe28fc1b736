/* See quota_rpc.h. */
#include "services/claims/quota_rpc.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "api/sandplane/v1/quota_service.pb-c.h"
#include "google/protobuf/empty.pb-c.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/resource/resource.h"
#include "lib/resource/resource_pb.h"
#include "lib/rpc/rpc_request.h"
#include "lib/state/state_quota.h"
#include "services/claims/claims.h"

/* Scripts count in doubles: sums stay exact below 2^53. */
#define AMOUNT_MAX (INT64_C(1) << 50)
enum { COUNT_MAX = 1000000, BURST_MAX = 100000, WEIGHT_MAX = 1000 };
#define RATE_MAX 100000.0
#define RATE_MIN 0.001

typedef struct Named {
  RpcRequest request;
  ResourceName name;
  const char *query; /* of a list */
  size_t size;
} Named;

static State *state_of(const Named *named) {
  return claims_of(named->request.service)->state;
}

static Sandplane__V1__Quota *message(Arena *arena, const QuotaRecord *q) {
  Sandplane__V1__Quota *m = arena_alloc(arena, sizeof *m);
  sandplane__v1__quota__init(m);
  m->name = resource_pb_name(arena, q->ns, "quotas", q->tenant);
  m->max_sandboxes = q->max_live;
  m->max_cpu_milli = q->max_cpu_milli;
  m->max_memory_bytes = q->max_memory_bytes;
  m->claims_per_second = q->rate;
  m->claim_burst = (int32_t)q->burst;
  m->weight = (int32_t)q->weight;
  m->sandbox_count = q->live;
  m->cpu_milli = q->cpu_milli;
  m->memory_bytes = q->memory_bytes;
  return m;
}

static void on_quota(void *arg, const QuotaRecord *quota, const Error *err) {
  Named *named = arg;
  if (!quota) {
    rpc_request_fail(&named->request, err);
    return;
  }
  rpc_request_reply(&named->request, &message(named->request.arena, quota)->base);
}

/* ---- apply ---- */

static int check_amount(int64_t value, int64_t max, const char *field, Error *err) {
  if (value < 0 || value > max)
    return error_field(err, field, "must be 0 to %lld", (long long)max);
  return 0;
}

static int check(const Sandplane__V1__Quota *in, Named *named, QuotaRecord *ret_quota, Error *err) {
  if (!in)
    return error_field(err, "quota", "is required");
  if (resource_name_parse(in->name, "quotas", "quota.name", &named->name, err) < 0 ||
      check_amount(in->max_sandboxes, COUNT_MAX, "quota.max_sandboxes", err) < 0 ||
      check_amount(in->max_cpu_milli, AMOUNT_MAX, "quota.max_cpu_milli", err) < 0 ||
      check_amount(in->max_memory_bytes, AMOUNT_MAX, "quota.max_memory_bytes", err) < 0 ||
      check_amount(in->claim_burst, BURST_MAX, "quota.claim_burst", err) < 0 ||
      check_amount(in->weight, WEIGHT_MAX, "quota.weight", err) < 0)
    return -1;
  double rate = in->claims_per_second;
  if (!(rate == 0 || (isfinite(rate) && rate >= RATE_MIN && rate <= RATE_MAX)))
    return error_field(err, "quota.claims_per_second", "must be 0, or 0.001 to 100,000");
  if (rate == 0 && in->claim_burst > 0)
    return error_field(err, "quota.claim_burst", "means something with claims_per_second only");
  *ret_quota = (QuotaRecord){.ns = named->name.ns,
                             .tenant = named->name.id,
                             .max_live = in->max_sandboxes,
                             .max_cpu_milli = in->max_cpu_milli,
                             .max_memory_bytes = in->max_memory_bytes,
                             .rate = rate,
                             .burst = in->claim_burst,
                             .weight = in->weight};
  return 0;
}

void quota_rpc_apply(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  Named *named = rpc_request_new(call, claims, sizeof *named);
  Error err = {0};
  QuotaRecord quota;
  const Sandplane__V1__ApplyQuotaRequest *in =
      rpc_pb_unpack(&sandplane__v1__apply_quota_request__descriptor, named->request.arena, data, len, &err);
  if (!in || check(in->quota, named, &quota, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  log_event(LOG_INFO, "quota_applied", LOG_STR("namespace", quota.ns), LOG_STR("tenant", quota.tenant),
            LOG_STR("peer", rpc_call_peer(call)));
  state_quota_set(state_of(named), &quota, on_quota, named);
}

/* ---- get, delete ---- */

void quota_rpc_get(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  Named *named = rpc_request_new(call, claims, sizeof *named);
  Error err = {0};
  const Sandplane__V1__GetQuotaRequest *in =
      rpc_pb_unpack(&sandplane__v1__get_quota_request__descriptor, named->request.arena, data, len, &err);
  if (!in || resource_name_parse(in->name, "quotas", "name", &named->name, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  state_quota_get(state_of(named), named->name.ns, named->name.id, on_quota, named);
}

static void on_deleted(void *arg, const Error *err) {
  Named *named = arg;
  if (err) {
    rpc_request_fail(&named->request, err);
    return;
  }
  Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
  rpc_request_reply(&named->request, &empty.base);
}

void quota_rpc_delete(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  Named *named = rpc_request_new(call, claims, sizeof *named);
  Error err = {0};
  const Sandplane__V1__DeleteQuotaRequest *in =
      rpc_pb_unpack(&sandplane__v1__delete_quota_request__descriptor, named->request.arena, data, len, &err);
  if (!in || resource_name_parse(in->name, "quotas", "name", &named->name, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  log_event(LOG_INFO, "quota_deleted", LOG_STR("namespace", named->name.ns), LOG_STR("tenant", named->name.id),
            LOG_STR("peer", rpc_call_peer(call)));
  state_quota_delete(state_of(named), named->name.ns, named->name.id, on_deleted, named);
}

/* ---- list ---- */

static void on_quotas(void *arg, const StateQuotas *list, const Error *err) {
  Named *named = arg;
  if (err) {
    rpc_request_fail(&named->request, err);
    return;
  }
  Arena *arena = named->request.arena;
  Sandplane__V1__ListQuotasResponse answer = SANDPLANE__V1__LIST_QUOTAS_RESPONSE__INIT;
  answer.quotas = arena_alloc(arena, list->n_quotas * sizeof(Sandplane__V1__Quota *));
  for (; answer.n_quotas < list->n_quotas; answer.n_quotas++)
    answer.quotas[answer.n_quotas] = message(arena, &list->quotas[answer.n_quotas]);
  char *token = NULL;
  if (list->n_quotas == named->size) {
    token = resource_token_seal(named->query, list->quotas[list->n_quotas - 1].tenant);
    answer.next_page_token = token;
  }
  rpc_request_reply(&named->request, &answer.base);
  str_freep(&token);
}

void quota_rpc_list(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  Named *named = rpc_request_new(call, claims, sizeof *named);
  Error err = {0};
  char after[RESOURCE_POSITION_MAX + 1];
  const Sandplane__V1__ListQuotasRequest *in =
      rpc_pb_unpack(&sandplane__v1__list_quotas_request__descriptor, named->request.arena, data, len, &err);
  if (in)
    named->query = arena_printf(named->request.arena, "quotas\n%s", in->parent);
  if (!in || resource_parent_parse(in->parent, false, "parent", named->name.ns, &err) < 0 ||
      resource_page_size(in->page_size, &named->size, &err) < 0 ||
      resource_page_position(in->page_token, named->query, after, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  state_quota_list(state_of(named), named->name.ns, after, named->size, on_quotas, named);
}
