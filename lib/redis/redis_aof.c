/* See redis_aof.h. */
#include "lib/redis/redis_aof.h"

#include "lib/base/str.h"
#include "lib/redis/redis_info.h"

RedisAof redis_aof_state(const RedisReply *persistence) {
  if (redis_info_number(persistence, "aof_enabled", 1) == 0)
    return REDIS_AOF_CLEAN;
  bool writing = redis_info_number(persistence, "aof_rewrite_in_progress", 0) != 0;
  bool scheduled = redis_info_number(persistence, "aof_rewrite_scheduled", 0) != 0;
  /* counted when they begin, and the status is of the last one that has ended */
  int64_t ended = redis_info_number(persistence, "aof_rewrites", 0) - writing;
  if (ended > 0 && str_starts_with(redis_info_value(persistence, "aof_last_bgrewrite_status"), "ok"))
    return REDIS_AOF_CLEAN;
  return writing || scheduled ? REDIS_AOF_WRITING : REDIS_AOF_INHERITED;
}
