/* The one table of the router's settings: it makes --help, validation and the start-up dump. */
#include <stddef.h>

#include "services/router/router.h"

static const ConfigItem ITEMS[] = {
    SERVICE_CONFIG_ITEMS(RouterConfig, "127.0.0.1:7400", "127.0.0.1:7410"),
    {"http-address", "SANDPLANE_HTTP_ADDRESS", CONFIG_ADDRESS, offsetof(RouterConfig, http_address), "127.0.0.1:8080",
     0, 0, false, "listener of HTTP traffic to sandboxes"},
    REDIS_CONFIG_ITEMS(RouterConfig),
    {"claims", "SANDPLANE_CLAIMS", CONFIG_STRING, offsetof(RouterConfig, claims), "127.0.0.1:7401", 0, 0, false,
     "claims replicas, separated by commas"},
    {"pools", "SANDPLANE_POOLS", CONFIG_STRING, offsetof(RouterConfig, pools), "127.0.0.1:7402", 0, 0, false,
     "pools replicas, separated by commas"},
    {"reconciler", "SANDPLANE_RECONCILER", CONFIG_STRING, offsetof(RouterConfig, reconciler), "127.0.0.1:7403", 0, 0,
     false, "reconciler replicas, separated by commas"},
    {"authz-mode", "SANDPLANE_AUTHZ_MODE", CONFIG_STRING, offsetof(RouterConfig, authz_mode), "allow-all", 0, 0, false,
     "who may send HTTP to a sandbox: allow-all or scoped-token"},
    {"authz-scoped-token-secret-file", "SANDPLANE_AUTHZ_SCOPED_TOKEN_SECRET_FILE", CONFIG_STRING,
     offsetof(RouterConfig, authz_secret_file), "", 0, 0, false, "secret of scoped tokens, at least 32 bytes"},
    {"auth-token", "ROUTER_AUTH_TOKEN", CONFIG_STRING, offsetof(RouterConfig, auth_token), "", 0, 0, true,
     "bearer token that every HTTP request must carry; empty: none"},
    {"tenant-tokens-file", "SANDPLANE_TENANT_TOKENS_FILE", CONFIG_STRING, offsetof(RouterConfig, tenant_tokens_file),
     "", 0, 0, false,
     "bearer tokens that gRPC calls must carry, a line each: TENANT TOKEN [admin]; empty: anybody may call"},
    {"proxy-timeout", "PROXY_TIMEOUT_SECONDS", CONFIG_DURATION, offsetof(RouterConfig, proxy_timeout_ms), "180s", 1,
     86400000, false, "longest silence of an HTTP exchange; X-Sandbox-Timeout can shorten it"},
    {"upgrade-idle-timeout", "SANDPLANE_UPGRADE_IDLE_TIMEOUT", CONFIG_DURATION,
     offsetof(RouterConfig, upgrade_idle_timeout_ms), "1h", 1, 86400000, false,
     "longest silence of an upgraded connection"},
    {"max-connections", "SANDPLANE_MAX_CONNECTIONS", CONFIG_INT, offsetof(RouterConfig, max_connections), "10000", 1,
     1000000, false, "HTTP connections at a time; more are refused"},
    {"upstream-max-retries", "SANDPLANE_UPSTREAM_MAX_RETRIES", CONFIG_INT, offsetof(RouterConfig, upstream_max_retries),
     "3", 0, 20, false, "further attempts to reach a port in a sandbox"},
    {"allow-loopback-pod-ip", "SANDPLANE_ALLOW_LOOPBACK_POD_IP", CONFIG_BOOL,
     offsetof(RouterConfig, allow_loopback_pod_ip), "false", 0, 0, false,
     "reach Pods whose address is this machine's own, for tests"},
    {"access-log", "SANDPLANE_ACCESS_LOG", CONFIG_BOOL, offsetof(RouterConfig, access_log), "true", 0, 0, false,
     "log every HTTP request"},
};

const ConfigTable ROUTER_CONFIG = {
    .program = "sandplane-router",
    .summary = "The front door: HTTP, WebSocket and gRPC to the right sandbox.",
    .items = ITEMS,
    .n_items = ARRAY_LEN(ITEMS),
};
