/* See redis_info.h. */
#include "lib/redis/redis_info.h"

#include <string.h>

#include "lib/base/str.h"

const char *redis_info_value(const RedisReply *info, const char *name) {
  size_t len = strlen(name);
  const char *text = info->type == REDIS_STRING ? info->str : "";
  for (const char *at = text; (at = strstr(at, name)); at += len)
    if ((at == text || at[-1] == '\n') && at[len] == ':')
      return at + len + 1;
  return "";
}

int64_t redis_info_number(const RedisReply *info, const char *name, int64_t otherwise) {
  return str_leading_int64(redis_info_value(info, name), otherwise);
}
