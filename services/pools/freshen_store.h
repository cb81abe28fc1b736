/* Has pools know which template is fresh before whoever changed it is answered: a claim right behind the answer gets
 * what the change means.
 *
 * The leader finds out by itself as well, a moment later, and for changes that come another way. Any replica may call
 * these; the last change counts, whoever tells of it.
 */
#ifndef SANDPLANE_SERVICES_POOLS_FRESHEN_STORE_H_
#define SANDPLANE_SERVICES_POOLS_FRESHEN_STORE_H_

#include "lib/base/arena.h"
#include "services/pools/pools.h"

/* err NULL: they know. Otherwise some may not, and the same change made again makes up for it. */
typedef void (*FreshenFn)(void *arg, const Error *err);

/* fn runs later, once. arena: the caller's, which lives until then; so do the names. A pool or a template that is not
 * there has nothing to be told. */
void freshen_pool(Pools *pools, Arena *arena, const char *ns, const char *name, FreshenFn fn, void *arg);
/* Each pool of the template's namespace that it is for. */
void freshen_pools_of(Pools *pools, Arena *arena, const TemplateRecord *record, FreshenFn fn, void *arg);

#endif
