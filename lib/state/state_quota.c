/* Quotas of tenants, and what they hold. The limits are JSON, read by the scripts that admit claims; see common.lua. */
#include "lib/state/state_quota.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_call.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_script_calls.h"

/* Doubles are exact up to here, and so are the scripts. */
#define SUM_MAX (INT64_C(1) << 53)

/* A call on "sp:{NS}:quotas"; the tenant is its second name. */
static StateCall *quota_call(State *s, const char *ns, const char *tenant, StateCallDone done, void (*fn)(void),
                             void *arg) {
  return state_call_new(s, ns, tenant, done, fn, arg);
}

static const char *quotas_key(StateCall *call) {
  return arena_printf(call->arena, "sp:{%s}:quotas", call->ns);
}

bool state_refusal_parse(const RedisReply *reply, QuotaRefusal *ret_refusal) {
  if (reply->n_items != 5)
    return false;
  for (size_t i = 1; i < 4; i++)
    if (!reply->items[i]->str)
      return false;
  *ret_refusal = (QuotaRefusal){.limit = reply->items[1]->str,
                                .allowed = reply->items[2]->str,
                                .used = reply->items[3]->str,
                                .retry_ms = reply->items[4]->integer};
  return true;
}

/* ---- limits ---- */

static const char *to_json(Arena *arena, const QuotaRecord *q) {
  json_t *o = json_object();
  const struct {
    const char *key;
    int64_t value;
  } limits[] = {
      {"live", q->max_live}, {"cpu", q->max_cpu_milli}, {"memory", q->max_memory_bytes}, {"weight", q->weight}};
  for (size_t i = 0; i < ARRAY_LEN(limits); i++)
    if (limits[i].value > 0)
      json_object_set_new(o, limits[i].key, json_integer(limits[i].value));
  if (q->rate > 0) {
    json_object_set_new(o, "rate", json_real(q->rate));
    json_object_set_new(o, "burst", json_integer(q->burst > 0 ? q->burst : 1));
  }
  return state_json_text(arena, o, JSON_COMPACT | JSON_REAL_PRECISION(15));
}

static void from_json(const char *text, QuotaRecord *q) {
  json_t *o = json_loads(text, 0, NULL);
  q->max_live = json_integer_value(json_object_get(o, "live"));
  q->max_cpu_milli = json_integer_value(json_object_get(o, "cpu"));
  q->max_memory_bytes = json_integer_value(json_object_get(o, "memory"));
  q->weight = json_integer_value(json_object_get(o, "weight"));
  q->rate = json_number_value(json_object_get(o, "rate"));
  q->burst = json_integer_value(json_object_get(o, "burst"));
  json_decref(o);
}

/* ---- what is held ---- */

/* n each times. Far above what a quota can allow it stays where it is. */
static void add(int64_t *sum, long long n, long long each) {
  double total = (double)*sum + (double)n * (double)each;
  *sum = total < (double)SUM_MAX ? (int64_t)total : SUM_MAX;
}

static void count(const RedisReply *shapes, QuotaRecord *q) {
  for (size_t i = 0; i + 1 < shapes->n_items; i += 2) {
    const char *shape = shapes->items[i]->str;
    int64_t n = str_leading_int64(shapes->items[i + 1]->str, -1);
    if (!shape || n < 0)
      continue;
    add(&q->live, n, 1);
    const char *slash = strchr(shape, '/');
    int64_t cpu = str_leading_int64(shape, -1), memory = slash ? str_leading_int64(slash + 1, -1) : -1;
    if (cpu < 0 || memory < 0)
      continue;
    add(&q->cpu_milli, n, cpu);
    add(&q->memory_bytes, n, memory);
  }
}

bool state_quota_parse(StateCall *call, const RedisReply *reply, QuotaRecord *q) {
  if (reply->type != REDIS_ARRAY || reply->n_items != 3 || str_empty(reply->items[0]->str) ||
      str_empty(reply->items[1]->str))
    return false;
  *q = (QuotaRecord){.ns = call->ns, .tenant = reply->items[0]->str};
  from_json(reply->items[1]->str, q);
  count(reply->items[2], q);
  return true;
}

/* ---- calls ---- */

static void quota_done(StateCall *call, const RedisReply *reply, const Error *err) {
  QuotaRecord quota;
  Error missing;
  if (!err && !state_quota_parse(call, reply, &quota)) {
    error_set(&missing, ERROR_NOT_FOUND, "quota \"%s\" not found in namespace \"%s\"", call->pool, call->ns);
    err = &missing;
  }
  ((StateQuotaFn)call->fn)(call->arg, err ? NULL : &quota, err);
}

void state_quota_get(State *s, const char *ns, const char *tenant, StateQuotaFn fn, void *arg) {
  StateCall *call = quota_call(s, ns, tenant, quota_done, (void (*)(void))fn, arg);
  state_run_quota_get(call, quotas_key(call), .tenant = tenant);
}

/* After a change: read when the replicas have it. */
static void read_back(const StateCall *changed, StateCallDone done) {
  StateCall *call = quota_call(changed->s, changed->ns, changed->pool, done, changed->fn, changed->arg);
  state_run_quota_get_durable(call, quotas_key(call), .tenant = changed->pool);
}

static void quota_set(StateCall *call, const RedisReply *reply, const Error *err) {
  if (err)
    return ((StateQuotaFn)call->fn)(call->arg, NULL, err);
  read_back(call, quota_done);
}

static void quota_deleted(StateCall *call, const RedisReply *reply, const Error *err) {
  if (err)
    return state_done(call, reply, err);
  read_back(call, state_done);
}

void state_quota_set(State *s, const QuotaRecord *quota, StateQuotaFn fn, void *arg) {
  StateCall *call = quota_call(s, quota->ns, quota->tenant, quota_set, (void (*)(void))fn, arg);
  state_call_str(call, "HSET");
  state_call_str(call, quotas_key(call));
  state_call_str(call, quota->tenant);
  state_call_str(call, to_json(call->arena, quota));
  state_call_command(call);
}

void state_quota_delete(State *s, const char *ns, const char *tenant, StateDoneFn fn, void *arg) {
  StateCall *call = quota_call(s, ns, tenant, quota_deleted, (void (*)(void))fn, arg);
  state_call_str(call, "HDEL");
  state_call_str(call, quotas_key(call));
  state_call_str(call, tenant);
  state_call_command(call);
}

static void quotas_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateQuotasFn fn = (StateQuotasFn)call->fn;
  if (err)
    return fn(call->arg, NULL, err);
  QuotaRecord *quotas = arena_alloc(call->arena, reply->n_items * sizeof *quotas);
  StateQuotas list = {.quotas = quotas};
  for (size_t i = 0; i < reply->n_items; i++)
    if (state_quota_parse(call, reply->items[i], &quotas[list.n_quotas]))
      list.n_quotas++;
  fn(call->arg, &list, NULL);
}

void state_quota_list(State *s, const char *ns, const char *after, size_t limit, StateQuotasFn fn, void *arg) {
  StateCall *call = quota_call(s, ns, NULL, quotas_done, (void (*)(void))fn, arg);
  state_run_quota_list(call, quotas_key(call), .after = after, .limit = (int64_t)limit);
}
