/* What a server tells of itself: the text of INFO, lines of "name:value".
 *
 * Whether what it has started with may be built upon is in there as well. A script's writes stand in the append-only
 * file between MULTI and EXEC. A server that is killed while it writes them leaves them cut off. The next one leaves
 * them out, rightly: nobody was told of them. But it cuts the file only back to the end of its last whole command, so
 * the MULTI and some of the writes stay, without an EXEC; what is acknowledged from then on is appended behind them,
 * and the start after that one takes all of it for one transaction: half a script is done then, long after, and before
 * what was built on its not being done (Redis 7.0.15; docs/state.md has the whole story). In memory such a server is
 * right until it ends. So after each start its file is written anew from its memory (BGREWRITEAOF) before the first
 * command of ours. Whether that was done since the start is counted by the server itself, so that any number of clients
 * agree on it, and a connection that was merely lost costs nothing.
 */
#ifndef SANDPLANE_LIB_REDIS_REDIS_INFO_H_
#define SANDPLANE_LIB_REDIS_REDIS_INFO_H_

#include <stdint.h>

#include "lib/redis/redis.h"

typedef enum RedisAof {
  REDIS_AOF_CLEAN,     /* written anew since the start, or it keeps none */
  REDIS_AOF_WRITING,   /* about to be: look again */
  REDIS_AOF_INHERITED, /* as the server before left it */
} RedisAof;

/* From the reply to INFO persistence. A reply that does not tell (a Redis before 7.0) is INHERITED for ever. */
RedisAof redis_info_aof(const RedisReply *persistence);
/* Which server this is, and whether it took another's place, from the reply to INFO replication. -1: it is no master,
 * or says nothing of it. */
int redis_info_lineage(const RedisReply *replication, char out[REDIS_LINEAGE_LEN + 1], Error *err) MUST_CHECK;

#endif
