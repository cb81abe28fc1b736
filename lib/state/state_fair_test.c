/* Who gets the next sandbox, and who may have one: shares by weight, priorities, quotas, and that what tenants are
 * charged is at every step what they hold. Counts, never times: the state's clock is the test's own. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_fixture.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_quota.h"
#include "lib/state/state_sandbox.h"

#define NOW INT64_C(1700000000000)
#define DAY_MS INT64_C(86400000)

typedef struct World {
  Fixture *f;
  int n_ids, n_uids;
  char refusal[128];
} World;

static int setup(void **state) {
  World *w = calloc(1, sizeof *w);
  w->f = fixture_new("r1", true);
  state_set_now(w->f->state, NOW);
  fixture_make_pool(w->f, 5);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  World *w = *state;
  fixture_free(w->f);
  free(w);
  return 0;
}

/* ---- steps ---- */

static void on_claimed(void *arg, const ClaimResult *r, const Error *err) {
  World *w = arg;
  w->refusal[0] = 0;
  if (r && r->outcome == CLAIM_REFUSED)
    snprintf(w->refusal, sizeof w->refusal, "%s %s %s %lld", r->refusal->limit, r->refusal->allowed, r->refusal->used,
             (long long)r->refusal->retry_ms);
  fixture_claimed(w->f, r, err);
}

static ClaimOutcome claim_as(World *w, const char *uid, const char *tenant, int priority, int64_t max_wait_ms) {
  ClaimRequest q = {.ns = "default",
                    .pool = "p",
                    .uid = uid,
                    .request_id = "",
                    .max_wait_ms = max_wait_ms,
                    .tenant = tenant,
                    .priority = priority};
  state_claim(w->f->state, &q, on_claimed, w);
  fixture_wait(w->f);
  assert_int_equal(w->f->err.kind, ERROR_NONE);
  return w->f->outcome;
}

/* The uid is the tenant's name, a hyphen, and a number. */
static ClaimOutcome ask(World *w, const char *tenant, int priority) {
  char uid[64];
  snprintf(uid, sizeof uid, "%s-%d", tenant, ++w->n_uids);
  return claim_as(w, uid, tenant, priority, DAY_MS);
}

static void queue(World *w, const char *tenant, int n) {
  for (int i = 0; i < n; i++)
    assert_int_equal(ask(w, tenant, 0), CLAIM_QUEUED);
}

/* One more sandbox comes up. Returns whom it went to, "" for nobody; valid until the next step. */
static const char *make(World *w) {
  char id[16];
  snprintf(id, sizeof id, "p-%05d", ++w->n_ids);
  fixture_make_ready(w->f, id);
  if (!w->f->flag)
    return "";
  fixture_get(w->f, id);
  return w->f->uid;
}

static void release(World *w, const char *id) {
  state_release(w->f->state, "default", id, "", "Deleted", fixture_done, w->f);
  fixture_wait(w->f);
}

static void cancel(World *w, const char *uid) {
  state_cancel_wait(w->f->state, "default", "p", uid, fixture_done, w->f);
  fixture_wait(w->f);
}

static void on_quota(void *arg, const QuotaRecord *q, const Error *err) {
  World *w = arg;
  if (q)
    snprintf(w->f->text, sizeof w->f->text,
             "%s live %lld/%lld cpu %lld/%lld memory %lld/%lld rate %g burst %lld weight %lld", q->tenant,
             (long long)q->live, (long long)q->max_live, (long long)q->cpu_milli, (long long)q->max_cpu_milli,
             (long long)q->memory_bytes, (long long)q->max_memory_bytes, q->rate, (long long)q->burst,
             (long long)q->weight);
  fixture_done(w->f, err);
}

static void set_quota(World *w, QuotaRecord quota) {
  quota.ns = "default";
  state_quota_set(w->f->state, &quota, on_quota, w);
  fixture_wait(w->f);
  assert_int_equal(w->f->err.kind, ERROR_NONE);
}

static void on_text(void *arg, const RedisReply *r, const Error *err) {
  Fixture *f = arg;
  snprintf(f->text, sizeof f->text, "%s", r && r->str ? r->str : "no text");
  fixture_done(f, err);
}

/* Counts anew who holds and waits for what, and compares it with what tenants are charged. */
static void recount(World *w) {
  static const char SCRIPT[] =
      "local want = {}\n"
      "local function add(t, s) local k = t .. ' ' .. s; want[k] = (want[k] or 0) + 1 end\n"
      "for _, k in ipairs(redis.call('KEYS', 'sp:{default}/*:sb:*')) do\n"
      "  local f = redis.call('HMGET', k, 'state', 'tenant', 'shape')\n"
      "  if f[1] == '3' or f[1] == '5' then add(f[2], f[3]) end\n"
      "end\n"
      "for _, k in ipairs(redis.call('KEYS', 'sp:{default}/*:waiters')) do\n"
      "  for _, v in ipairs(redis.call('HVALS', k)) do local w = cjson.decode(v); add(w.tenant, w.shape) end\n"
      "end\n"
      "for _, k in ipairs(redis.call('KEYS', 'sp:{default}:use:*')) do\n"
      "  local all = redis.call('HGETALL', k)\n"
      "  for i = 1, #all, 2 do\n"
      "    local name = string.match(k, 'use:(.*)') .. ' ' .. all[i]\n"
      "    if tostring(want[name]) ~= all[i + 1] then return name .. ': ' .. all[i + 1] end\n"
      "    want[name] = nil\n"
      "  end\n"
      "end\n"
      "return next(want) or ''\n";
  redis_command(w->f->redis, on_text, w->f, 3, (const char *[]){"EVAL", SCRIPT, "0"}, NULL);
  fixture_wait(w->f);
  assert_string_equal(w->f->text, "");
}

/* ---- shares ---- */

static const char *tenant_of(const char *uid, char out[16]) {
  snprintf(out, 16, "%.*s", (int)strcspn(uid, "-"), uid);
  return out;
}

typedef struct Share {
  const char *tenant;
  int weight, n;
} Share;

/* n grants; of two tenants that wait all the time neither is ever ahead by more than its and the other's turn. */
static void serve_fairly(World *w, Share *shares, int n_shares, int n) {
  char tenant[16];
  for (int i = 0; i < n; i++) {
    tenant_of(make(w), tenant);
    for (int s = 0; s < n_shares; s++)
      shares[s].n += strcmp(shares[s].tenant, tenant) == 0;
    for (int a = 0; a < n_shares; a++)
      for (int b = 0; b < n_shares; b++) {
        double ahead = (double)shares[a].n / shares[a].weight - (double)shares[b].n / shares[b].weight;
        assert_true(ahead <= 1.0 / shares[a].weight + 1.0 / shares[b].weight + 1e-9);
      }
  }
}

static void two_tenants_share_by_weight(void **state) {
  World *w = *state;
  set_quota(w, (QuotaRecord){.tenant = "b", .weight = 3});
  queue(w, "a", 60); /* all of them before the first of b */
  queue(w, "b", 60);
  Share shares[] = {{"a", 1, 0}, {"b", 3, 0}};
  serve_fairly(w, shares, 2, 60);
  assert_in_range(shares[0].n, 14, 16);
  recount(w);
}

static void ten_tenants_share_by_weight(void **state) {
  World *w = *state;
  Share shares[10];
  static char names[10][4];
  for (int i = 0; i < 10; i++) {
    snprintf(names[i], sizeof names[i], "t%d", i);
    shares[i] = (Share){names[i], 1 + i % 4, 0};
    set_quota(w, (QuotaRecord){.tenant = names[i], .weight = shares[i].weight});
    queue(w, names[i], i == 0 ? 200 : 45);
  }
  serve_fairly(w, shares, 10, 230);
  recount(w);
}

static void who_comes_late_has_nothing_saved_up(void **state) {
  World *w = *state;
  queue(w, "a", 60);
  for (int i = 0; i < 20; i++)
    assert_int_equal(make(w)[0], 'a');
  queue(w, "b", 20);
  Share shares[] = {{"a", 1, 0}, {"b", 1, 0}};
  serve_fairly(w, shares, 2, 30);
}

static void who_comes_again_and_again_gets_no_more(void **state) {
  World *w = *state;
  set_quota(w, (QuotaRecord){.tenant = "a", .weight = 10});
  queue(w, "a", 100);
  int n_b = 0;
  queue(w, "b", 1);
  for (int i = 0; i < 44; i++) {
    if (make(w)[0] != 'b')
      continue;
    n_b++;
    queue(w, "b", 1); /* as soon as it has one, it waits for the next */
  }
  assert_in_range(n_b, 4, 5);
}

static void who_leaves_the_queue_has_had_no_turn(void **state) {
  World *w = *state;
  queue(w, "a", 40);
  for (int i = 1; i <= 30; i++) {
    char uid[16];
    snprintf(uid, sizeof uid, "b-gone%d", i);
    assert_int_equal(claim_as(w, uid, "b", 0, DAY_MS), CLAIM_QUEUED);
    cancel(w, uid);
    recount(w);
  }
  /* and one that is past its deadline when its turn comes */
  assert_int_equal(claim_as(w, "b-late", "b", 0, 5), CLAIM_QUEUED);
  state_set_now(w->f->state, NOW + 10);
  queue(w, "b", 20);
  Share shares[] = {{"a", 1, 0}, {"b", 1, 0}};
  serve_fairly(w, shares, 2, 30);
  recount(w);
}

static void a_queue_has_room_for_others(void **state) {
  World *w = *state;
  int n = 0;
  /* as if a had 9,998 more */
  const char *fill = "for i = 1, 9998 do redis.call('ZADD', 'sp:{default}/p:queue:a', i, 'x' .. i) "
                     "redis.call('ZADD', 'sp:{default}/p:waiting', i, 'x' .. i) end return ''";
  redis_command(w->f->redis, on_text, w->f, 4, (const char *[]){"EVAL", fill, "1", "sp:{default}/p:queue:a"}, NULL);
  fixture_wait(w->f);
  while (ask(w, "a", 0) == CLAIM_QUEUED)
    n++;
  assert_int_equal(w->f->outcome, CLAIM_FULL);
  assert_int_equal(n, 2);
  queue(w, "b", 3);
}

/* ---- priorities ---- */

static void a_higher_priority_is_worth_ten_seconds(void **state) {
  World *w = *state;
  claim_as(w, "a-low", "a", -1, DAY_MS);
  claim_as(w, "a-normal1", "a", 0, DAY_MS);
  claim_as(w, "a-normal2", "a", 0, DAY_MS);
  state_set_now(w->f->state, NOW + 9000);
  claim_as(w, "a-high1", "a", 1, DAY_MS);
  claim_as(w, "a-high2", "a", 1, DAY_MS);
  state_set_now(w->f->state, NOW + 11000);
  claim_as(w, "a-high3", "a", 1, DAY_MS);
  claim_as(w, "a-normal3", "a", 0, DAY_MS);
  state_set_now(w->f->state, NOW + 22000);
  claim_as(w, "a-high4", "a", 1, DAY_MS);
  const char *order[] = {"a-high1", "a-high2", "a-normal1", "a-normal2", "a-high3", "a-low", "a-normal3", "a-high4"};
  for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
    assert_string_equal(make(w), order[i]);
}

static void no_priority_starves(void **state) {
  World *w = *state;
  claim_as(w, "a-low", "a", -1, DAY_MS);
  /* two a second come with high priority, one a second is served */
  int n_before = 0;
  for (int64_t now = NOW;; now += 1000, n_before++) {
    state_set_now(w->f->state, now);
    ask(w, "a", 1);
    ask(w, "a", 1);
    if (strcmp(make(w), "a-low") == 0)
      break;
    assert_true(n_before < 1000);
  }
  /* all that came within 20 seconds after it, and no other */
  assert_in_range(n_before, 40, 42);
}

static void priority_takes_nothing_from_other_tenants(void **state) {
  World *w = *state;
  for (int i = 0; i < 30; i++)
    ask(w, "a", 1);
  for (int i = 0; i < 30; i++)
    ask(w, "b", -1);
  Share shares[] = {{"a", 1, 0}, {"b", 1, 0}};
  serve_fairly(w, shares, 2, 40);
}

/* ---- quotas ---- */

static void a_quota_limits_what_is_held(void **state) {
  World *w = *state;
  for (int i = 0; i < 4; i++)
    make(w);
  set_quota(w, (QuotaRecord){.tenant = "a", .max_live = 2});
  assert_int_equal(ask(w, "a", 0), CLAIM_GRANTED);
  assert_int_equal(ask(w, "a", 0), CLAIM_GRANTED);
  assert_int_equal(ask(w, "a", 0), CLAIM_REFUSED);
  assert_string_equal(w->refusal, "live 2 2 0");
  assert_int_equal(claim_as(w, "a-2", "a", 0, DAY_MS), CLAIM_GRANTED); /* the same again is none more */
  assert_int_equal(ask(w, "b", 0), CLAIM_GRANTED);
  release(w, "p-00001");
  release(w, "p-00001");
  recount(w);
  assert_int_equal(ask(w, "a", 0), CLAIM_GRANTED);
  assert_int_equal(ask(w, "a", 0), CLAIM_REFUSED);
  /* raised it has room again, lowered nothing is taken away */
  set_quota(w, (QuotaRecord){.tenant = "a", .max_live = 3});
  assert_int_equal(ask(w, "a", 0), CLAIM_QUEUED);
  set_quota(w, (QuotaRecord){.tenant = "a", .max_live = 1});
  assert_int_equal(ask(w, "a", 0), CLAIM_REFUSED);
  assert_string_equal(w->refusal, "live 1 3 0");
  assert_int_equal(make(w)[0], 'a');
  recount(w);
}

static void who_waits_counts(void **state) {
  World *w = *state;
  set_quota(w, (QuotaRecord){.tenant = "a", .max_live = 1});
  assert_int_equal(claim_as(w, "a-w", "a", 0, 50), CLAIM_QUEUED);
  assert_int_equal(ask(w, "a", 0), CLAIM_REFUSED);
  cancel(w, "a-w");
  assert_int_equal(claim_as(w, "a-x", "a", 0, 50), CLAIM_QUEUED);
  state_set_now(w->f->state, NOW + 100);
  state_expire(w->f->state, "default", "p", fixture_expired, w->f);
  fixture_wait(w->f);
  recount(w);
  assert_int_equal(ask(w, "a", 0), CLAIM_QUEUED);
  /* a claim that finds nothing and does not wait holds nothing */
  assert_int_equal(claim_as(w, "b-1", "b", 0, 0), CLAIM_EMPTY);
  recount(w);
  state_pool_delete(w->f->state, "default", "p", fixture_done, w->f);
  fixture_wait(w->f);
  recount(w);
}

static void a_quota_limits_cpu_and_memory(void **state) {
  World *w = *state; /* a sandbox asks for 100 and 1000 */
  set_quota(w, (QuotaRecord){.tenant = "a", .max_cpu_milli = 250});
  set_quota(w, (QuotaRecord){.tenant = "b", .max_memory_bytes = 1999});
  queue(w, "a", 2);
  assert_int_equal(ask(w, "a", 0), CLAIM_REFUSED);
  assert_string_equal(w->refusal, "cpu 250 200 0");
  queue(w, "b", 1);
  assert_int_equal(ask(w, "b", 0), CLAIM_REFUSED);
  assert_string_equal(w->refusal, "memory 1999 1000 0");
  /* the pool's template asks for more now: what is held counts as it was */
  state_pool_set_hash(w->f->state, "default", "p", "h1", "50/5", fixture_count, w->f);
  fixture_wait(w->f);
  queue(w, "a", 1);
  recount(w);
  state_quota_get(w->f->state, "default", "a", on_quota, w);
  fixture_wait(w->f);
  assert_string_equal(w->f->text, "a live 3/0 cpu 250/250 memory 2005/0 rate 0 burst 0 weight 0");
}

static void what_cannot_be_counted_is_refused(void **state) {
  World *w = *state;
  PoolRecord pool = {.ns = "default", .name = "q", .template_name = "t"};
  state_pool_apply(w->f->state, &pool, fixture_pool, w->f);
  fixture_wait(w->f);
  set_quota(w, (QuotaRecord){.tenant = "a", .max_cpu_milli = 250});
  ClaimRequest q = {.ns = "default", .pool = "q", .uid = "a-1", .request_id = "", .max_wait_ms = DAY_MS, .tenant = "a"};
  state_claim(w->f->state, &q, on_claimed, w);
  fixture_wait(w->f);
  assert_string_equal(w->refusal, "shape 0 0 1000");
}

static void a_quota_limits_the_rate(void **state) {
  World *w = *state;
  set_quota(w, (QuotaRecord){.tenant = "a", .rate = 2, .burst = 3});
  queue(w, "a", 3);
  assert_int_equal(ask(w, "a", 0), CLAIM_REFUSED);
  assert_string_equal(w->refusal, "rate 2 3 500");
  state_set_now(w->f->state, NOW + 499);
  assert_int_equal(ask(w, "a", 0), CLAIM_REFUSED);
  assert_string_equal(w->refusal, "rate 2 3 1");
  state_set_now(w->f->state, NOW + 500);
  queue(w, "a", 1);
  assert_int_equal(ask(w, "a", 0), CLAIM_REFUSED);
  /* never more than the burst, however long it was quiet */
  state_set_now(w->f->state, NOW + 3600000);
  queue(w, "a", 3);
  assert_int_equal(ask(w, "a", 0), CLAIM_REFUSED);
  recount(w);
  /* a clock that is set back, or another server's, finds an empty bucket: not one that fills in an hour */
  state_set_now(w->f->state, NOW + 1000);
  assert_int_equal(ask(w, "a", 0), CLAIM_REFUSED);
  assert_string_equal(w->refusal, "rate 2 3 500");
  state_set_now(w->f->state, NOW + 1500);
  queue(w, "a", 1);
  assert_int_equal(ask(w, "a", 0), CLAIM_REFUSED);
  recount(w);
}

static void on_quotas(void *arg, const StateQuotas *q, const Error *err) {
  World *w = arg;
  w->f->text[0] = 0;
  for (size_t i = 0; q && i < q->n_quotas; i++)
    snprintf(w->f->text + strlen(w->f->text), sizeof w->f->text - strlen(w->f->text), "%s:%lld;", q->quotas[i].tenant,
             (long long)q->quotas[i].live);
  fixture_done(w->f, err);
}

static void quotas_are_listed_and_deleted(void **state) {
  World *w = *state;
  set_quota(w, (QuotaRecord){.tenant = "c", .max_live = 2, .rate = 0.5, .burst = 0, .weight = 7});
  assert_string_equal(w->f->text, "c live 0/2 cpu 0/0 memory 0/0 rate 0.5 burst 1 weight 7");
  set_quota(w, (QuotaRecord){.tenant = "a", .max_live = 2});
  queue(w, "a", 2);
  state_quota_list(w->f->state, "default", "", 10, on_quotas, w);
  fixture_wait(w->f);
  assert_string_equal(w->f->text, "a:2;c:0;");
  state_quota_list(w->f->state, "default", "a", 10, on_quotas, w);
  fixture_wait(w->f);
  assert_string_equal(w->f->text, "c:0;");
  for (int i = 0; i < 2; i++) {
    state_quota_delete(w->f->state, "default", "a", fixture_done, w->f);
    fixture_wait(w->f);
    assert_int_equal(w->f->err.kind, ERROR_NONE);
  }
  state_quota_get(w->f->state, "default", "a", on_quota, w);
  fixture_wait(w->f);
  assert_int_equal(w->f->err.kind, ERROR_NOT_FOUND);
  queue(w, "a", 1);
}

/* ---- anything, in any order ---- */

static void restore(World *w, const char *id, const char *uid) {
  SandboxRecord held = {.ns = "default",
                        .id = id,
                        .uid = uid,
                        .template_name = "t",
                        .template_hash = "h1",
                        .route = "",
                        .runtime_class = ""};
  state_restore(w->f->state, &held, true, fixture_done, w->f);
  fixture_wait(w->f);
}

static void step(World *w) {
  char id[16], uid[16], tenant[4];
  snprintf(id, sizeof id, "p-%05d", w->n_ids ? 1 + rand() % w->n_ids : 1);
  snprintf(tenant, sizeof tenant, "t%d", rand() % 3);
  snprintf(uid, sizeof uid, "%s-%d", tenant, rand() % 60);
  Fixture *f = w->f;
  switch (rand() % 14) {
  case 0:
  case 1:
    make(w);
    return;
  case 2:
    release(w, id);
    return;
  case 3:
    cancel(w, uid);
    return;
  case 4:
    state_expire(f->state, "default", "p", fixture_expired, f);
    break;
  case 5:
    state_failed(f->state, "default", id, "Died", "", fixture_done, f);
    break;
  case 6:
    state_gone(f->state, "default", id, fixture_done, f);
    break;
  case 7:
    state_retire(f->state, "default", "p", RETIRE_ANY, 1, "Surplus", fixture_count, f);
    break;
  case 8:
    state_confirm(f->state, "default", "p", uid, fixture_record, f);
    break;
  case 9:
    if (rand() % 4 == 0)
      restore(w, id, uid);
    return;
  case 10:
    if (rand() % 40)
      return;
    state_pool_delete(f->state, "default", "p", fixture_done, f);
    fixture_wait(f);
    fixture_make_pool(f, 5);
    return;
  default:
    claim_as(w, uid, tenant, rand() % 3 - 1, rand() % 3 ? rand() % 2000 : 0);
    return;
  }
  fixture_wait(f);
}

static void charges_are_what_is_held(void **state) {
  World *w = *state;
  srand(20);
  set_quota(w, (QuotaRecord){.tenant = "t0", .max_live = 4});
  set_quota(w, (QuotaRecord){.tenant = "t1", .max_cpu_milli = 600, .weight = 5, .rate = 3, .burst = 5});
  int64_t now = NOW;
  for (int i = 0; i < 4000; i++) {
    now += rand() % 300;
    state_set_now(w->f->state, now);
    step(w);
    recount(w);
    state_quota_get(w->f->state, "default", "t0", on_quota, w);
    fixture_wait(w->f);
    assert_true(str_starts_with(w->f->text, "t0 live "));
    const char *live = w->f->text + strlen("t0 live ");
    assert_in_range(str_leading_int64(live, -1), 0, 4);
    assert_true(str_starts_with(strchr(live, '/'), "/4"));
  }
}

/* What one tenant names so is nothing to another: it must not get that one's sandbox, nor its place. */
static ClaimOutcome claim_named(World *w, const char *uid, const char *tenant, int64_t max_wait_ms) {
  ClaimRequest q = {
      .ns = "default", .pool = "p", .uid = uid, .request_id = "1", .max_wait_ms = max_wait_ms, .tenant = tenant};
  state_claim(w->f->state, &q, on_claimed, w);
  fixture_wait(w->f);
  assert_int_equal(w->f->err.kind, ERROR_NONE);
  return w->f->outcome;
}

static void a_request_id_is_one_tenants(void **state) {
  World *w = *state;
  fixture_make_ready(w->f, "p-aaaaa");
  assert_int_equal(claim_named(w, "a-1", "a", 0), CLAIM_GRANTED);
  assert_string_equal(w->f->uid, "a-1");
  assert_int_equal(claim_named(w, "b-1", "b", 0), CLAIM_EMPTY);
  assert_int_equal(claim_named(w, "b-2", "b", DAY_MS), CLAIM_QUEUED);
  assert_string_equal(w->f->token, "b-2");
  assert_int_equal(claim_named(w, "c-1", "c", DAY_MS), CLAIM_QUEUED);
  assert_string_equal(w->f->token, "c-1");
  assert_int_equal(claim_named(w, "b-3", "b", DAY_MS), CLAIM_QUEUED);
  assert_string_equal(w->f->token, "b-2");
  assert_int_equal(claim_named(w, "a-2", "a", 0), CLAIM_GRANTED);
  assert_string_equal(w->f->uid, "a-1");
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(two_tenants_share_by_weight),
      TEST(ten_tenants_share_by_weight),
      TEST(who_comes_late_has_nothing_saved_up),
      TEST(who_comes_again_and_again_gets_no_more),
      TEST(who_leaves_the_queue_has_had_no_turn),
      TEST(a_queue_has_room_for_others),
      TEST(a_higher_priority_is_worth_ten_seconds),
      TEST(no_priority_starves),
      TEST(priority_takes_nothing_from_other_tenants),
      TEST(a_quota_limits_what_is_held),
      TEST(who_waits_counts),
      TEST(a_quota_limits_cpu_and_memory),
      TEST(what_cannot_be_counted_is_refused),
      TEST(a_quota_limits_the_rate),
      TEST(quotas_are_listed_and_deleted),
      TEST(charges_are_what_is_held),
      TEST(a_request_id_is_one_tenants),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
