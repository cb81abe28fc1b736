/* Claims of several sandboxes in one step. */
#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_call.h"
#include "lib/state/state_scripts.h"

typedef void (*BatchFn)(void *arg, const BatchResult *r, const Error *err);

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
  static const struct {
    const char *word;
    ClaimOutcome outcome;
  } OUTCOMES[] = {{"GRANTED", CLAIM_GRANTED}, {"QUEUED", CLAIM_QUEUED},  {"EMPTY", CLAIM_EMPTY},
                  {"FULL", CLAIM_FULL},       {"NOPOOL", CLAIM_NO_POOL}, {"ENDED", CLAIM_ENDED},
                  {"SPENT", CLAIM_SPENT},     {"QUOTA", CLAIM_REFUSED}};
  if (reply->type != REDIS_ARRAY || reply->n_items == 0 || !reply->items[0]->str)
    return false;
  for (size_t i = 0; i < ARRAY_LEN(OUTCOMES); i++) {
    if (strcmp(reply->items[0]->str, OUTCOMES[i].word) != 0)
      continue;
    result->outcome = OUTCOMES[i].outcome;
    if (result->outcome == CLAIM_GRANTED)
      return parse_records(call, reply, result);
    if (result->outcome == CLAIM_QUEUED) {
      result->token = reply->n_items > 1 ? reply->items[1]->str : NULL;
      return result->token != NULL;
    }
    result->refusal = refusal;
    return result->outcome != CLAIM_REFUSED || state_refusal_parse(reply, refusal);
  }
  return false;
}

static void batch_done(StateCall *call, const RedisReply *reply, const Error *err) {
  BatchFn fn = (BatchFn)call->fn;
  BatchResult result = {0};
  QuotaRefusal refusal;
  Error bad;
  if (!err && !parse(call, reply, &result, &refusal)) {
    error_set(&bad, ERROR_INTERNAL, "state store: the batch script gave an answer of unknown shape");
    err = &bad;
  }
  fn(call->arg, err ? NULL : &result, err);
}

void state_batch(State *s, const BatchRequest *b, BatchFn fn, void *arg) {
  const ClaimRequest *q = &b->each;
  StateCall *call = STATE_CALL(s, q->ns, q->pool, batch_done, fn, arg);
  Error err;
  if (state_call_claim(call, q, &err) < 0) {
    state_call_fail(call, &err);
    return;
  }
  state_call_int(call, b->count);
  state_call_int(call, b->min_count);
  state_call_str(call, str_empty(q->tenant) ? STATE_DEFAULT_TENANT : q->tenant);
  state_call_script(call, STATE_SCRIPT(batch, .durable = true, .fenced = true));
}

void state_batch_leave(State *s, const char *ns, const char *pool, const char *token, bool give_back, StateDoneFn fn,
                       void *arg) {
  StateCall *call = STATE_CALL(s, ns, pool, state_vanish_done, fn, arg);
  state_call_now(call);
  state_call_str(call, token);
  state_call_str(call, s->replica);
  state_call_int(call, give_back);
  state_call_script(call, STATE_SCRIPT(batch_leave, .durable = true));
}
