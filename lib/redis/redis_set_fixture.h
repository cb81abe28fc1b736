/* For tests: a master, two replicas and three Sentinels that judge by two voices, on ports 16400 and 16410 up. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_SET_FIXTURE_H_
#define SANDPLANE_LIB_REDIS_REDIS_SET_FIXTURE_H_

#include "lib/redis/redis_server_fixture.h"

enum { REDIS_SET_SIZE = 3 };

/* What clients are told; the first is nobody. */
#define REDIS_SET_SENTINELS "127.0.0.1:1,127.0.0.1:16410,127.0.0.1:16411,127.0.0.1:16412"
#define REDIS_SET_NAME "sp"

typedef struct RedisSet {
  pid_t servers[REDIS_SET_SIZE], sentinels[REDIS_SET_SIZE];
  int master; /* at the start, or as the Sentinels said last */
} RedisSet;

/* Returns when replicas are in step and Sentinels know of all. */
void redis_set_start(RedisSet *set);
/* SIGKILL to whoever is master; returns at once. */
void redis_set_kill_master(RedisSet *set);
/* Waits until there is another, starts the dead one again as its replica, and waits until all is well. */
void redis_set_mend(RedisSet *set);
void redis_set_stop(RedisSet *set);

#endif
