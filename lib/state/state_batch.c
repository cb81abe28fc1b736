/* Claims of several sandboxes in one step. */
#include "lib/state/state_batch.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_call.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_script_calls.h"

/* Everything behind the word is a record. */
static bool parse_records(StateCall *call, const RedisReply *reply, BatchResult *result) {
  size_t n = reply->n_items - 1;
  SandboxRecord *records = arena_alloc(call->arena, n * sizeof *records);
  for (size_t i = 0; i < n; i++)
    if (!state_record_parse(call, reply->items[i + 1], &records[i]))
      return false;
  result->records = records;
  result->n_records = n;
  return n > 0;
}

static bool parse(StateCall *call, const RedisReply *reply, BatchResult *result, QuotaRefusal *refusal) {
  result->refusal = refusal;
  if (!state_outcome_parse(reply, &result->outcome, &result->token, refusal))
    return false;
  return result->outcome != CLAIM_GRANTED || parse_records(call, reply, result);
}

static void batch_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateBatchFn fn = (StateBatchFn)call->fn;
  BatchResult result = {0};
  QuotaRefusal refusal;
  Error bad;
  if (!err && !parse(call, reply, &result, &refusal)) {
    error_set(&bad, ERROR_INTERNAL, "state store: the batch script gave an answer of unknown shape");
    err = &bad;
  }
  fn(call->arg, err ? NULL : &result, err);
}

void state_batch(State *s, const BatchRequest *b, StateBatchFn fn, void *arg) {
  const ClaimRequest *q = &b->each;
  StateCall *call = STATE_CALL(s, q->ns, q->pool, batch_done, fn, arg);
  Error err;
  const char *labels = state_call_pairs(call, "labels", q->labels, q->n_labels, &err),
             *env = labels ? state_call_pairs(call, "env", q->env, q->n_env, &err) : NULL;
  if (!env)
    return state_call_fail(call, &err);
  state_run_batch(call, .token = q->uid, .request = state_call_own(call, q->tenant, q->request_id), .ttl_ms = q->ttl_ms,
                  .idle_ms = q->idle_timeout_ms, .labels = labels, .env = env, .max_wait_ms = q->max_wait_ms,
                  .replica = s->replica, .tenant = str_empty(q->tenant) ? STATE_DEFAULT_TENANT : q->tenant,
                  .count = b->count, .min = b->min_count);
}

void state_batch_leave(State *s, const char *ns, const char *pool, const char *token, bool give_back, StateDoneFn fn,
                       void *arg) {
  StateCall *call = STATE_CALL(s, ns, pool, state_vanish_done, fn, arg);
  state_run_batch_leave(call, .token = token, .replica = s->replica, .give_back = give_back);
}
