/* The servers of a Redis Cluster: one node for each master, the map of slots to them, and requests that were sent to
 * the wrong one.
 *
 * The map is read from any server of the cluster, each second, and at once when a request is sent elsewhere. What a
 * lost master was to get and did not waits for the one that takes its place. A slot's requests keep their order
 * except while it moves.
 */
#ifndef SANDPLANE_LIB_REDIS_REDIS_CLUSTER_H_
#define SANDPLANE_LIB_REDIS_REDIS_CLUSTER_H_

#include "lib/redis/redis.h"
#include "lib/redis/redis_node.h"

typedef struct RedisCluster RedisCluster;

/* on_state: true when every slot has a connected master. shared must outlive it. */
RedisCluster *redis_cluster_new(RedisShared *shared, void (*on_state)(void *arg, bool connected), void *arg);
/* As redis_node_cancel and redis_node_free. NULL-safe. */
void redis_cluster_cancel(RedisCluster *cluster);
void redis_cluster_free(RedisCluster *cluster);
void redis_cluster_submit(RedisCluster *cluster, RedisRequest *r);
bool redis_cluster_connected(const RedisCluster *cluster);

#endif
