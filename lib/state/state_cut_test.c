/* A server that is killed while it writes a script's changes to its file, at each of them; then another one, which is
 * used, and a third.
 *
 * What was cut off was never answered, so its caller repeats it, or something else happens first. Redis leaves half of
 * a transaction in the file and does it at the start after the next one (lib/redis/redis_info.h). Checked after each
 * start: sets, records, uids and charges agree, nothing of the half is there, and every claim that was told something
 * still has it.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/test.h"
#include "lib/redis/redis_aof_fixture.h"
#include "lib/redis/redis_server_fixture.h"
#include "lib/state/state_batch.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_fixture.h"
#include "lib/state/state_sandbox.h"

/* Of the first world; each has its own, for one that fails leaves its server. */
enum { PORT = 16400 };

typedef struct Cut {
  Fixture *f;
  char folder[32];
  int port;
  pid_t server;
} Cut;

static void restart(Cut *c, int commands, int *ret_left_out) {
  redis_server_kill(c->server);
  if (ret_left_out)
    *ret_left_out = redis_aof_cut(c->folder, commands);
  c->server = redis_server_start(c->folder, c->port, NULL);
}

/* UNAVAILABLE is all that a caller sees of a server that starts again; it repeats the same call. */
#define UNTIL_ANSWERED(f, call) \
  do {                          \
    call;                       \
    fixture_wait(f);            \
  } while ((f)->err.kind == ERROR_UNAVAILABLE)

static void claim(Cut *c, const char *uid, int64_t max_wait_ms) {
  ClaimRequest q = {
      .ns = "default", .pool = "p", .uid = uid, .request_id = "", .max_wait_ms = max_wait_ms, .tenant = "t"};
  UNTIL_ANSWERED(c->f, state_claim(c->f->state, &q, fixture_claimed, c->f));
  assert_int_equal(c->f->err.kind, 0);
}

static void ready(Cut *c, const char *id) {
  UNTIL_ANSWERED(c->f, state_ready(c->f->state, "default", id, "unix:/x", "gvisor", fixture_ready, c->f));
  assert_int_equal(c->f->err.kind, 0);
}

static void register_one(Cut *c, const char *id) {
  UNTIL_ANSWERED(c->f, state_register(c->f->state, "default", "p", "t", "h1", &id, 1, fixture_done, c->f));
  assert_int_equal(c->f->err.kind, 0);
}

static void confirm(Cut *c, const char *uid) {
  UNTIL_ANSWERED(c->f, state_confirm(c->f->state, "default", "p", uid, fixture_record, c->f));
  assert_int_equal(c->f->err.kind, 0);
}

static void let_go(Cut *c, const char *id, const char *uid) {
  UNTIL_ANSWERED(c->f, state_release(c->f->state, "default", id, uid, "Deleted", fixture_done, c->f));
  assert_int_equal(c->f->err.kind, 0);
}

static void gone(Cut *c, const char *id) {
  UNTIL_ANSWERED(c->f, state_gone(c->f->state, "default", id, fixture_done, c->f));
  assert_int_equal(c->f->err.kind, 0);
}

static void batch(Cut *c, const char *token) {
  BatchRequest b = {.each = {.ns = "default", .pool = "p", .uid = token, .request_id = "", .tenant = "t"},
                    .count = 2,
                    .min_count = 2};
  UNTIL_ANSWERED(c->f, state_batch(c->f->state, &b, fixture_batch, c->f));
  assert_int_equal(c->f->err.kind, 0);
}

static void holds(Cut *c, const char *id, const char *uid) {
  UNTIL_ANSWERED(c->f, state_get(c->f->state, "default", id, fixture_record, c->f));
  assert_int_equal(c->f->err.kind, 0);
  assert_int_equal(c->f->sandbox_state, SANDBOX_CLAIMED);
  assert_string_equal(c->f->uid, uid);
}

/* ---- what is cut off, and what its callers do then ---- */

#define BATCH "0123456789abcdef0123456789ab0000"

/* Two are ready, one is being made. */
static void world(Cut *c) {
  fixture_make_pool(c->f, 3);
  for (const char *const *id = (const char *const[]){"p-aaaaa", "p-bbbbb", NULL}; *id; id++) {
    register_one(c, *id);
    ready(c, *id);
  }
  register_one(c, "p-ccccc");
}

static void cut_ready(Cut *c) {
  ready(c, "p-ccccc");
}

/* It is given to a waiter, whom nothing led to the ready set. */
static void other_ready(Cut *c) {
  for (const char *const *uid = (const char *const[]){"u1", "u2", "u3", NULL}; *uid; uid++)
    claim(c, *uid, 60000);
  ready(c, "p-ccccc");
  confirm(c, "u3");
}

static void told_ready(Cut *c) {
  holds(c, "p-aaaaa", "u1");
  holds(c, "p-bbbbb", "u2");
  holds(c, "p-ccccc", "u3");
  claim(c, "u4", 0);
  assert_int_equal(c->f->outcome, CLAIM_EMPTY);
}

static void cut_claim(Cut *c) {
  claim(c, "u1", 0);
}

/* Another one was faster this time. */
static void other_claim(Cut *c) {
  claim(c, "u2", 0);
  claim(c, "u1", 0);
}

static void told_claim(Cut *c) {
  holds(c, "p-aaaaa", "u2");
  holds(c, "p-bbbbb", "u1");
}

static void cut_release(Cut *c) {
  claim(c, "u1", 0);
  claim(c, "u2", 0); /* of the same tenant, whose charge does not end with the first */
  let_go(c, "p-aaaaa", "u1");
}

static void other_release(Cut *c) {
  let_go(c, "p-aaaaa", "u1");
  gone(c, "p-aaaaa");
}

static void told_release(Cut *c) {
  holds(c, "p-bbbbb", "u2");
}

static void cut_batch(Cut *c) {
  batch(c, BATCH);
}

/* Two single claims come first; the batch finds nothing. */
static void other_batch(Cut *c) {
  claim(c, "u1", 0);
  claim(c, "u2", 0);
  batch(c, BATCH);
}

static void told_batch(Cut *c) {
  holds(c, "p-aaaaa", "u1");
  holds(c, "p-bbbbb", "u2");
}

static void cut_register(Cut *c) {
  register_one(c, "p-ddddd");
}

/* Whoever asked has died as well, and nobody asks again. */
static void other_register(Cut *c) {
  claim(c, "u1", 0);
}

static void told_register(Cut *c) {
  holds(c, "p-aaaaa", "u1");
}

static void cut_gone(Cut *c) {
  claim(c, "u1", 0);
  let_go(c, "p-aaaaa", "u1");
  gone(c, "p-aaaaa");
}

static void other_gone(Cut *c) {
  claim(c, "u2", 0);
  gone(c, "p-aaaaa");
}

static void told_gone(Cut *c) {
  holds(c, "p-bbbbb", "u2");
}

/* A waiter takes what it was granted: cut off; it has died meanwhile, and another replica lets its grant go. */
static void cut_confirm(Cut *c) {
  for (const char *const *uid = (const char *const[]){"u1", "u2", "u3", NULL}; *uid; uid++)
    claim(c, *uid, 60000);
  ready(c, "p-ccccc");
  confirm(c, "u3");
}

static void other_confirm(Cut *c) {
  UNTIL_ANSWERED(c->f, state_cancel_wait(c->f->state, "default", "p", "u3", fixture_done, c->f));
  assert_int_equal(c->f->err.kind, 0);
  gone(c, "p-ccccc");
}

static void told_confirm(Cut *c) {
  holds(c, "p-aaaaa", "u1");
  holds(c, "p-bbbbb", "u2");
  fixture_get(c->f, "p-ccccc");
  assert_int_equal(c->f->err.kind, ERROR_NOT_FOUND);
}

typedef struct Case {
  void (*cut)(Cut *c), (*other)(Cut *c), (*told)(Cut *c);
} Case;

static void audit(Cut *c) {
  char complaint[256];
  fixture_audit(c->f, complaint, sizeof complaint);
  assert_string_equal(complaint, "");
}

/* false: the transaction has no more than so many commands. */
static bool cut_at(const Case *k, int commands) {
  static int n_worlds;
  Cut c = {.port = PORT + n_worlds++};
  char address[32];
  snprintf(c.folder, sizeof c.folder, "cut-%d", c.port);
  snprintf(address, sizeof address, "127.0.0.1:%d", c.port);
  c.server = redis_server_start(c.folder, c.port, NULL);
  c.f = fixture_new_at("r1", &(RedisConfig){.address = address});
  world(&c);
  k->cut(&c);
  int left_out;
  restart(&c, commands, &left_out);
  if (left_out > 0) {
    audit(&c);
    k->other(&c);
    audit(&c);
    restart(&c, 0, NULL);
    audit(&c);
    k->told(&c);
  }
  fixture_free(c.f);
  redis_server_kill(c.server);
  return left_out > 0;
}

static void cut_everywhere(void **state) {
  int n = 0;
  while (cut_at(*state, n))
    n++;
  printf("cut at %d places\n", n);
  assert_true(n >= 3);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      {"ready", cut_everywhere, NULL, NULL, &(Case){cut_ready, other_ready, told_ready}},
      {"claim", cut_everywhere, NULL, NULL, &(Case){cut_claim, other_claim, told_claim}},
      {"release", cut_everywhere, NULL, NULL, &(Case){cut_release, other_release, told_release}},
      {"batch", cut_everywhere, NULL, NULL, &(Case){cut_batch, other_batch, told_batch}},
      {"register", cut_everywhere, NULL, NULL, &(Case){cut_register, other_register, told_register}},
      {"gone", cut_everywhere, NULL, NULL, &(Case){cut_gone, other_gone, told_gone}},
      {"confirm", cut_everywhere, NULL, NULL, &(Case){cut_confirm, other_confirm, told_confirm}},
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
