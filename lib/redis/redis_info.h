/* The text of INFO: lines of "name:value". */
#ifndef SANDPLANE_LIB_REDIS_REDIS_INFO_H_
#define SANDPLANE_LIB_REDIS_REDIS_INFO_H_

#include <stdint.h>

#include "lib/redis/redis.h"

/* The value of a line, up to the end of the text; empty: there is none. */
const char *redis_info_value(const RedisReply *info, const char *name);
/* The same as a number; otherwise: there is none. */
int64_t redis_info_number(const RedisReply *info, const char *name, int64_t otherwise);

#endif
