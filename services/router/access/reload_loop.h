/* Looks now and then whether the files that say who may come in have changed, and says in the log what came of it. */
#ifndef SANDPLANE_SERVICES_ROUTER_ACCESS_RELOAD_LOOP_H_
#define SANDPLANE_SERVICES_ROUTER_ACCESS_RELOAD_LOOP_H_

#include "lib/loop/loop.h"
#include "services/router/access/access.h"

typedef struct ReloadLoop ReloadLoop;

/* Says as well which doors are open. One for an Access, on any loop. */
ReloadLoop *reload_loop_new(Loop *loop, const Access *access);
void reload_loop_free(ReloadLoop *reload); /* NULL-safe */

#endif
