/* The pools one watcher looks at, and how far it is with each. */
#ifndef SANDPLANE_SERVICES_CLAIMS_WATCH_WATCH_POOLS_H_
#define SANDPLANE_SERVICES_CLAIMS_WATCH_WATCH_POOLS_H_

#include "services/claims/watch/resume.h"
#include "services/claims/watch/watch.h"

typedef struct WatchScope {
  char ns[STATE_NAME_MAX + 1];   /* empty: all */
  char pool[STATE_NAME_MAX + 1]; /* empty: all of ns; else ns is set */
  const AuthzPrincipal *who;     /* whose namespaces alone; NULL: any */
} WatchScope;

typedef enum WatchPoolPhase { WATCH_POOL_NEW, WATCH_POOL_FOLLOWED } WatchPoolPhase;

typedef struct WatchPool {
  char key[RESUME_POOL_SIZE]; /* "namespace/pool" */
  char ns[STATE_NAME_MAX + 1];
  char name[STATE_NAME_MAX + 1];
  WatchPoolPhase phase;
  bool dirty; /* its history may have grown */
  bool gone;
  char noted[RESUME_STREAM_ID_SIZE]; /* end of the history when the list began; empty: not noted */
  int64_t token_ms;                  /* time of the resume token, 0: none */
  WatchSet seen;
} WatchPool;

typedef struct WatchPools {
  WatchScope scope;
  WatchPool **items;
  size_t n;
} WatchPools;

void watch_pools_deinit(WatchPools *pools);
/* NULL: not there. */
WatchPool *watch_pools_find(const WatchPools *pools, const char *ns, const char *name);
/* The one that is there or a new one; NULL: not in scope. */
WatchPool *watch_pools_add(WatchPools *pools, const char *ns, const char *name);
WatchPool *watch_pools_add_key(WatchPools *pools, const char *key);
void watch_pools_remove(WatchPools *pools, WatchPool *pool);

#endif
