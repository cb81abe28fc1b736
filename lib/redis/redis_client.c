/* See redis.h. What a client is made of: a server (redis_node.h), or those of a cluster (redis_cluster.h); who knows
 * the master (redis_sentinel.h); and a second connection for messages. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/redis/redis.h"
#include "lib/redis/redis_cluster.h"
#include "lib/redis/redis_config.h"
#include "lib/redis/redis_later.h"
#include "lib/redis/redis_node.h"
#include "lib/redis/redis_request.h"
#include "lib/redis/redis_scripts.h"
#include "lib/redis/redis_sentinel.h"
#include "lib/redis/redis_slots.h"
#include "lib/redis/redis_subscriber.h"

/* One server; or a cluster. */
struct RedisClient {
  Loop *loop;
  RedisConfig config;
  RedisLater *later;
  RedisNode *node;
  RedisCluster *cluster;
  RedisSentinel *sentinel;
  char *master; /* as the Sentinels say; NULL: not known */
  RedisSubscriber *subscriber;
  RedisKnownScript *scripts; /* for their digests */
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
  if (str_equal(c->master, address))
    return;
  log_event(LOG_INFO, "redis_master", LOG_STR("name", c->config.master_name), LOG_STR("address", address));
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
  RedisRequest *r = redis_request_command(fn, arg, argc, argv, lens);
  if (c->cluster)
    r->slot = redis_slot_of_command(argc, argv, lens);
  submit(c, r);
}

void redis_script(RedisClient *c, RedisFn fn, void *arg, const RedisScript *script, size_t n_keys, size_t argc,
                  const char *const *argv, const size_t *lens) {
  const char *digest = redis_scripts_find(&c->scripts, script)->digest;
  RedisRequest *r = redis_request_script(fn, arg, script, digest, n_keys, argc, argv, lens);
  if (c->cluster)
    r->slot = n_keys ? redis_slot_of_key(argv[0], lens ? lens[0] : strlen(argv[0])) : REDIS_SLOT_ANY;
  submit(c, r);
}

void redis_fail_later(RedisClient *c, RedisFn fn, void *arg, const Error *err) {
  redis_later_add(c->later, fn, arg, err);
}

RedisClient *redis_client_new(Loop *loop, const RedisConfig *config) {
  RedisClient *c = new0(RedisClient);
  c->loop = loop;
  c->config = redis_config_copy(config);
  c->later = redis_later_new(loop);
  if (c->config.cluster) {
    c->cluster = redis_cluster_new(loop, &c->config, c->later, on_state, c);
    return c;
  }
  bool sentinels = !str_empty(c->config.sentinels);
  const RedisNodeHandlers handlers = {.on_state = on_node_state, .why = sentinels ? why : NULL};
  c->node = redis_node_new(loop, &c->config, sentinels ? NULL : c->config.address, c->later, &handlers, c);
  if (sentinels)
    c->sentinel = redis_sentinel_new(loop, &c->config, on_master, c);
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
  redis_later_drain(c->later);
  redis_cluster_free(c->cluster);
  redis_node_free(c->node);
  redis_later_free(c->later);
  redis_scripts_free(c->scripts);
  redis_config_deinit(&c->config);
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

void redis_subscribe(RedisClient *c, const char *channel, void (*fn)(void *arg, const char *message, size_t len),
                     void *arg) {
  if (!c->subscriber) {
    const char *address = c->sentinel ? c->master : c->config.address;
    c->subscriber = redis_subscriber_new(c->loop, &c->config, REDIS_PEER_ANY, address);
  }
  redis_subscriber_add(c->subscriber, channel, fn, arg);
}
