/* See redis_lineage.h. */
#include "lib/redis/redis_lineage.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/redis/redis_info.h"

int redis_lineage_parse(const RedisReply *reply, char out[REDIS_LINEAGE_LEN + 1], Error *err) {
  if (!str_starts_with(redis_info_value(reply, "role"), "master"))
    return error_set(err, ERROR_UNAVAILABLE, "state store: the server is a replica, not a master");
  const char *id = redis_info_value(reply, "master_replid");
  if (strspn(id, "0123456789abcdef") < REDIS_LINEAGE_LEN - 1)
    return error_set(err, ERROR_UNAVAILABLE, "state store: the server does not tell its replication id");
  memcpy(out, id, REDIS_LINEAGE_LEN - 1);
  /* all zeros while it never was a replica of another */
  const char *before = redis_info_value(reply, "master_replid2");
  out[REDIS_LINEAGE_LEN - 1] = strspn(before, "0") == strspn(before, "0123456789abcdef") ? '-' : '+';
  out[REDIS_LINEAGE_LEN] = 0;
  return 0;
}
