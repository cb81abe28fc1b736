/* Claims while a master dies and its Sentinels make a replica master, twice.
 *
 * A small world: claimers claim, check, let go; a keeper makes new sandboxes and destroys what is RELEASING. What
 * is acknowledged is on all three servers (WAIT 2: with fewer, one that lacks it could be made master), so the dead
 * one is brought back as a replica. Checked: claims go on, no sandbox goes to two claims in its life, no
 * acknowledged claim is lost.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/redis/redis_set_fixture.h"
#include "lib/state/state.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"

enum { CLAIMERS = 16, WARM = 12, IDS_MAX = 20000, ROUND = 150 };

typedef struct World World;

typedef struct Claimer {
  World *w;
  char uid[16], id[16];
} Claimer;

struct World {
  Loop *loop;
  LoopTimer *limit, *keeper, *mender;
  RedisClient *redis;
  State *state;
  RedisSet set;
  Claimer claimers[CLAIMERS];
  char owner[IDS_MAX][16]; /* first claim of each sandbox, for ever */
  int n_ids, n_uids, n_granted, n_until, n_resting, n_held;
  int n_repeated;
  bool dies; /* the master, in this round */
  bool looking;
};

/* ---- claimers ---- */

static void next_claim(Claimer *c);

/* Whether to try again; any other failure is a defect. */
static bool again(World *w, const Error *err) {
  if (!err)
    return false;
  if (err->kind != ERROR_UNAVAILABLE)
    fail_msg("%s: %s", error_kind_name(err->kind), err->message);
  w->n_repeated++;
  return true;
}

static void on_let_go(void *arg, const Error *err) {
  Claimer *c = arg;
  if (again(c->w, err))
    return state_release(c->w->state, "default", c->id, c->uid, "Deleted", on_let_go, c);
  next_claim(c);
}

static void on_claimed(void *arg, const ClaimResult *r, const Error *err);

static void ask(Claimer *c) {
  ClaimRequest q = {.ns = "default", .pool = "p", .uid = c->uid, .request_id = ""};
  state_claim(c->w->state, &q, on_claimed, c);
}

/* Half of them hold what was acknowledged, the others are under way: now the master dies. */
static void rest(Claimer *c) {
  World *w = c->w;
  w->n_resting++;
  if (w->n_resting == CLAIMERS / 2 && w->dies) {
    redis_set_kill_master(&w->set);
    loop_timer_start(w->mender, 100);
  }
  if (w->n_resting == CLAIMERS)
    loop_stop(w->loop);
}

static void on_claimed(void *arg, const ClaimResult *r, const Error *err) {
  Claimer *c = arg;
  World *w = c->w;
  if (again(w, err) || r->outcome == CLAIM_EMPTY)
    return ask(c);
  assert_int_equal(r->outcome, CLAIM_GRANTED);
  char *owner = w->owner[str_leading_int64(r->record->id + 2, 0)];
  if (*owner)
    fail_msg("%s went to %s and to %s", r->record->id, owner, c->uid);
  snprintf(owner, sizeof w->owner[0], "%s", c->uid);
  snprintf(c->id, sizeof c->id, "%s", r->record->id);
  w->n_granted++;
  /* what they hold when enough was granted, they hold across the fail-over */
  if (w->n_granted >= w->n_until)
    return rest(c);
  state_release(w->state, "default", c->id, c->uid, "Deleted", on_let_go, c);
}

static void next_claim(Claimer *c) {
  snprintf(c->uid, sizeof c->uid, "u%d", ++c->w->n_uids);
  ask(c);
}

/* ---- the keeper ---- */

static void ignore_done(void *arg, const Error *err) {}
static void ignore_ready(void *arg, bool granted, const Error *err) {}

static void on_releasing(void *arg, const char *const *ids, size_t n, const Error *err) {
  World *w = arg;
  for (size_t i = 0; !err && i < n; i++)
    state_gone(w->state, "default", ids[i], ignore_done, NULL);
}

static void on_creating(void *arg, const char *const *ids, size_t n, const Error *err) {
  World *w = arg;
  for (size_t i = 0; !err && i < n; i++)
    state_ready(w->state, "default", ids[i], "unix:/x", "gvisor", ignore_ready, NULL);
}

static void on_pool(void *arg, const PoolRecord *p, const Error *err) {
  World *w = arg;
  w->looking = false;
  if (err)
    return;
  for (int64_t n = p->n_creating + p->n_ready; n < WARM; n++) {
    char id[16];
    snprintf(id, sizeof id, "p-%05d", ++w->n_ids);
    assert_true(w->n_ids < IDS_MAX);
    const char *ids[] = {id};
    state_register(w->state, "default", "p", "t", "h", ids, 1, ignore_done, NULL);
  }
  state_creating(w->state, "default", "p", on_creating, w);
  state_releasing(w->state, "default", "p", on_releasing, w);
}

static void on_keeper(void *arg) {
  World *w = arg;
  if (!w->looking)
    state_pool_get(w->state, "default", "p", on_pool, w);
  w->looking = true;
  loop_timer_start(w->keeper, 5);
}

/* ---- the run ---- */

/* Blocks the loop, which has nobody to talk to. */
static void on_mender(void *arg) {
  redis_set_mend(&((World *)arg)->set);
}

static void on_limit(void *arg) {
  World *w = arg;
  fprintf(stderr, "stuck: %d granted of %d, %d rest, %d made\n", w->n_granted, w->n_until, w->n_resting, w->n_ids);
  abort();
}

static void claim_some(World *w, bool dies) {
  w->dies = dies;
  w->n_resting = 0;
  w->n_until = w->n_granted + ROUND;
  for (int i = 0; i < CLAIMERS; i++)
    next_claim(&w->claimers[i]);
  loop_run(w->loop);
}

static void on_checked(void *arg, const SandboxRecord *r, const Error *err) {
  Claimer *c = arg;
  World *w = c->w;
  if (again(w, err))
    return state_get(w->state, "default", c->id, on_checked, c);
  if (r->state != SANDBOX_CLAIMED || strcmp(r->uid, c->uid) != 0)
    fail_msg("claim %s of %s was acknowledged, and is lost", c->uid, c->id);
  if (++w->n_held == CLAIMERS)
    loop_stop(w->loop);
}

static void check_held(World *w) {
  w->n_held = 0;
  for (int i = 0; i < CLAIMERS; i++)
    state_get(w->state, "default", w->claimers[i].id, on_checked, &w->claimers[i]);
  loop_run(w->loop);
}

static void on_applied(void *arg, const PoolRecord *p, const Error *err) {
  assert_null(err);
  loop_stop(((World *)arg)->loop);
}

static void masters_die(void **state) {
  World *w = calloc(1, sizeof *w);
  w->loop = loop_new();
  w->limit = loop_timer_new(w->loop, on_limit, w);
  w->keeper = loop_timer_new(w->loop, on_keeper, w);
  w->mender = loop_timer_new(w->loop, on_mender, w);
  redis_set_start(&w->set);
  w->redis = redis_client_new(w->loop, &(RedisConfig){.sentinels = REDIS_SET_SENTINELS,
                                                      .master_name = REDIS_SET_NAME,
                                                      .min_replicas = 2,
                                                      .connect_wait_ms = 20000});
  w->state = state_new(w->redis, "r");
  for (int i = 0; i < CLAIMERS; i++)
    w->claimers[i].w = w;
  loop_timer_start(w->limit, 60000);
  state_pool_apply(w->state, &(PoolRecord){.ns = "default", .name = "p", .template_name = "t", .replicas = WARM},
                   on_applied, w);
  loop_run(w->loop);
  on_keeper(w);
  claim_some(w, false);
  for (int round = 0; round < 2; round++) {
    loop_timer_start(w->limit, 100000);
    claim_some(w, true);
    check_held(w);
    printf("a master died: %d granted so far, %d calls repeated\n", w->n_granted, w->n_repeated);
  }
  loop_timer_stop(w->keeper);
  redis_client_free(w->redis);
  state_free(w->state);
  redis_set_stop(&w->set);
  loop_timer_free(w->limit);
  loop_timer_free(w->keeper);
  loop_timer_free(w->mender);
  loop_free(w->loop);
  free(w);
}

int main(void) {
  const struct CMUnitTest tests[] = {cmocka_unit_test(masters_die)};
  return cmocka_run_group_tests(tests, NULL, NULL);
}
