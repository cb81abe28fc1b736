/* See redis_set_fixture.h. */
#include "lib/redis/redis_set_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"

enum { FIRST_PORT = 16400, SENTINEL_PORT = 16410 };

static void start_server(RedisSet *set, int i) {
  char folder[16], port[16];
  snprintf(folder, sizeof folder, "s%d", i);
  snprintf(port, sizeof port, "%d", FIRST_PORT + set->master);
  const char *extra[] = {"--repl-diskless-sync-delay",
                         "0",
                         "--repl-ping-replica-period",
                         "1",
                         i == set->master ? NULL : "--replicaof",
                         "127.0.0.1",
                         port,
                         NULL};
  set->servers[i] = redis_server_start(folder, FIRST_PORT + i, extra);
}

void redis_set_start(RedisSet *set) {
  *set = (RedisSet){.master = 0};
  for (int i = 0; i < REDIS_SET_SIZE; i++)
    start_server(set, i);
  redis_cli_until(FIRST_PORT, "info replication", "connected_slaves:2");
  for (int i = 0; i < REDIS_SET_SIZE; i++) {
    char folder[16];
    snprintf(folder, sizeof folder, "sentinel%d", i);
    set->sentinels[i] = redis_sentinel_start(folder, SENTINEL_PORT + i, REDIS_SET_NAME, FIRST_PORT, 2, "");
  }
  for (int i = 0; i < REDIS_SET_SIZE; i++)
    redis_cli_until(SENTINEL_PORT + i, "info sentinel", "slaves=2,sentinels=3");
}

/* As the first Sentinel says, once it is not the old one. */
static int master_but(int old) {
  for (int i = 0; i < 1200; i++) {
    char answer[128];
    const char *question = "sentinel get-master-addr-by-name " REDIS_SET_NAME;
    char *line = redis_cli(SENTINEL_PORT, answer, sizeof answer, question) ? strchr(answer, '\n') : NULL;
    int master = line ? (int)str_leading_int64(line + 1, 0) - FIRST_PORT : old;
    if (master != old)
      return master;
    usleep(50000);
  }
  fprintf(stderr, "server %d is still the master\n", old);
  abort();
}

void redis_set_kill_master(RedisSet *set) {
  /* on a machine that is busy, they may have chosen another by themselves */
  set->master = master_but(-1);
  redis_server_kill(set->servers[set->master]);
  set->servers[set->master] = 0;
}

void redis_set_mend(RedisSet *set) {
  int dead = set->master;
  set->master = master_but(dead);
  start_server(set, dead);
  redis_cli_until(FIRST_PORT + set->master, "info replication", "connected_slaves:2");
  for (int i = 0; i < REDIS_SET_SIZE; i++)
    redis_cli_until(SENTINEL_PORT + i, "info sentinel", "status=ok");
}

void redis_set_stop(RedisSet *set) {
  for (int i = 0; i < REDIS_SET_SIZE; i++) {
    if (set->servers[i])
      redis_server_kill(set->servers[i]);
    redis_server_kill(set->sentinels[i]);
  }
}
