/* Thousands of claims by several replicas at once, while scripts are flushed and the server is killed.
 *
 * A small world: CLAIMERS claim, check, let go, over REPLICAS clients; a reconciler's part makes a new
 * sandbox for each that was destroyed. Whatever fails with UNAVAILABLE is repeated with the same arguments,
 * as services do. Claimers belong to tenants, of which one has a quota too small for them. Checked: no sandbox goes to
 * two claims in its life, no acknowledged claim is lost, what tenants are charged is what they hold, no quota is
 * exceeded, nothing stays behind.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/redis/redis_server_fixture.h"
#include "lib/state/state.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_quota.h"
#include "lib/state/state_sandbox.h"

/* Of the first run; each has its own, for one that fails leaves its server. */
enum { PORT = 16391 };

/* Claimer i belongs to tenant "t" and i % TENANTS; t0 may hold so many. */
enum { TENANTS = 4, QUOTA = 10 };

/* Without a single grant: a slow machine is not a stuck one. */
enum { STUCK_MS = 60000, ASK_AGAIN_TICKS = 1000 };

enum { REPLICAS = 4, CLAIMERS = 64, POOL_SIZE = 40, IDS_MAX = 30000, UID_LEN = 16, TROUBLE_EVERY = 300 };

typedef struct World World;

typedef struct Claimer {
  World *w;
  State *state;
  char uid[UID_LEN], id[16], tenant[4];
  int64_t max_wait_ms;
  bool queued, granted_early, held;
  LoopTimer *soon;
} Claimer;

/* A sandbox on its way from nothing to READY, or from RELEASING to nothing. */
typedef struct Making {
  World *w;
  char id[16];
} Making;

struct World {
  Loop *loop;
  LoopTimer *limit, *reconcile, *trouble;
  RedisClient *redis[REPLICAS];
  State *state[REPLICAS];
  int port, n_connected;
  pid_t server;
  bool kill, started, listing, ending, recounting, lifted;
  int n_total, n_uids, n_granted, n_held, n_waited, n_cancelled, n_ids, n_gone, n_kills, n_flushes, n_repeated,
      n_granted_at_trouble, n_refused, n_recounts, n_ticks;
  Claimer claimers[CLAIMERS];
  char owner[IDS_MAX][UID_LEN]; /* first claim of each sandbox, for ever */
  bool destroying[IDS_MAX];
  int64_t number;
};

static int number_of(const char *id) {
  return (int)str_leading_int64(id + 2, 0);
}

/* Whether to try again; any other failure is a defect. */
static bool again(World *w, const Error *err) {
  if (!err)
    return false;
  if (err->kind != ERROR_UNAVAILABLE)
    fail_msg("%s: %s", error_kind_name(err->kind), err->message);
  w->n_repeated++;
  return true;
}

/* ---- making and destroying ---- */

static void on_made(void *arg, bool granted, const Error *err);

static void on_registered(void *arg, const Error *err) {
  Making *m = arg;
  if (again(m->w, err)) {
    const char *id = m->id;
    return state_register(m->w->state[0], "default", "p", "t", "h", &id, 1, on_registered, m);
  }
  state_ready(m->w->state[0], "default", m->id, "unix:/x", "gvisor", on_made, m);
}

static void on_made(void *arg, bool granted, const Error *err) {
  Making *m = arg;
  /* refused: the first try had succeeded, and it was claimed and let go since */
  bool repeated = err && err->kind == ERROR_FAILED_PRECONDITION && m->w->n_kills > 0;
  if (!repeated && again(m->w, err))
    return on_registered(m, NULL);
  free(m);
}

static void make(World *w) {
  Making *m = calloc(1, sizeof *m);
  m->w = w;
  snprintf(m->id, sizeof m->id, "p-%05d", ++w->n_ids);
  assert_true(w->n_ids < IDS_MAX);
  const char *id = m->id;
  state_register(w->state[0], "default", "p", "t", "h", &id, 1, on_registered, m);
}

static void on_gone(void *arg, const Error *err) {
  Making *m = arg;
  World *w = m->w;
  if (again(w, err))
    return state_gone(w->state[1], "default", m->id, on_gone, m);
  free(m);
  w->n_gone++;
  if (!w->ending)
    make(w);
}

static void on_releasing(void *arg, const char *const *ids, size_t n_ids, const Error *err) {
  World *w = arg;
  w->listing = false;
  if (again(w, err))
    return;
  for (size_t i = 0; i < n_ids; i++) {
    if (w->destroying[number_of(ids[i])])
      continue;
    w->destroying[number_of(ids[i])] = true;
    Making *m = calloc(1, sizeof *m);
    m->w = w;
    snprintf(m->id, sizeof m->id, "%s", ids[i]);
    state_gone(w->state[1], "default", m->id, on_gone, m);
  }
}

static void on_retired(void *arg, int n, const Error *err) {
  again(arg, err);
}

static void on_reconcile(void *arg) {
  World *w = arg;
  if (!w->listing)
    state_releasing(w->state[1], "default", "p", on_releasing, w);
  w->listing = true;
  /* again and again: some are still coming up */
  if (w->ending)
    state_retire(w->state[0], "default", "p", RETIRE_READY, IDS_MAX, "Surplus", on_retired, w);
  if (w->ending && w->n_gone == w->n_ids)
    return loop_stop(w->loop);
  loop_timer_start(w->reconcile, 2);
}

/* ---- claiming ---- */

static void on_claimed(void *arg, const ClaimResult *r, const Error *err);
static void next_claim(Claimer *c);

static void ask(Claimer *c) {
  ClaimRequest q = {.ns = "default",
                    .pool = "p",
                    .uid = c->uid,
                    .request_id = "",
                    .max_wait_ms = c->max_wait_ms,
                    .tenant = c->tenant};
  state_claim(c->state, &q, on_claimed, c);
}

static void on_soon(void *arg) {
  ask(arg);
}

static void on_lifted(void *arg, const Error *err);

static void lift_quota(World *w) {
  if (!w->lifted)
    state_quota_delete(w->state[3], "default", "t0", on_lifted, w);
  w->lifted = true;
}

static void on_lifted(void *arg, const Error *err) {
  World *w = arg;
  if (!again(w, err))
    return;
  w->lifted = false;
  lift_quota(w);
}

static void let_go(Claimer *c);

static void on_let_go(void *arg, const Error *err) {
  Claimer *c = arg;
  if (again(c->w, err))
    return let_go(c);
  if (!c->held)
    next_claim(c);
}

static void let_go(Claimer *c) {
  state_release(c->state, "default", c->id, c->uid, "Deleted", on_let_go, c);
}

static void on_checked(void *arg, const SandboxRecord *r, const Error *err) {
  Claimer *c = arg;
  if (again(c->w, err))
    return state_get(c->state, "default", c->id, on_checked, c);
  assert_int_equal(r->state, SANDBOX_CLAIMED);
  assert_false(r->pending);
  assert_string_equal(r->uid, c->uid);
  if (!c->held)
    return let_go(c);
  c->w->n_held++;
  if (c->w->n_held == CLAIMERS)
    loop_stop(c->w->loop);
}

static void own(Claimer *c, const SandboxRecord *r) {
  char *owner = c->w->owner[number_of(r->id)];
  assert_string_equal(r->uid, c->uid);
  assert_string_equal(owner, "");
  snprintf(owner, sizeof c->w->owner[0], "%s", c->uid);
  snprintf(c->id, sizeof c->id, "%s", r->id);
  c->w->n_granted++;
  loop_timer_start(c->w->limit, STUCK_MS);
  /* the last claim of each is kept to the end */
  c->held = c->w->n_uids >= c->w->n_total;
  state_get(c->state, "default", c->id, on_checked, c);
}

static void on_confirmed(void *arg, const SandboxRecord *r, const Error *err) {
  Claimer *c = arg;
  if (again(c->w, err))
    return state_confirm(c->state, "default", "p", c->uid, on_confirmed, c);
  c->w->n_waited++;
  own(c, r);
}

static void confirm(Claimer *c) {
  c->queued = c->granted_early = false;
  state_confirm(c->state, "default", "p", c->uid, on_confirmed, c);
}

static void on_left(void *arg, const Error *err) {
  Claimer *c = arg;
  if (again(c->w, err))
    return state_cancel_wait(c->state, "default", "p", c->uid, on_left, c);
  c->w->n_cancelled++;
  next_claim(c);
}

static void on_claimed(void *arg, const ClaimResult *r, const Error *err) {
  Claimer *c = arg;
  if (again(c->w, err))
    return ask(c);
  if (r->outcome == CLAIM_EMPTY) {
    c->max_wait_ms = 60000;
    return ask(c);
  }
  if (r->outcome == CLAIM_GRANTED) {
    if (r->record->pending)
      return confirm(c);
    return own(c, r->record);
  }
  if (r->outcome == CLAIM_REFUSED) {
    assert_string_equal(r->refusal->limit, "live");
    assert_string_equal(c->tenant, "t0");
    c->w->n_refused++;
    if (c->w->n_uids >= c->w->n_total)
      lift_quota(c->w); /* in the end each is to hold one */
    return loop_timer_start(c->soon, 5);
  }
  assert_int_equal(r->outcome, CLAIM_QUEUED);
  assert_string_equal(r->token, c->uid);
  if (str_leading_int64(c->uid + 1, 0) % 7 == 0)
    return state_cancel_wait(c->state, "default", "p", c->uid, on_left, c);
  /* the grant came on another connection, and may have been faster */
  if (c->granted_early)
    return confirm(c);
  c->queued = true;
}

static void on_grant(void *arg, const char *token, const char *id) {
  World *w = arg;
  for (int i = 0; i < CLAIMERS; i++) {
    Claimer *c = &w->claimers[i];
    if (token && strcmp(c->uid, token) != 0)
      continue;
    if (c->queued && token) {
      confirm(c);
    } else if (c->queued) { /* reconnected: what was said meanwhile is lost */
      c->queued = false;
      ask(c);
    } else if (token) {
      c->granted_early = true;
    }
  }
}

static void next_claim(Claimer *c) {
  c->granted_early = c->queued = false;
  snprintf(c->uid, sizeof c->uid, "u%d", ++c->w->n_uids);
  c->max_wait_ms = c->w->n_uids % 3 ? 60000 : 0;
  ask(c);
}

/* ---- what tenants are charged ---- */

static void on_recounted(void *arg, const RedisReply *r, const Error *err) {
  World *w = arg;
  w->recounting = false;
  if (again(w, err))
    return;
  if (!w->lifted || strstr(r->str, "charged"))
    assert_string_equal(r->str, "");
  w->n_recounts++;
}

/* Now and then, between any two scripts. */
static void recount(World *w) {
  static const char SCRIPT[] =
      "local want, total = {}, 0\n"
      "for _, id in ipairs(redis.call('ZRANGE', 'sp:{default}/p:claimed', 0, -1)) do\n"
      "  local t = redis.call('HGET', 'sp:{default}/p:sb:' .. id, 'tenant')\n"
      "  want[t] = (want[t] or 0) + 1\n"
      "end\n"
      "for _, v in ipairs(redis.call('HVALS', 'sp:{default}/p:waiters')) do\n"
      "  local t = cjson.decode(v).tenant\n"
      "  want[t] = (want[t] or 0) + 1\n"
      "end\n"
      "for i = 0, tonumber(ARGV[1]) - 1 do\n"
      "  local t, n = 't' .. i, 0\n"
      "  for _, v in ipairs(redis.call('HVALS', 'sp:{default}:use:' .. t)) do n = n + tonumber(v) end\n"
      "  if n ~= (want[t] or 0) then return t .. ' is charged ' .. n .. ' and has ' .. (want[t] or 0) end\n"
      "  if i == 0 and n > tonumber(ARGV[2]) then return 't0 holds ' .. n end\n"
      "end\n"
      "return ''\n";
  char tenants[8], quota[8];
  snprintf(tenants, sizeof tenants, "%d", TENANTS);
  snprintf(quota, sizeof quota, "%d", QUOTA);
  w->recounting = true;
  redis_command(w->redis[2], on_recounted, w, 5, (const char *[]){"EVAL", SCRIPT, "0", tenants, quota}, NULL);
}

static void on_quota(void *arg, const QuotaRecord *q, const Error *err) {
  assert_null(err);
  loop_stop(((World *)arg)->loop);
}

/* ---- the run ---- */

/* Each run has data of its own. */
static const char *folder(bool kill) {
  return kill ? "killed" : "flushed";
}

static void on_trouble(void *arg) {
  World *w = arg;
  /* by progress, not by time: a slow machine must not be killed again before it is up */
  if (w->n_granted - w->n_granted_at_trouble >= TROUBLE_EVERY) {
    w->n_granted_at_trouble = w->n_granted;
    if (w->kill) {
      redis_server_kill(w->server);
      w->server = redis_server_start(folder(true), w->port, NULL);
      w->n_kills++;
    } else {
      redis_command(w->redis[0], NULL, NULL, 2, (const char *[]){"SCRIPT", "FLUSH"}, NULL);
      w->n_flushes++;
    }
  }
  w->n_ticks++;
  if (!w->recounting && w->n_ticks % 10 == 0)
    recount(w);
  /* The word of a grant is lost with the connection, and what says that one is back may be read before the answer that
   * somebody waits: so services ask again now and then. */
  if (w->n_ticks % ASK_AGAIN_TICKS == 0)
    on_grant(w, NULL, NULL);
  loop_timer_start(w->trouble, 1);
}

static void on_limit(void *arg) {
  World *w = arg;
  fprintf(stderr, "stuck: %d claims, %d granted, %d held, %d made, %d gone\n", w->n_uids, w->n_granted, w->n_held,
          w->n_ids, w->n_gone);
  abort();
}

static void on_number(void *arg, const RedisReply *r, const Error *err) {
  World *w = arg;
  assert_null(err);
  w->number = r->integer;
  loop_stop(w->loop);
}

static int64_t number(World *w, const char *command, const char *key) {
  redis_command(w->redis[0], on_number, w, 2, (const char *[]){command, key}, NULL);
  loop_run(w->loop);
  return w->number;
}

/* But for the uids that are spent: those go by themselves. */
static int64_t n_keys(World *w) {
  static const char *const COUNT = "return #redis.call('KEYS', '*') - #redis.call('KEYS', 'sp:*:spent:*')";
  redis_command(w->redis[0], on_number, w, 3, (const char *[]){"EVAL", COUNT, "0"}, NULL);
  loop_run(w->loop);
  return w->number;
}

static void on_pool(void *arg, const PoolRecord *p, const Error *err) {
  assert_null(err);
  loop_stop(((World *)arg)->loop);
}

static void on_connected(void *arg, bool connected) {
  World *w = arg;
  w->n_connected += connected ? 1 : -1;
  if (w->n_connected == REPLICAS && !w->started)
    loop_stop(w->loop);
}

static void run(int n_total, bool kill) {
  World *w = calloc(1, sizeof *w);
  w->n_total = n_total;
  w->kill = kill;
  w->loop = loop_new();
  w->limit = loop_timer_new(w->loop, on_limit, w);
  w->reconcile = loop_timer_new(w->loop, on_reconcile, w);
  w->trouble = loop_timer_new(w->loop, on_trouble, w);
  w->port = PORT + kill;
  w->server = redis_server_start(folder(kill), w->port, NULL);
  loop_timer_start(w->limit, STUCK_MS);
  char address[32];
  snprintf(address, sizeof address, "127.0.0.1:%d", w->port);
  for (int i = 0; i < REPLICAS; i++) {
    char replica[8];
    snprintf(replica, sizeof replica, "r%d", i);
    w->redis[i] = redis_client_new(w->loop, &(RedisConfig){.address = address});
    redis_client_on_state(w->redis[i], on_connected, w);
    w->state[i] = state_new(w->redis[i], replica);
  }
  loop_run(w->loop); /* until all are connected: nothing is repeated then for want of a server that still starts */
  w->started = true;
  state_on_grant(w->state[0], on_grant, w);
  state_pool_apply(w->state[0],
                   &(PoolRecord){.ns = "default", .name = "p", .template_name = "t", .replicas = POOL_SIZE}, on_pool,
                   w);
  loop_run(w->loop);
  int64_t keys = n_keys(w);
  QuotaRecord quota = {.ns = "default", .tenant = "t0", .max_live = QUOTA, .weight = 2};
  state_quota_set(w->state[0], &quota, on_quota, w);
  loop_run(w->loop);

  for (int i = 0; i < POOL_SIZE + CLAIMERS; i++)
    make(w);
  for (int i = 0; i < CLAIMERS; i++) {
    w->claimers[i].w = w;
    w->claimers[i].state = w->state[i % REPLICAS];
    snprintf(w->claimers[i].tenant, sizeof w->claimers[i].tenant, "t%d", i % TENANTS);
    w->claimers[i].soon = loop_timer_new(w->loop, on_soon, &w->claimers[i]);
    next_claim(&w->claimers[i]);
  }
  loop_timer_start(w->reconcile, 0);
  loop_timer_start(w->trouble, 10);
  loop_run(w->loop); /* until the last claim of each is held */
  loop_timer_stop(w->trouble);
  printf("%d claims, %d sandboxes granted (%d by waiting), %d left the queue, %d kills, %d flushes, %d calls "
         "repeated\n",
         w->n_uids, w->n_granted, w->n_waited, w->n_cancelled, w->n_kills, w->n_flushes, w->n_repeated);
  assert_true(w->n_waited > 0 && w->n_cancelled > 0 && w->n_granted >= n_total / 2);
  assert_true(kill ? w->n_kills > 3 && w->n_repeated > 0 : w->n_flushes > 3 && w->n_repeated == 0);

  printf("%d refused by a quota, %d recounts\n", w->n_refused, w->n_recounts);
  assert_true(w->n_refused > 0 && w->n_recounts > 3);

  w->ending = true;
  for (int i = 0; i < CLAIMERS; i++)
    let_go(&w->claimers[i]);
  loop_run(w->loop); /* until nothing is left */
  number(w, "DEL", "sp:{default}:quotas");
  assert_int_equal(n_keys(w), keys + 1);
  assert_int_equal(number(w, "EXISTS", "sp:{default}/p:events"), 1);
  assert_in_range(number(w, "XLEN", "sp:{default}/p:events"), 1, 4096 + 100);

  for (int i = 0; i < REPLICAS; i++) {
    redis_client_free(w->redis[i]);
    state_free(w->state[i]);
  }
  for (int i = 0; i < CLAIMERS; i++)
    loop_timer_free(w->claimers[i].soon);
  loop_timer_free(w->limit);
  loop_timer_free(w->reconcile);
  loop_timer_free(w->trouble);
  loop_free(w->loop);
  redis_server_kill(w->server);
  free(w);
}

static void scripts_flushed(void **state) {
  run(10000, false);
}
static void server_killed(void **state) {
  run(10000, true);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(scripts_flushed), cmocka_unit_test(server_killed)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
