/* Users of this machine, lent to sandboxes one each: what the kernel counts by user (inotify instances, pending
 * signals, the pages of pipes, keys) one sandbox cannot use up for another, and what breaks out of one owns nothing of
 * another. No names: nobody else is to have the numbers. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_UID_POOL_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_UID_POOL_H_

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct UidPool UidPool;

/* base above 0; count at least 1. */
UidPool *uid_pool_new(uid_t base, size_t count);
void uid_pool_free(UidPool *p); /* NULL-safe */

/* One that nobody has: of those the one that was given back longest ago, or never lent. 0: all are lent. */
uid_t uid_pool_take(UidPool *p);
/* One that somebody has already, of an earlier run. false: it is lent, or none of these. */
bool uid_pool_hold(UidPool *p, uid_t uid);
/* When no process has it any more. One that is not lent is let be. */
void uid_pool_give_back(UidPool *p, uid_t uid);

#endif
