/* One call to the state store: what lib/state's own files share. A call owns an arena, in which its arguments
 * and the parsed result live until the caller's callback has returned. */
#ifndef SANDPLANE_LIB_STATE_STATE_CALL_H_
#define SANDPLANE_LIB_STATE_STATE_CALL_H_

#include <jansson.h>

#include "lib/base/arena.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_quota.h"

struct State {
  RedisClient *redis;
  char *replica;
  int64_t now_ms;
  StateGrantFn on_grant;
  void *grant_arg;
  void (*on_reaped)(void *arg, int64_t releasing_ms);
  void *reaped_arg;
  Metrics *metrics; /* NULL: nothing is counted */
  size_t first_metric;
  void *hints; /* listeners, owned by state_events.c */
};

typedef struct StateCall StateCall;
/* Turns the reply into the caller's result and calls it. err as of redis.h. */
typedef void (*StateCallDone)(StateCall *call, const RedisReply *reply, const Error *err);

struct StateCall {
  State *s;
  Arena *arena;
  const char *ns, *pool; /* copies */
  const char *id;
  StateCallDone done;
  /* The caller's callback, cast back by done. */
  void (*fn)(void);
  void *arg;
  size_t limit;     /* of a list */
  const char *what; /* for the metrics: the script or command */
  int64_t sent_us;
  size_t argc, cap;
  const char **argv;
};

/* fn: any function pointer. ns and pool may be NULL. */
StateCall *state_call_new(State *s, const char *ns, const char *pool, StateCallDone done, void (*fn)(void), void *arg);
#define STATE_CALL(s, ns, pool, done, fn, arg) state_call_new((s), (ns), (pool), (done), (void (*)(void))(fn), (arg))
void state_call_str(StateCall *call, const char *value);
/* "TENANT:REQUEST_ID", which no other tenant's is; empty for an empty one. */
const char *state_call_own(StateCall *call, const char *tenant, const char *request_id);
void state_call_int(StateCall *call, int64_t value);
/* The time: 0, for the server's clock, unless a test has set another. */
void state_call_now(StateCall *call);
/* Runs a script on the pool's key; state_run_* of state_script_calls.h give it its arguments. */
void state_call_script(StateCall *call, const RedisScript *script);
/* Runs a script on another key. */
void state_call_script_on(StateCall *call, const RedisScript *script, const char *key);
/* Runs the arguments as a plain command. */
void state_call_command(StateCall *call);
/* A failure without asking the store: INVALID_ARGUMENT for a sandbox id that names no pool, and the like.
 * done runs soon, from the loop. */
void state_call_fail(StateCall *call, const Error *err);

/* One call is answered, or was not. */
void state_meter(StateCall *call, const Error *err);

/* Callback of calls that report nothing but success: fn is a StateDoneFn. */
void state_done(StateCall *call, const RedisReply *reply, const Error *err);
/* The same for scripts that answer 1 when the pool vanished. */
void state_vanish_done(StateCall *call, const RedisReply *reply, const Error *err);
/* Of calls that are answered with a number: fn is a StateCountFn. */
void state_count_done(StateCall *call, const RedisReply *reply, const Error *err);
/* Callback of calls that are answered with an array of "namespace/name". */
void state_names_done(StateCall *call, const RedisReply *reply, const Error *err);

/* The indexes of all names. verb: ZADD or ZREM. */
#define STATE_POOL_INDEX "sp:pools"
#define STATE_TEMPLATE_INDEX "sp:templates"
void state_index_change(State *s, const char *index, const char *verb, const char *ns, const char *name,
                        StateCallDone done, void (*fn)(void), void *arg);
void state_index_names(State *s, const char *index, const char *ns, const char *after, size_t limit, StateNamesFn fn,
                       void *arg);

/* Parses {id, fields} of a script. false: the reply is not one. */
bool state_record_parse(StateCall *call, const RedisReply *reply, SandboxRecord *ret_record);
/* Parses what answers of the claim and batch scripts have in common: the word that they begin with; behind QUEUED the
 * token, behind QUOTA the refusal. false: the reply is not that. */
bool state_outcome_parse(const RedisReply *reply, ClaimOutcome *ret_outcome, const char **ret_token,
                         QuotaRefusal *ret_refusal);
/* Parses {'QUOTA', ...} of a script. false: the reply is not one. */
bool state_refusal_parse(const RedisReply *reply, QuotaRefusal *ret_refusal);
/* Parses {tenant, limits, {shape, count...}}. false: the reply is not that, or there is no such quota. */
bool state_quota_parse(StateCall *call, const RedisReply *reply, QuotaRecord *ret_quota);
/* Value of a field in a flat HGETALL list; NULL if absent. */
const char *state_field(const RedisReply *fields, const char *name);
int64_t state_field_int(const RedisReply *fields, const char *name);

/* Pairs as JSON, in the call's arena. NULL: INVALID_ARGUMENT with the field's name. */
MUST_CHECK const char *state_call_pairs(StateCall *call, const char *field, const StatePair *pairs, size_t n,
                                        Error *err);
/* JSON text in the arena; o is consumed. flags: as of json_dumps. */
const char *state_json_text(Arena *arena, json_t *o, size_t flags);
/* Pairs as a JSON object (a copy in the arena; NULL: not UTF-8), and back. */
const char *state_pairs_to_json(Arena *arena, const StatePair *pairs, size_t n);
void state_pairs_from_json(Arena *arena, const char *json, const StatePair **ret_pairs, size_t *ret_n);

/* After a script said that a pool vanished: takes it out of the index, without losing one made meanwhile. */
void state_pool_vanished(State *s, const char *ns, const char *pool);
/* A pool was made by a script that cannot change the index: it is added there. */
void state_pool_listed(State *s, const char *ns, const char *pool);

/* Frees the listeners; the Redis client is gone by then. */
void state_hints_free(State *s);

/* For state_script_calls.h. Behind the name: .durable and .fenced of RedisScript. */
#define STATE_SCRIPT(name_, ...)                                      \
  (&(const RedisScript){.name = #name_,                               \
                        .source = (const char *)state_script_##name_, \
                        .source_len = state_script_##name_##_len,     \
                        ##__VA_ARGS__})

#endif
