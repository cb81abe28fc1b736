/* See state_fixture.h. */
#include "lib/state/state_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/state/state_audit.h"
#include "lib/state/state_batch.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"

static void on_limit(void *arg) {
  Fixture *f = arg;
  f->timed_out = true;
  loop_stop(f->loop);
}

void fixture_wait(Fixture *f) {
  loop_timer_start(f->limit, 10000);
  loop_run(f->loop);
  loop_timer_stop(f->limit);
  if (f->timed_out) {
    fprintf(stderr, "no answer within 10 s\n");
    abort();
  }
}

static void note(Fixture *f, const Error *err) {
  f->err = err ? *err : (Error){0};
  loop_stop(f->loop);
}

static void pairs(char *out, size_t max, const StatePair *p, size_t n) {
  *out = 0;
  for (size_t i = 0; i < n; i++)
    snprintf(out + strlen(out), max - strlen(out), "%s=%s;", p[i].key, p[i].value);
}

static void note_record(Fixture *f, const SandboxRecord *r) {
  snprintf(f->id, sizeof f->id, "%s", r->id);
  snprintf(f->uid, sizeof f->uid, "%s", r->uid);
  snprintf(f->reason, sizeof f->reason, "%s", r->reason);
  f->sandbox_state = r->state;
  f->flag = r->pending;
  f->number = r->expire_ms;
  pairs(f->labels, sizeof f->labels, r->labels, r->n_labels);
  pairs(f->env, sizeof f->env, r->env, r->n_env);
}

void fixture_done(void *arg, const Error *err) {
  note(arg, err);
}

void fixture_record(void *arg, const SandboxRecord *r, const Error *err) {
  if (r)
    note_record(arg, r);
  note(arg, err);
}

void fixture_claimed(void *arg, const ClaimResult *r, const Error *err) {
  Fixture *f = arg;
  if (r) {
    f->outcome = r->outcome;
    snprintf(f->token, sizeof f->token, "%s", r->token ? r->token : "");
    if (r->record)
      note_record(f, r->record);
  }
  note(f, err);
}

void fixture_batch(void *arg, const BatchResult *r, const Error *err) {
  if (r)
    ((Fixture *)arg)->outcome = r->outcome;
  note(arg, err);
}

void fixture_pool(void *arg, const PoolRecord *p, const Error *err) {
  Fixture *f = arg;
  if (p) {
    f->pool = *p;
    snprintf(f->reason, sizeof f->reason, "%s", p->reason);
  }
  note(f, err);
}

void fixture_count(void *arg, int n, const Error *err) {
  ((Fixture *)arg)->number = n;
  note(arg, err);
}

void fixture_ready(void *arg, bool granted, const Error *err) {
  ((Fixture *)arg)->flag = granted;
  note(arg, err);
}

void fixture_expired(void *arg, const StateExpired *e, const Error *err) {
  Fixture *f = arg;
  if (e) {
    f->number = e->n_ended;
    f->next_ms = e->next_ms;
  }
  note(arg, err);
}

static void integer_reply(void *arg, const RedisReply *r, const Error *err) {
  if (r)
    ((Fixture *)arg)->number = r->integer;
  note(arg, err);
}

static bool is_cluster(void) {
  return getenv("REDIS_CLUSTER") != NULL;
}

int64_t fixture_everywhere(Fixture *f, size_t argc, const char *const *argv) {
  int64_t sum = 0;
  char list[256];
  snprintf(list, sizeof list, "%s", getenv("REDIS_ADDRESS"));
  for (char *rest = list, *address; (address = strsep(&rest, ","));) {
    RedisClient *one = is_cluster() ? redis_client_new(f->loop, &(RedisConfig){.address = address}) : f->redis;
    f->number = 0;
    redis_command(one, integer_reply, f, argc, argv, NULL);
    fixture_wait(f);
    sum += f->number;
    if (one != f->redis)
      redis_client_free(one);
  }
  return f->number = sum;
}

int64_t fixture_number(Fixture *f, size_t argc, const char *const *argv) {
  redis_command(f->redis, integer_reply, f, argc, argv, NULL);
  fixture_wait(f);
  return f->number;
}

int64_t fixture_keys(Fixture *f) {
  static const char *const COUNT = "return #redis.call('KEYS', '*') - #redis.call('KEYS', 'sp:*:spent:*')";
  return fixture_everywhere(f, 3, (const char *[]){"EVAL", COUNT, "0"});
}

static void audited(void *arg, const RedisReply *reply, const Error *err) {
  Fixture *f = arg;
  if (reply)
    snprintf(f->text, sizeof f->text, "%s", reply->str);
  note(f, err);
}

void fixture_audit(Fixture *f, char *complaint, size_t max) {
  do {
    const char *argv[] = {"EVAL", (const char *)state_audit, "0", "default", "p"};
    redis_command(f->redis, audited, f, ARRAY_LEN(argv), argv, NULL);
    fixture_wait(f);
  } while (f->err.kind == ERROR_UNAVAILABLE);
  snprintf(complaint, max, "%s", f->err.kind ? f->err.message : f->text);
}

Fixture *fixture_new_at(const char *replica, const RedisConfig *config) {
  Fixture *f = new0(Fixture);
  f->loop = loop_new();
  f->limit = loop_timer_new(f->loop, on_limit, f);
  f->redis = redis_client_new(f->loop, config);
  f->state = state_new(f->redis, replica);
  return f;
}

Fixture *fixture_new(const char *replica, bool flush) {
  Fixture *f = fixture_new_at(replica, &(RedisConfig){.address = getenv("REDIS_ADDRESS"), .cluster = is_cluster()});
  if (flush)
    fixture_everywhere(f, 1, (const char *[]){"FLUSHALL"});
  return f;
}

void fixture_free(Fixture *f) {
  redis_client_free(f->redis);
  state_free(f->state);
  loop_timer_free(f->limit);
  loop_free(f->loop);
  free(f);
}

void fixture_make_pool(Fixture *f, int replicas) {
  PoolRecord p = {.ns = "default", .name = "p", .template_name = "t", .replicas = replicas};
  state_pool_apply(f->state, &p, fixture_pool, f);
  fixture_wait(f);
  state_pool_set_hash(f->state, "default", "p", "h1", "100/1000", fixture_count, f);
  fixture_wait(f);
}

void fixture_make_ready(Fixture *f, const char *id) {
  state_register(f->state, "default", "p", "t", "h1", &id, 1, fixture_done, f);
  fixture_wait(f);
  state_ready(f->state, "default", id, "unix:/x", "gvisor", fixture_ready, f);
  fixture_wait(f);
}

ClaimOutcome fixture_claim(Fixture *f, const char *uid, const char *request_id, int64_t ttl_ms, int64_t max_wait_ms) {
  const StatePair label = {"team", "\"ü\""}, env = {"A", "b\\c"};
  ClaimRequest q = {.ns = "default",
                    .pool = "p",
                    .uid = uid,
                    .request_id = request_id,
                    .ttl_ms = ttl_ms,
                    .labels = &label,
                    .n_labels = 1,
                    .env = &env,
                    .n_env = 1,
                    .max_wait_ms = max_wait_ms,
                    .takes_again = f->takes_again};
  state_claim(f->state, &q, fixture_claimed, f);
  fixture_wait(f);
  return f->outcome;
}

SandboxState fixture_get(Fixture *f, const char *id) {
  state_get(f->state, "default", id, fixture_record, f);
  fixture_wait(f);
  return f->err.kind ? SANDBOX_UNKNOWN : f->sandbox_state;
}
