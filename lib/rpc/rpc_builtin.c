/* The rows of the built-in services and what they share: the names of all services here. */
#include "lib/rpc/rpc_builtin.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/compiler.h"
#include "lib/rpc/rpc_health.h"
#include "lib/rpc/rpc_reflection.h"

struct RpcBuiltin {
  RpcServices services;
  RpcHealth *health;
  RpcReflection *reflection;
};

static void health_check(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  rpc_health_check(((RpcBuiltin *)service)->health, call, data, len);
}

static void health_watch(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  rpc_health_watch(((RpcBuiltin *)service)->health, call);
}

static void reflect(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  rpc_reflection_serve(((RpcBuiltin *)service)->reflection, call);
}

static const RpcMethod METHODS[] = {
    {"/grpc.health.v1.Health/Check", RPC_UNARY, health_check},
    {"/grpc.health.v1.Health/Watch", RPC_STREAM, health_watch},
    {"/grpc.reflection.v1.ServerReflection/ServerReflectionInfo", RPC_STREAM, reflect},
    {"/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo", RPC_STREAM, reflect},
};

const RpcMethod *rpc_builtin_methods(size_t *ret_n) {
  *ret_n = ARRAY_LEN(METHODS);
  return METHODS;
}

static void add_services(RpcServices *services, const RpcMethod *methods, size_t n) {
  for (size_t i = 0; i < n; i++) {
    const char *name = methods[i].path + 1;
    size_t len = strcspn(name, "/");
    bool known = false;
    for (size_t k = 0; k < services->n && !known; k++) {
      known = !strncmp(services->names[k], name, len) && !services->names[k][len];
    }
    if (known)
      continue;
    char *copy = xcalloc(1, len + 1);
    memcpy(copy, name, len);
    services->names[services->n++] = copy;
  }
}

RpcBuiltin *rpc_builtin_new(const RpcServerConfig *config, Error *err) {
  RpcBuiltin *builtin = new0(RpcBuiltin);
  builtin->services.names = xcalloc(1, (config->n_methods + ARRAY_LEN(METHODS)) * sizeof(char *));
  add_services(&builtin->services, config->methods, config->n_methods);
  add_services(&builtin->services, METHODS, ARRAY_LEN(METHODS));
  builtin->health = rpc_health_new(&builtin->services);
  builtin->reflection = rpc_reflection_new(&builtin->services, config->descriptors, config->descriptors_len, err);
  if (builtin->reflection)
    return builtin;
  rpc_builtin_free(builtin);
  return NULL;
}

void rpc_builtin_free(RpcBuiltin *builtin) {
  if (!builtin)
    return;
  rpc_health_free(builtin->health);
  rpc_reflection_free(builtin->reflection);
  for (size_t i = 0; i < builtin->services.n; i++)
    free(builtin->services.names[i]);
  free(builtin->services.names);
  free(builtin);
}

void rpc_builtin_set_serving(RpcBuiltin *builtin, bool serving) {
  rpc_health_set(builtin->health, serving);
}

void rpc_builtin_end(RpcBuiltin *builtin) {
  rpc_health_end(builtin->health);
}
