/* Claims: asking, waiting, confirming, letting go. */
#include "lib/state/state_claim.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/state/state_call.h"
#include "lib/state/state_script_calls.h"

static bool outcome_parse(const RedisReply *reply, ClaimOutcome *ret_outcome) {
  static const struct {
    const char *word;
    ClaimOutcome outcome;
  } OUTCOMES[] = {{"GRANTED", CLAIM_GRANTED}, {"QUEUED", CLAIM_QUEUED},  {"EMPTY", CLAIM_EMPTY},
                  {"FULL", CLAIM_FULL},       {"NOPOOL", CLAIM_NO_POOL}, {"ENDED", CLAIM_ENDED},
                  {"SPENT", CLAIM_SPENT},     {"QUOTA", CLAIM_REFUSED}};
  if (reply->type != REDIS_ARRAY || reply->n_items == 0 || !reply->items[0]->str)
    return false;
  for (size_t i = 0; i < ARRAY_LEN(OUTCOMES); i++)
    if (str_equal(reply->items[0]->str, OUTCOMES[i].word)) {
      *ret_outcome = OUTCOMES[i].outcome;
      return true;
    }
  return false;
}

bool state_outcome_parse(const RedisReply *reply, ClaimOutcome *ret_outcome, const char **ret_token,
                         QuotaRefusal *ret_refusal) {
  if (!outcome_parse(reply, ret_outcome))
    return false;
  if (*ret_outcome == CLAIM_REFUSED)
    return state_refusal_parse(reply, ret_refusal);
  *ret_token = *ret_outcome == CLAIM_QUEUED && reply->n_items > 1 ? reply->items[1]->str : NULL;
  return *ret_outcome != CLAIM_QUEUED || *ret_token;
}

static bool parse(StateCall *call, const RedisReply *reply, ClaimResult *result, SandboxRecord *record,
                  QuotaRefusal *refusal) {
  result->refusal = refusal;
  if (!state_outcome_parse(reply, &result->outcome, &result->token, refusal))
    return false;
  if (result->outcome != CLAIM_GRANTED)
    return true;
  result->record = record;
  return reply->n_items > 1 && state_record_parse(call, reply->items[1], record);
}

static void claim_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateClaimFn fn = (StateClaimFn)call->fn;
  ClaimResult result = {0};
  SandboxRecord record;
  QuotaRefusal refusal;
  Error bad;
  if (!err && !parse(call, reply, &result, &record, &refusal)) {
    error_set(&bad, ERROR_INTERNAL, "state store: the claim script gave an answer of unknown shape");
    err = &bad;
  }
  fn(call->arg, err ? NULL : &result, err);
}

void state_claim(State *s, const ClaimRequest *q, StateClaimFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, q->ns, q->pool, claim_done, fn, arg);
  Error err;
  const char *labels = state_call_pairs(call, "labels", q->labels, q->n_labels, &err),
             *env = labels ? state_call_pairs(call, "env", q->env, q->n_env, &err) : NULL;
  if (!env)
    return state_call_fail(call, &err);
  state_run_claim(call, .uid = q->uid, .request = state_call_own(call, q->tenant, q->request_id), .ttl_ms = q->ttl_ms,
                  .idle_ms = q->idle_timeout_ms, .labels = labels, .env = env, .max_wait_ms = q->max_wait_ms,
                  .replica = s->replica, .tenant = str_empty(q->tenant) ? STATE_DEFAULT_TENANT : q->tenant,
                  .priority = q->priority, .takes_again = q->takes_again);
}

static void confirm_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StateRecordFn fn = (StateRecordFn)call->fn;
  SandboxRecord record;
  Error late;
  if (!err && !state_record_parse(call, reply, &record)) {
    error_set(&late, ERROR_NOT_FOUND, "what was granted is gone");
    err = &late;
  }
  fn(call->arg, err ? NULL : &record, err);
}

void state_confirm(State *s, const char *ns, const char *pool, const char *token, StateRecordFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, pool, confirm_done, fn, arg);
  state_run_confirm(call, .uid = token);
}

void state_vanish_done(StateCall *call, const RedisReply *reply, const Error *err) {
  if (!err && reply->type == REDIS_INTEGER && reply->integer == 1)
    state_pool_vanished(call->s, call->ns, call->pool);
  state_done(call, reply, err);
}

void state_cancel_wait(State *s, const char *ns, const char *pool, const char *token, StateDoneFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, pool, state_vanish_done, fn, arg);
  state_run_cancel_wait(call, .uid = token, .replica = s->replica);
}

static void pin_done(StateCall *call, const RedisReply *reply, const Error *err) {
  StatePinFn fn = (StatePinFn)call->fn;
  if (err)
    return fn(call->arg, NULL, err);
  fn(call->arg, reply->type == REDIS_STRING ? reply->str : call->pool, NULL);
}

static void pin_key(StateCall *call, const char *ns, const char *template_name, const char *tenant,
                    const char *request_id) {
  const char *own = state_call_own(call, tenant, request_id);
  state_call_str(call, arena_printf(call->arena, "sp:pin:%s/%s:%s", ns, template_name, own));
}

void state_pin(State *s, const char *ns, const char *template_name, const char *tenant, const char *request_id,
               const char *pool, StatePinFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, pool, pin_done, fn, arg);
  state_call_str(call, "SET");
  pin_key(call, ns, template_name, tenant, request_id);
  state_call_str(call, pool);
  state_call_str(call, "NX");
  state_call_str(call, "GET");
  state_call_str(call, "PX");
  state_call_int(call, 3600000); /* as long as the request id itself */
  state_call_command(call);
}

void state_unpin(State *s, const char *ns, const char *template_name, const char *tenant, const char *request_id,
                 StateDoneFn fn, void *arg) {
  StateCall *call = STATE_CALL(s, ns, NULL, state_done, fn, arg);
  state_call_str(call, "DEL");
  pin_key(call, ns, template_name, tenant, request_id);
  state_call_command(call);
}

static void on_grant(void *arg, const char *message, size_t len) {
  State *s = arg;
  if (!message)
    return s->on_grant(s->grant_arg, NULL, NULL);
  const char *space = memchr(message, ' ', len);
  char token[64];
  if (!space || (size_t)(space - message) >= sizeof token)
    return;
  memcpy(token, message, (size_t)(space - message));
  token[space - message] = 0;
  s->on_grant(s->grant_arg, token, space + 1);
}

void state_on_grant(State *s, StateGrantFn fn, void *arg) {
  s->on_grant = fn;
  s->grant_arg = arg;
  redis_subscribe(s->redis, "sp:grant", on_grant, s);
}
