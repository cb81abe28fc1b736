/* Which server this is, and whether it took another's place: what INFO tells of its replication. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_LINEAGE_H_
#define SANDPLANE_LIB_REDIS_REDIS_LINEAGE_H_

#include "lib/redis/redis.h"

/* From the reply to INFO replication. -1: it is no master, or says nothing of it. */
int redis_lineage_parse(const RedisReply *reply, char out[REDIS_LINEAGE_LEN + 1], Error *err) MUST_CHECK;

#endif
