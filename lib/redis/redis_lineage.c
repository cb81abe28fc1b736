/* See redis_lineage.h. */
#include "lib/redis/redis_lineage.h"

#include <string.h>

#include "lib/base/str.h"

/* The value of "name:value\r\n", as far as the line goes. */
static const char *line_of(const char *text, const char *name) {
  size_t len = strlen(name);
  for (const char *at = text; (at = strstr(at, name)); at += len)
    if ((at == text || at[-1] == '\n') && at[len] == ':')
      return at + len + 1;
  return "";
}

int redis_lineage_parse(const RedisReply *reply, char out[REDIS_LINEAGE_LEN + 1], Error *err) {
  const char *text = reply->type == REDIS_STRING ? reply->str : "";
  if (!str_starts_with(line_of(text, "role"), "master"))
    return error_set(err, ERROR_UNAVAILABLE, "state store: the server is a replica, not a master");
  const char *id = line_of(text, "master_replid");
  if (strspn(id, "0123456789abcdef") < REDIS_LINEAGE_LEN - 1)
    return error_set(err, ERROR_UNAVAILABLE, "state store: the server does not tell its replication id");
  memcpy(out, id, REDIS_LINEAGE_LEN - 1);
  /* all zeros while it never was a replica of another */
  const char *before = line_of(text, "master_replid2");
  out[REDIS_LINEAGE_LEN - 1] = strspn(before, "0") == strspn(before, "0123456789abcdef") ? '-' : '+';
  out[REDIS_LINEAGE_LEN] = 0;
  return 0;
}
