/* The one table of the router's settings: it makes --help, validation and the start-up dump. */
#include <stddef.h>

#include "lib/base/str.h"
#include "services/router/router.h"

static const ConfigItem ITEMS[] = {
    SERVICE_CONFIG_ITEMS(RouterConfig, "127.0.0.1:7400", "127.0.0.1:7410", "SANDBOX_ROUTER_CONFIG"),
    {"http-address", "SANDPLANE_HTTP_ADDRESS", CONFIG_ADDRESS, offsetof(RouterConfig, http_address), "127.0.0.1:8080",
     0, 0, false, "listener of HTTP traffic to sandboxes; empty: none"},
    {"https-address", "SANDPLANE_HTTPS_ADDRESS", CONFIG_ADDRESS, offsetof(RouterConfig, https_address), "", 0, 0, false,
     "listener of the same traffic in TLS; empty: none"},
    {"tls-cert-file", "SANDPLANE_TLS_CERT_FILE", CONFIG_STRING, offsetof(RouterConfig, tls_cert_file), "", 0, 0, false,
     "its certificate and chain; read again when it changes, as are the other files of TLS"},
    {"tls-key-file", "SANDPLANE_TLS_KEY_FILE", CONFIG_STRING, offsetof(RouterConfig, tls_key_file), "", 0, 0, false,
     "the certificate's key"},
    {"tls-client-ca-file", "SANDPLANE_TLS_CLIENT_CA_FILE", CONFIG_STRING, offsetof(RouterConfig, tls_client_ca_file),
     "", 0, 0, false, "authorities of its clients' certificates"},
    {"mtls-mode", "SANDPLANE_MTLS_MODE", CONFIG_STRING, offsetof(RouterConfig, mtls_mode), "off", 0, 0, false,
     "whether clients are asked for a certificate: off, optional (one that is shown must be good) or required"},
    {"tls-min-version", "SANDPLANE_TLS_MIN_VERSION", CONFIG_STRING, offsetof(RouterConfig, tls_min_version), "1.2", 0,
     0, false, "1.2 or 1.3"},
    {"tls-cipher-suites", "SANDPLANE_TLS_CIPHER_SUITES", CONFIG_STRING, offsetof(RouterConfig, tls_cipher_suites), "",
     0, 0, false,
     "of TLS 1.2, separated by commas, by the names of IANA or OpenSSL; empty: ECDHE with AES-GCM or ChaCha20"},
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
    {"path-routing-prefix", "SANDPLANE_PATH_ROUTING_PREFIX", CONFIG_STRING, offsetof(RouterConfig, path_prefix), "", 0,
     0, false, "paths PREFIX/NAMESPACE/SANDBOX/PORT/... name a sandbox as well; empty: none does"},
    {"path-routing-rewrite-responses", "SANDPLANE_PATH_ROUTING_REWRITE_RESPONSES", CONFIG_BOOL,
     offsetof(RouterConfig, path_rewrites), "true", 0, 0, false,
     "Location and Set-Cookie of answers by path get that path, and cookies lose their Domain"},
    {"host-routing-domain", "SANDPLANE_HOST_ROUTING_DOMAIN", CONFIG_STRING, offsetof(RouterConfig, host_domain), "", 0,
     0, false, "hosts PORT-SANDBOX[--NAMESPACE].DOMAIN name a sandbox as well; empty: none does"},
    {"allowed-hosts", "SANDPLANE_ALLOWED_HOSTS", CONFIG_STRING, offsetof(RouterConfig, allowed_hosts), "", 0, 0, false,
     "hosts that are served beside addresses, local names and the domain: names and *.NAME by commas, * any; empty: "
     "none when all listeners are loopback, otherwise any"},
    {"authz-cookie-name", "SANDPLANE_AUTHZ_COOKIE_NAME", CONFIG_STRING, offsetof(RouterConfig, session.cookie), "", 0,
     0, false, "cookie that may carry a browser's credential, by path and by host; empty: none"},
    {"authz-cookie-query-param", "SANDPLANE_AUTHZ_COOKIE_QUERY_PARAM", CONFIG_STRING,
     offsetof(RouterConfig, session.query_param), "", 0, 0, false,
     "parameter of a link whose credential is made that cookie; empty: none"},
    {"authz-cookie-samesite", "SANDPLANE_AUTHZ_COOKIE_SAMESITE", CONFIG_STRING,
     offsetof(RouterConfig, session.same_site), "lax", 0, 0, false, "SameSite of that cookie: lax, strict or none"},
    {"authz-cookie-insecure", "SANDPLANE_AUTHZ_COOKIE_INSECURE", CONFIG_BOOL, offsetof(RouterConfig, session.insecure),
     "false", 0, 0, false, "that cookie goes over plain HTTP as well, for tests"},
    {"authz-cookie-allowed-origins", "SANDPLANE_AUTHZ_COOKIE_ALLOWED_ORIGINS", CONFIG_STRING,
     offsetof(RouterConfig, session.allowed_origins), "", 0, 0, false,
     "origins by commas, beside the sandbox's own, whose pages may change something or open a WebSocket by that "
     "cookie"},
    {"authz-trust-forwarded-proto", "SANDPLANE_AUTHZ_TRUST_FORWARDED_PROTO", CONFIG_BOOL,
     offsetof(RouterConfig, trusts_proto), "false", 0, 0, false,
     "X-Forwarded-Proto is that of a proxy before the router, which ends TLS"},
    {"proxy-timeout", "PROXY_TIMEOUT_SECONDS", CONFIG_DURATION, offsetof(RouterConfig, proxy_timeout_ms), "180s", 1,
     86400000, false, "longest silence of an HTTP exchange; X-Sandbox-Timeout can shorten it"},
    {"upgrade-idle-timeout", "SANDPLANE_UPGRADE_IDLE_TIMEOUT", CONFIG_DURATION,
     offsetof(RouterConfig, upgrade_idle_timeout_ms), "1h", 1, 86400000, false,
     "longest silence of an upgraded connection"},
    {"loops", "SANDPLANE_LOOPS", CONFIG_INT, offsetof(RouterConfig, loops), "0", 0, LOOPS_MAX, false,
     "event loops that HTTP is spread over, each with a thread; 0: one for each core that the process may use"},
    {"max-connections", "SANDPLANE_MAX_CONNECTIONS", CONFIG_INT, offsetof(RouterConfig, max_connections), "10000", 1,
     1000000, false, "HTTP connections at a time; more are refused"},
    {"max-requests", "SANDPLANE_MAX_REQUESTS", CONFIG_INT, offsetof(RouterConfig, max_requests), "10000", 1, 1000000,
     false, "HTTP requests to sandboxes at a time, of all connections; more are refused"},
    {"upstream-max-retries", "SANDPLANE_UPSTREAM_MAX_RETRIES", CONFIG_INT, offsetof(RouterConfig, upstream_max_retries),
     "3", 0, 20, false, "further attempts to reach a port in a sandbox"},
    {"upstream-max-idle", "SANDPLANE_UPSTREAM_MAX_IDLE", CONFIG_INT, offsetof(RouterConfig, upstream_max_idle), "1000",
     0, 1000000, false, "idle connections into sandboxes that are kept for further requests; 0: none"},
    {"upstream-max-idle-per-port", "SANDPLANE_UPSTREAM_MAX_IDLE_PER_PORT", CONFIG_INT,
     offsetof(RouterConfig, upstream_max_idle_per_port), "128", 0, 1000000, false,
     "of them, to one port of a sandbox; 0: none"},
    {"upstream-idle-timeout", "SANDPLANE_UPSTREAM_IDLE_TIMEOUT", CONFIG_DURATION,
     offsetof(RouterConfig, upstream_idle_timeout_ms), "4s", 1, 86400000, false,
     "how long they are kept; less than programs in sandboxes keep theirs"},
    {"upstream-quiet-time", "SANDPLANE_UPSTREAM_QUIET_TIME", CONFIG_DURATION,
     offsetof(RouterConfig, upstream_quiet_time_ms), "10ms", 0, 86400000, false,
     "how long one is idle before it is used again: what a program sends late must not answer the next request"},
    {"allow-loopback-pod-ip", "SANDPLANE_ALLOW_LOOPBACK_POD_IP", CONFIG_BOOL,
     offsetof(RouterConfig, allow_loopback_pod_ip), "false", 0, 0, false,
     "reach Pods whose address is this machine's own, for tests"},
    {"access-log", "SANDPLANE_ACCESS_LOG", CONFIG_BOOL, offsetof(RouterConfig, access_log), "true", 0, 0, false,
     "log every HTTP request"},
};

/* The Agent Sandbox router's names. */
static const ConfigAlias ALIASES[] = {
    {"http-bind-address", "http-address"},
    {"https-bind-address", "https-address"},
};

const ConfigTable ROUTER_CONFIG = {
    .program = "sandplane-router",
    .summary = "The front door: HTTP, WebSocket and gRPC to the right sandbox.",
    .items = ITEMS,
    .n_items = ARRAY_LEN(ITEMS),
    .aliases = ALIASES,
    .n_aliases = ARRAY_LEN(ALIASES),
};

int router_rules(const RouterConfig *config, const Authz *authz, AdmitRules *ret, Error *err) {
  *ret = (AdmitRules){.authz = authz,
                      .session = config->session,
                      .trusts_proto = config->trusts_proto,
                      .max_timeout_ms = config->proxy_timeout_ms};
  const RoutingFlags flags = {.prefix = config->path_prefix,
                              .domain = config->host_domain,
                              .allowed_hosts = config->allowed_hosts,
                              .rewrites = config->path_rewrites,
                              .http_address = config->http_address,
                              .https_address = config->https_address};
  if (routing_init(&ret->routing, &flags, err) != 0)
    return -1;
  return browser_session_check(&ret->session, &ret->routing, str_equal(config->authz_mode, "allow-all"), err);
}
