/* The methods of a server, built-in ones too, and which call gets which handler, whatever carries it (internal to
 * lib/rpc). */
#ifndef SANDPLANE_LIB_RPC_RPC_TABLE_H_
#define SANDPLANE_LIB_RPC_RPC_TABLE_H_

#include "lib/rpc/rpc_builtin.h"
#include "lib/rpc/rpc_call.h"

typedef struct Route Route;
struct Route {
  const RpcMethod *method;
  void *service;
  void *handle; /* of the C core, for a method that is registered there */
  bool builtin;
};

typedef struct RpcTable {
  RpcServerConfig config; /* with its defaults filled in */
  RpcBuiltin *builtin;
  Route *routes;
  size_t n_routes;
  size_t active; /* calls that came and did not end */
} RpcTable;

/* -1 and err: the descriptors cannot be parsed. */
int rpc_table_init(RpcTable *table, const RpcServerConfig *config, Error *err) MUST_CHECK;
void rpc_table_deinit(RpcTable *table);
bool rpc_table_is_wildcard(const RpcMethod *method);
/* NULL: no such method. */
Route *rpc_table_find(const RpcTable *table, const char *path);
/* Whether a call of this route is one too many. */
bool rpc_table_is_full(const RpcTable *table, const Route *route);
/* What the call is to be run with, its handler or who refuses it; and on_begin. has_request: of a unary method. */
const RpcMethod *rpc_table_choose(RpcTable *table, RpcCall *call, Route *route, bool has_request, void **ret_service);
/* It does not count any more, and on_done. */
void rpc_table_ended(RpcTable *table, RpcCall *call, const Route *route, ErrorKind status, int64_t duration_us);

#endif
