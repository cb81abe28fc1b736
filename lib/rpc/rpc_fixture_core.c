/* A server of the C core, for tests. */
#include <stdlib.h>

#include "lib/rpc/rpc_fixture.h"

FixtureServer *fixture_server_new(Loop *loop, const RpcServerConfig *config, Error *err) {
  return (FixtureServer *)rpc_server_new(loop, config, err);
}

int fixture_server_port(const FixtureServer *server) {
  return rpc_server_port((const RpcServer *)server);
}

void fixture_server_set_serving(FixtureServer *server, bool serving) {
  rpc_server_set_serving((RpcServer *)server, serving);
}

void fixture_server_drain(FixtureServer *server, int64_t grace_ms, void (*done)(void *arg), void *arg) {
  rpc_server_drain((RpcServer *)server, grace_ms, done, arg);
}

void fixture_server_free(FixtureServer *server) {
  rpc_server_free((RpcServer *)server);
}
