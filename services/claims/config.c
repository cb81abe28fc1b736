/* The one table of claims' settings: it makes --help, validation and the start-up dump. */
#include "services/claims/config.h"

#include <stddef.h>

static const ConfigItem ITEMS[] = {
    SERVICE_CONFIG_ITEMS(ClaimsConfig, "127.0.0.1:7401", "127.0.0.1:7411", "SANDPLANE_CLAIMS_CONFIG"),
    REDIS_CONFIG_ITEMS(ClaimsConfig),
    {"router-url", "SANDPLANE_ROUTER_URL", CONFIG_STRING, offsetof(ClaimsConfig, router_url), "http://127.0.0.1:8080",
     0, 0, false, "the address callers find in a sandbox"},
    {"max-watches", "SANDPLANE_MAX_WATCHES", CONFIG_INT, offsetof(ClaimsConfig, max_watches), "1000", 1, 100000, false,
     "watches served at a time; more are refused"},
};

const ConfigTable CLAIMS_CONFIG = {
    .program = "sandplane-claims",
    .summary = "Allocation: who holds which sandbox, and until when.",
    .items = ITEMS,
    .n_items = sizeof ITEMS / sizeof ITEMS[0],
};
