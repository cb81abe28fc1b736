/* Work on the shared state without the services: fills pools with records of ready sandboxes, as pools and the
 * reconciler would, and measures the claim and release scripts alone, by the pipelined client of lib/redis.
 * Nothing runs behind the records. Prints JSON, a line for each script. */
#include <string.h>

#include "e2e/bench/bench.h"
#include "e2e/bench/samples.h"
#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/loop/loop.h"
#include "lib/state/state.h"
#include "lib/state/state_claim.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"

#define NS "default"
#define HASH "00000000"

enum { FILL_DEPTH = 512, REGISTER_AT_ONCE = 500, RELEASING_MAX = 1000 };

typedef struct Config {
  const char *mode, *redis, *pool;
  int64_t pools, count, first, depth;
} Config;

static const ConfigItem ITEMS[] = {
    {"mode", "SANDPLANE_LOAD_MODE", CONFIG_STRING, offsetof(Config, mode), "fill", 0, 0, false, "fill or claim"},
    {"redis-address", "SANDPLANE_REDIS_ADDRESS", CONFIG_ADDRESS, offsetof(Config, redis), "127.0.0.1:6379", 0, 0, false,
     "the shared state"},
    {"pool", "SANDPLANE_LOAD_POOL", CONFIG_STRING, offsetof(Config, pool), "bench", 0, 0, false,
     "pool, in the namespace " NS},
    {"pools", "SANDPLANE_LOAD_POOLS", CONFIG_INT, offsetof(Config, pools), "1", 1, 100000, false,
     "more than 1: POOL-0, POOL-1..."},
    {"count", "SANDPLANE_LOAD_COUNT", CONFIG_INT, offsetof(Config, count), "100", 1, 10000000, false,
     "fill: ready sandboxes a pool shall have; claim: claims in all, the same number of each pool"},
    {"first", "SANDPLANE_LOAD_FIRST", CONFIG_INT, offsetof(Config, first), "0", 0, 60000000, false,
     "fill: number of the first new sandbox, which makes its name"},
    {"depth", "SANDPLANE_LOAD_DEPTH", CONFIG_INT, offsetof(Config, depth), "1", 1, 10000, false,
     "claim: scripts under way at a time"},
};
static const ConfigTable TABLE = {.program = "state_load",
                                  .summary = "Fills pools of the shared state and measures its scripts.",
                                  .items = ITEMS,
                                  .n_items = ARRAY_LEN(ITEMS)};

typedef struct Bench Bench;

typedef struct Op {
  Bench *bench;
  int64_t start_us;
  char id[STATE_NAME_MAX + 1];
} Op;

struct Bench {
  const Config *config;
  Loop *loop;
  State *state;
  char pool[STATE_NAME_MAX + 1];
  int64_t first; /* of the names to make next */
  Op *ops;
  size_t n, next, under_way, depth;
  void (*start)(Bench *b, size_t i);
  int64_t n_ready;
  int64_t errors;
  Samples samples;
};

static void failed(Bench *b, const Error *err) {
  if (b->errors++ == 0)
    fprintf(stderr, "state_load: %s: %s\n", error_kind_name(err->kind), err->message);
}

/* ---- n steps, depth of them at a time ---- */

static void pump(Bench *b) {
  while (b->under_way < b->depth && b->next < b->n) {
    b->under_way++;
    b->start(b, b->next++);
  }
  if (b->under_way == 0)
    loop_stop(b->loop);
}

static void step_done(Bench *b, const Error *err) {
  if (err)
    failed(b, err);
  b->under_way--;
  pump(b);
}

static void each(Bench *b, size_t n, size_t depth, void (*start)(Bench *b, size_t i)) {
  b->n = n;
  b->next = 0;
  b->depth = depth;
  b->start = start;
  if (n == 0)
    return;
  pump(b);
  loop_run(b->loop);
}

static void on_done(void *arg, const Error *err) {
  step_done(arg, err);
}

/* ---- fill ---- */

static void id_of(const Bench *b, size_t i, char id[STATE_NAME_MAX + 1]) {
  static const char DIGITS[] = "0123456789abcdefghijklmnopqrstuvwxyz";
  char suffix[STATE_SUFFIX_LEN + 1] = {0};
  int64_t number = b->first + (int64_t)i;
  for (int at = STATE_SUFFIX_LEN - 1; at >= 0; at--, number /= 36)
    suffix[at] = DIGITS[number % 36];
  snprintf(id, STATE_NAME_MAX + 1, "%.57s-%s", b->pool, suffix);
}

static void on_pool(void *arg, const PoolRecord *pool, const Error *err) {
  Bench *b = arg;
  b->n_ready = pool ? pool->n_ready : 0;
  step_done(b, err);
}

static void start_pool(Bench *b, size_t i) {
  PoolRecord spec = {
      .ns = NS, .name = b->pool, .template_name = "bench", .replicas = (int)b->config->count, .strategy = 1};
  state_pool_apply(b->state, &spec, on_pool, b);
}

static void on_hash(void *arg, int n, const Error *err) {
  step_done(arg, err);
}

static void start_hash(Bench *b, size_t i) {
  state_pool_set_hash(b->state, NS, b->pool, HASH, "100/1000", on_hash, b);
}

static void on_releasing(void *arg, const char *const *ids, size_t n, const Error *err) {
  Bench *b = arg;
  b->n_ready = 0; /* how many are to go */
  for (size_t i = 0; !err && i < n && i < RELEASING_MAX; i++)
    snprintf(b->ops[b->n_ready++].id, sizeof b->ops[i].id, "%s", ids[i]);
  step_done(b, err);
}

static void start_releasing(Bench *b, size_t i) {
  state_releasing(b->state, NS, b->pool, on_releasing, b);
}

static void start_gone(Bench *b, size_t i) {
  state_gone(b->state, NS, b->ops[i].id, on_done, b);
}

static size_t n_missing(const Bench *b) {
  return b->n_ready < b->config->count ? (size_t)(b->config->count - b->n_ready) : 0;
}

static void start_register(Bench *b, size_t i) {
  char ids[REGISTER_AT_ONCE][STATE_NAME_MAX + 1];
  const char *list[REGISTER_AT_ONCE];
  size_t n = 0;
  for (size_t k = i * REGISTER_AT_ONCE; n < REGISTER_AT_ONCE && k < n_missing(b); k++, n++) {
    id_of(b, k, ids[n]);
    list[n] = ids[n];
  }
  state_register(b->state, NS, b->pool, "bench", HASH, list, n, on_done, b);
}

static void on_ready(void *arg, bool granted, const Error *err) {
  step_done(arg, err);
}

static void start_ready(Bench *b, size_t i) {
  char id[STATE_NAME_MAX + 1];
  id_of(b, i, id);
  state_ready(b->state, NS, id, "unix:/run/bench", "process", on_ready, b);
}

static void name_pool(Bench *b, int64_t i) {
  if (b->config->pools > 1)
    snprintf(b->pool, sizeof b->pool, "%.50s-%lld", b->config->pool, (long long)i);
  else
    snprintf(b->pool, sizeof b->pool, "%.57s", b->config->pool);
}

static void fill(Bench *b) {
  b->ops = xcalloc(RELEASING_MAX, sizeof *b->ops);
  for (int64_t i = 0; i < b->config->pools && b->errors == 0; i++) {
    name_pool(b, i);
    each(b, 1, 1, start_pool);
    each(b, 1, 1, start_hash);
    do {
      each(b, 1, 1, start_releasing);
      each(b, (size_t)b->n_ready, FILL_DEPTH, start_gone);
    } while (b->n_ready == RELEASING_MAX && b->errors == 0);
    each(b, 1, 1, start_pool);
    size_t n = n_missing(b);
    each(b, (n + REGISTER_AT_ONCE - 1) / REGISTER_AT_ONCE, 4, start_register);
    each(b, n, FILL_DEPTH, start_ready);
    b->first += (int64_t)n;
  }
}

/* ---- claim ---- */

static void op_done(Op *op, const Error *err) {
  samples_add(&op->bench->samples, clock_mono_us() - op->start_us);
  step_done(op->bench, err);
}

static void on_claimed(void *arg, const ClaimResult *r, const Error *err) {
  Op *op = arg;
  if (!err && r->outcome == CLAIM_GRANTED)
    snprintf(op->id, sizeof op->id, "%s", r->record->id);
  else if (!err)
    op->bench->errors++;
  op_done(op, err);
}

static void start_claim(Bench *b, size_t i) {
  char uid[33];
  int64_t per_pool = (b->config->count + b->config->pools - 1) / b->config->pools;
  random_uid(uid);
  name_pool(b, (int64_t)i / per_pool);
  ClaimRequest request = {.ns = NS, .pool = b->pool, .uid = uid, .request_id = ""};
  b->ops[i] = (Op){.bench = b, .start_us = clock_mono_us()};
  state_claim(b->state, &request, on_claimed, &b->ops[i]);
}

static void on_released(void *arg, const Error *err) {
  op_done(arg, err);
}

static void start_release(Bench *b, size_t i) {
  b->ops[i].start_us = clock_mono_us();
  state_release(b->state, NS, b->ops[i].id, "", "Deleted", on_released, &b->ops[i]);
}

static void measure(Bench *b, const char *what, void (*start)(Bench *b, size_t i)) {
  b->samples.n = 0;
  int64_t start_us = clock_mono_us(), cpu = samples_cpu_us();
  each(b, (size_t)b->config->count, (size_t)b->config->depth, start);
  double n = (double)b->config->count, us = (double)(clock_mono_us() - start_us);
  printf("{\"mode\":\"%s\",\"depth\":%lld,\"calls\":%lld,\"errors\":%lld,\"rate\":%.0f,\"p50_ms\":%.3f,"
         "\"p99_ms\":%.3f,\"cpu_us\":%.1f}\n",
         what, (long long)b->config->depth, (long long)b->config->count, (long long)b->errors, n * 1e6 / us,
         samples_ms(&b->samples, 50), samples_ms(&b->samples, 99), (double)(samples_cpu_us() - cpu) / n);
}

static void claim(Bench *b) {
  b->ops = xcalloc((size_t)b->config->count, sizeof *b->ops);
  /* the connection, before anything is measured */
  each(b, 1, 1, start_pool);
  measure(b, "claim", start_claim);
  if (b->errors == 0)
    measure(b, "release", start_release);
}

int main(int argc, char **argv) {
  Config config;
  int rc = bench_config(&TABLE, argc, argv, &config);
  if (rc >= 0)
    return rc;
  bool filling = str_equal(config.mode, "fill");
  if (!filling && !str_equal(config.mode, "claim")) {
    fprintf(stderr, "state_load: --mode: \"%s\" is neither fill nor claim\n", config.mode);
    return 2;
  }
  Bench b = {.config = &config, .loop = loop_new(), .first = config.first};
  RedisClient *redis = redis_client_new(b.loop, &(RedisConfig){.address = config.redis});
  b.state = state_new(redis, "bench");
  name_pool(&b, 0);
  if (filling)
    fill(&b);
  else
    claim(&b);
  samples_deinit(&b.samples);
  free(b.ops);
  redis_client_free(redis);
  state_free(b.state);
  loop_free(b.loop);
  return b.errors > 0;
}
