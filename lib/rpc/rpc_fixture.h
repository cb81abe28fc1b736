/* What the tests of lib/rpc and of its callers share: one loop with a server and a channel to it, and waiting with a
 * limit. */
#ifndef SANDPLANE_LIB_RPC_RPC_FIXTURE_H_
#define SANDPLANE_LIB_RPC_RPC_FIXTURE_H_

#include "lib/base/test.h"
#include "lib/rpc/rpc_client.h"
#include "lib/rpc/rpc_server.h"

/* A server of either carrier, by which of the two targets a test links: as an RpcServer, or by connections of
 * lib/http2.
 */
typedef struct FixtureServer FixtureServer;
FixtureServer *fixture_server_new(Loop *loop, const RpcServerConfig *config, Error *err);
int fixture_server_port(const FixtureServer *server);
void fixture_server_set_serving(FixtureServer *server, bool serving);
void fixture_server_drain(FixtureServer *server, int64_t grace_ms, void (*done)(void *arg), void *arg);
void fixture_server_free(FixtureServer *server);

typedef struct Fixture {
  Loop *loop;
  LoopTimer *limit;
  FixtureServer *server;
  RpcChannel *channel;
  bool drained;
} Fixture;

/* config->address NULL: a free port of 127.0.0.1. */
void fixture_start(Fixture *f, RpcServerConfig config);
/* Ends everything that is not ended yet. */
void fixture_stop(Fixture *f);
/* Drains the server, with a grace of 100 ms. */
void fixture_stop_server(Fixture *f);
/* Runs the loop until *flag; fails the test after 20 s. */
void fixture_wait(Fixture *f, const bool *flag);

/* A call that is waited for. */
typedef struct Answer {
  bool done;
  Error status;
  char text[256];
  size_t len;
} Answer;

void fixture_unary(Fixture *f, const char *path, const void *data, size_t len, Answer *ret);
/* For rpc_client_unary; arg: Answer. */
void answer_set(void *arg, const Error *status, const uint8_t *data, size_t len);

#endif
