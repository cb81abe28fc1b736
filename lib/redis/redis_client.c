/* See redis.h. What a client is made of: a server (redis_node.h), or those of a cluster (redis_cluster.h); who knows
 * the master (redis_sentinel.h); and a second connection for messages. */
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/redis/redis.h"
#include "lib/redis/redis_cluster.h"
#include "lib/redis/redis_node.h"
#include "lib/redis/redis_sentinel.h"
#include "lib/redis/redis_shared.h"
#include "lib/redis/redis_subscriber.h"

/* One server; or a cluster. */
struct RedisClient {
  RedisShared *shared;
  RedisNode *node;
  RedisCluster *cluster;
  RedisSentinel *sentinel;
  char *master; /* as the Sentinels say; NULL: not known */
  RedisSubscriber *subscriber;
  void (*on_state)(void *arg, bool connected);
  void *state_arg;
};

static void on_state(void *arg, bool connected) {
  RedisClient *c = arg;
  if (c->on_state)
    c->on_state(c->state_arg, connected);
}

static void on_node_state(void *arg, RedisNode *node, bool connected) {
  on_state(arg, connected);
}

static const char *why(void *arg) {
  RedisClient *c = arg;
  return redis_sentinel_trouble(c->sentinel);
}

static void on_master(void *arg, const char *address) {
  RedisClient *c = arg;
  RedisShared *s = c->shared;
  if (str_equal(c->master, address))
    return;
  if (s->events.on_master)
    s->events.on_master(s->events_arg, s->config.master_name, address);
  free(c->master);
  c->master = str_dup(address);
  redis_node_redirect(c->node, address);
  if (c->subscriber)
    redis_subscriber_redirect(c->subscriber, address);
}

static void submit(RedisClient *c, RedisRequest *r) {
  if (c->cluster)
    redis_cluster_submit(c->cluster, r);
  else
    redis_node_submit(c->node, r);
}

void redis_command(RedisClient *c, RedisFn fn, void *arg, size_t argc, const char *const *argv, const size_t *lens) {
  submit(c, redis_request_new(fn, arg, argc, argv, lens));
}

void redis_script(RedisClient *c, RedisFn fn, void *arg, const RedisScript *script, size_t n_keys, size_t argc,
                  const char *const *argv, const size_t *lens) {
  submit(c, redis_request_script(fn, arg, script, n_keys, argc, argv, lens));
}

void redis_fail_later(RedisClient *c, RedisFn fn, void *arg, const Error *err) {
  redis_shared_owe(c->shared, fn, arg, err);
}

RedisClient *redis_client_new(Loop *loop, const RedisConfig *config) {
  RedisClient *c = new0(RedisClient);
  RedisShared *s = c->shared = redis_shared_new(loop, config);
  if (s->config.cluster) {
    c->cluster = redis_cluster_new(s, on_state, c);
    return c;
  }
  bool sentinels = !str_empty(s->config.sentinels);
  const RedisNodeHandlers handlers = {.on_state = on_node_state, .why = sentinels ? why : NULL};
  c->node = redis_node_new(s, sentinels ? NULL : s->config.address, &handlers, c);
  if (sentinels)
    c->sentinel = redis_sentinel_new(s, on_master, c);
  return c;
}

void redis_client_free(RedisClient *c) {
  if (!c)
    return;
  redis_sentinel_free(c->sentinel);
  redis_subscriber_free(c->subscriber);
  if (c->cluster)
    redis_cluster_cancel(c->cluster);
  else
    redis_node_cancel(c->node);
  redis_shared_drain(c->shared);
  redis_cluster_free(c->cluster);
  redis_node_free(c->node);
  redis_shared_free(c->shared);
  free(c->master);
  free(c);
}

bool redis_client_connected(const RedisClient *c) {
  return c->cluster ? redis_cluster_connected(c->cluster) : redis_node_connected(c->node);
}

void redis_client_on_state(RedisClient *c, void (*fn)(void *arg, bool connected), void *arg) {
  c->on_state = fn;
  c->state_arg = arg;
}

void redis_client_on_events(RedisClient *c, const RedisEvents *events, void *arg) {
  c->shared->events = *events;
  c->shared->events_arg = arg;
}

void redis_subscribe(RedisClient *c, const char *channel, void (*fn)(void *arg, const char *message, size_t len),
                     void *arg) {
  if (!c->subscriber)
    c->subscriber =
        redis_subscriber_new(c->shared, REDIS_PEER_ANY, c->sentinel ? c->master : c->shared->config.address);
  redis_subscriber_add(c->subscriber, channel, fn, arg);
}
