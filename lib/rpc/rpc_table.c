/* A call counts from its acceptance until it is freed; above max_calls it is accepted and refused at once, which costs
 * the client one round trip and the server no state. The health check is exempt, so that a busy server does not look
 * like a dead one.
 */
#include "lib/rpc/rpc_table.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"

enum {
  DEFAULT_MAX_MESSAGE = 4 << 20,
  DEFAULT_MAX_CALLS = 10000,
  BUSY_RETRY_MS = 1000,
};

/* ---- Calls that get no handler ---- */

static void refuse_unknown(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  Error err;
  error_set(&err, ERROR_UNIMPLEMENTED, "unknown method %s", rpc_call_path(call));
  rpc_call_finish(call, &err);
}

static void refuse_busy(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  const RpcTable *table = service;
  Error err;
  error_set(&err, ERROR_RESOURCE_EXHAUSTED, "the server has %zu calls under way, its maximum", table->config.max_calls);
  err.retry_after_ms = BUSY_RETRY_MS;
  rpc_call_finish(call, &err);
}

static void refuse_empty(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  Error err;
  error_set(&err, ERROR_INVALID_ARGUMENT, "the request message is missing");
  rpc_call_finish(call, &err);
}

static const RpcMethod EMPTY = {.path = "empty", .kind = RPC_STREAM, .start = refuse_empty};
static const RpcMethod UNKNOWN = {.path = "unknown", .kind = RPC_STREAM, .start = refuse_unknown};
static const RpcMethod BUSY = {.path = "busy", .kind = RPC_STREAM, .start = refuse_busy};

/* ---- The table ---- */

bool rpc_table_is_wildcard(const RpcMethod *method) {
  return method->path[strlen(method->path) - 1] == '/';
}

static void add_route(RpcTable *table, const RpcMethod *method, void *service, bool builtin) {
  table->routes[table->n_routes++] = (Route){.method = method, .service = service, .builtin = builtin};
}

int rpc_table_init(RpcTable *table, const RpcServerConfig *config, Error *err) {
  size_t n_builtin;
  const RpcMethod *builtin = rpc_builtin_methods(&n_builtin);
  *table = (RpcTable){.config = *config};
  if (table->config.max_message_bytes == 0)
    table->config.max_message_bytes = DEFAULT_MAX_MESSAGE;
  if (table->config.max_calls == 0)
    table->config.max_calls = DEFAULT_MAX_CALLS;
  table->builtin = rpc_builtin_new(&table->config, err);
  if (!table->builtin)
    return -1;
  table->routes = xcalloc(config->n_methods + n_builtin, sizeof *table->routes);
  for (size_t i = 0; i < config->n_methods; i++)
    add_route(table, &config->methods[i], config->service, false);
  for (size_t i = 0; i < n_builtin; i++)
    add_route(table, &builtin[i], table->builtin, true);
  return 0;
}

void rpc_table_deinit(RpcTable *table) {
  rpc_builtin_free(table->builtin);
  free(table->routes);
}

Route *rpc_table_find(const RpcTable *table, const char *path) {
  Route *wildcard = NULL;
  for (size_t i = 0; i < table->n_routes; i++) {
    Route *route = &table->routes[i];
    const char *prefix = route->method->path;
    if (!strcmp(prefix, path))
      return route;
    if (rpc_table_is_wildcard(route->method) && !strncmp(prefix, path, strlen(prefix)))
      wildcard = route;
  }
  return wildcard;
}

bool rpc_table_is_full(const RpcTable *table, const Route *route) {
  bool exempt = route && route->builtin && route->method->kind == RPC_UNARY;
  return table->active > table->config.max_calls && !exempt;
}

const RpcMethod *rpc_table_choose(RpcTable *table, RpcCall *call, Route *route, bool has_request, void **ret_service) {
  *ret_service = table;
  if (rpc_table_is_full(table, route))
    return &BUSY;
  if (!route)
    return &UNKNOWN;
  if (route->method->kind == RPC_UNARY && !has_request)
    return &EMPTY;
  if (table->config.on_begin && !route->builtin)
    rpc_call_set_observer(call, table->config.on_begin(table->config.service, call));
  *ret_service = route->service;
  return route->method;
}

void rpc_table_ended(RpcTable *table, RpcCall *call, const Route *route, ErrorKind status, int64_t duration_us) {
  table->active--;
  if (!table->config.on_done || (route && route->builtin))
    return;
  const char *path = route ? rpc_call_path(call) : UNKNOWN.path;
  table->config.on_done(table->config.service, path, status, duration_us, rpc_call_observer(call));
}
