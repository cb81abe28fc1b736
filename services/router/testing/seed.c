/* Puts sandboxes into the shared state for the router's black-box tests, by the transitions that pools,
 * reconciler and claims make:
 *   seed REDIS make NS ID ROUTE                   a READY sandbox, with its pool
 *   seed REDIS claim NS POOL IDLE_MS [KEY=VALUE]  claims one; prints its id and uid
 *   seed REDIS claim-as NS POOL UID               the same under this uid
 *   seed REDIS fail NS ID REASON MESSAGE
 *   seed REDIS release NS ID
 *   seed REDIS gone NS ID                         nothing is left of it
 *   seed REDIS active NS ID                       prints when it was last in use
 *   seed REDIS address NS NAME [ROUTE]            where an object without a record answers; none: no longer
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/compiler.h"
#include "lib/base/str.h"
#include "lib/loop/loop.h"
#include "lib/state/state.h"
#include "lib/state/state_address.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"

typedef struct Seed {
  Loop *loop;
  State *state;
  char **args;
  char pool[STATE_NAME_MAX + 1];
  int rc;
} Seed;

static void done(Seed *s, const Error *err) {
  if (err)
    fprintf(stderr, "%s: %s\n", error_kind_name(err->kind), err->message);
  s->rc = err != NULL;
  loop_stop(s->loop);
}

static void on_done(void *arg, const Error *err) {
  done(arg, err);
}

static void on_ready(void *arg, bool granted, const Error *err) {
  done(arg, err);
}

static void on_registered(void *arg, const Error *err) {
  Seed *s = arg;
  if (err)
    done(s, err);
  else
    state_ready(s->state, s->args[0], s->args[1], s->args[2], "none", on_ready, s);
}

static void on_pool(void *arg, const PoolRecord *pool, const Error *err) {
  Seed *s = arg;
  const char *id = s->args[1];
  if (err)
    done(s, err);
  else
    state_register(s->state, s->args[0], s->pool, "t", "00000000", &id, 1, on_registered, s);
}

static void on_claim(void *arg, const ClaimResult *r, const Error *err) {
  Seed *s = arg;
  if (!err && r->outcome == CLAIM_GRANTED)
    printf("%s %s\n", r->record->id, r->record->uid);
  done(s, err);
  s->rc = s->rc || r->outcome != CLAIM_GRANTED;
}

static void on_record(void *arg, const SandboxRecord *r, const Error *err) {
  Seed *s = arg;
  if (!err)
    printf("%lld\n", (long long)r->active_ms);
  done(s, err);
}

static void make(Seed *s) {
  PoolRecord spec = {.ns = s->args[0], .name = s->pool, .template_name = "t", .replicas = 1};
  if (state_pool_of(s->args[1], s->pool))
    state_pool_apply(s->state, &spec, on_pool, s);
  else
    exit(2);
}

static void claim(Seed *s) {
  char uid[33];
  StatePair env[16];
  size_t n = 0;
  random_uid(uid);
  for (char **a = s->args + 3; *a && n < ARRAY_LEN(env); a++, n++) {
    char *equals = strchr(*a, '=');
    *equals = 0;
    env[n] = (StatePair){*a, equals + 1};
  }
  ClaimRequest request = {.ns = s->args[0], .pool = s->args[1], .uid = uid, .request_id = "", .env = env, .n_env = n};
  if (str_to_int64(s->args[2], 0, INT64_MAX, &request.idle_timeout_ms) != 0)
    exit(2);
  state_claim(s->state, &request, on_claim, s);
}

static void claim_as(Seed *s) {
  const ClaimRequest request = {.ns = s->args[0], .pool = s->args[1], .uid = s->args[2], .request_id = ""};
  state_claim(s->state, &request, on_claim, s);
}

int main(int argc, char **argv) {
  if (argc < 5)
    return 2;
  Seed s = {.loop = loop_new(), .args = argv + 3};
  RedisClient *redis = redis_client_new(s.loop, &(RedisConfig){.address = argv[1]});
  s.state = state_new(redis, "seed");
  const char *command = argv[2];
  if (str_equal(command, "make"))
    make(&s);
  else if (str_equal(command, "claim"))
    claim(&s);
  else if (str_equal(command, "claim-as") && argc > 5)
    claim_as(&s);
  else if (str_equal(command, "fail"))
    state_failed(s.state, s.args[0], s.args[1], s.args[2], s.args[3], on_done, &s);
  else if (str_equal(command, "release"))
    state_release(s.state, s.args[0], s.args[1], "", "Test", on_done, &s);
  else if (str_equal(command, "gone"))
    state_gone(s.state, s.args[0], s.args[1], on_done, &s);
  else if (str_equal(command, "active"))
    state_get(s.state, s.args[0], s.args[1], on_record, &s);
  else if (str_equal(command, "address"))
    state_address_set(s.state, s.args[0], s.args[1], s.args[2], on_done, &s);
  else
    return 2;
  loop_run(s.loop);
  redis_client_free(redis);
  state_free(s.state);
  loop_free(s.loop);
  return s.rc;
}
