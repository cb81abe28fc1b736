/* The one table of pools' settings: it makes --help, validation and the start-up dump. */
#include "services/pools/config.h"

#include <stddef.h>

static const ConfigItem ITEMS[] = {
    SERVICE_CONFIG_ITEMS(PoolsConfig, "127.0.0.1:7402", "127.0.0.1:7412", "SANDPLANE_POOLS_CONFIG"),
    REDIS_CONFIG_ITEMS(PoolsConfig),
    {"reconciler", "SANDPLANE_RECONCILER", CONFIG_STRING, offsetof(PoolsConfig, reconciler), "127.0.0.1:7403", 0, 0,
     false, "where sandboxes are made; several addresses with commas"},
    {"max-creating", "SANDPLANE_MAX_CREATING", CONFIG_INT, offsetof(PoolsConfig, max_creating), "64", 1, 10000, false,
     "sandboxes of one pool that are ordered and not ready at a time"},
    {"read-only", "SANDPLANE_POOLS_READ_ONLY", CONFIG_BOOL, offsetof(PoolsConfig, read_only), "false", 0, 0, false,
     "refuse changes of templates and pools: in a cluster they are objects of the API server"},
};

const ConfigTable POOLS_CONFIG = {
    .program = "sandplane-pools",
    .summary = "Templates and pools: how many warm sandboxes there should be, and which are stale.",
    .items = ITEMS,
    .n_items = sizeof ITEMS / sizeof ITEMS[0],
};
