/* See redis_info.h. */
#include "lib/redis/redis_info.h"

#include <string.h>

#include "lib/base/str.h"

/* The value of a line, up to the end of the text; empty: there is none. */
static const char *value(const RedisReply *info, const char *name) {
  size_t len = strlen(name);
  const char *text = info->type == REDIS_STRING ? info->str : "";
  for (const char *at = text; (at = strstr(at, name)); at += len)
    if ((at == text || at[-1] == '\n') && at[len] == ':')
      return at + len + 1;
  return "";
}

static int64_t number(const RedisReply *info, const char *name, int64_t otherwise) {
  return str_leading_int64(value(info, name), otherwise);
}

RedisAof redis_info_aof(const RedisReply *persistence) {
  if (number(persistence, "aof_enabled", 1) == 0)
    return REDIS_AOF_CLEAN;
  bool writing = number(persistence, "aof_rewrite_in_progress", 0) != 0;
  bool scheduled = number(persistence, "aof_rewrite_scheduled", 0) != 0;
  /* counted when they begin, and the status is of the last one that has ended */
  int64_t ended = number(persistence, "aof_rewrites", 0) - writing;
  if (ended > 0 && str_starts_with(value(persistence, "aof_last_bgrewrite_status"), "ok"))
    return REDIS_AOF_CLEAN;
  return writing || scheduled ? REDIS_AOF_WRITING : REDIS_AOF_INHERITED;
}

int redis_info_lineage(const RedisReply *replication, char out[REDIS_LINEAGE_LEN + 1], Error *err) {
  if (!str_starts_with(value(replication, "role"), "master"))
    return error_set(err, ERROR_UNAVAILABLE, "state store: the server is a replica, not a master");
  const char *id = value(replication, "master_replid");
  if (strspn(id, "0123456789abcdef") < REDIS_LINEAGE_LEN - 1)
    return error_set(err, ERROR_UNAVAILABLE, "state store: the server does not tell its replication id");
  memcpy(out, id, REDIS_LINEAGE_LEN - 1);
  /* all zeros while it never was a replica of another */
  const char *before = value(replication, "master_replid2");
  out[REDIS_LINEAGE_LEN - 1] = strspn(before, "0") == strspn(before, "0123456789abcdef") ? '-' : '+';
  out[REDIS_LINEAGE_LEN] = 0;
  return 0;
}
