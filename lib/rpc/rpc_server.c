/* The listener: which calls come in, which handler gets them, and how the server ends.
 *
 * Unary methods are registered at the C core, which then announces a call together with its request; all
 * other calls come in by path alone. Several empty calls of each kind wait at the core (slots), so that a
 * burst is accepted in one go.
 *
 * From the moment in which the C core is told to shut down it ends with CANCELLED whatever call arrives, though its
 * client had not heard of it yet. So before that, calls are held for a moment: a client that waits for an answer sends
 * nothing, and once nothing comes any more nothing can be lost. Clients that send without waiting for answers may still
 * lose what is on its way.
 */
#include "lib/rpc/rpc_server.h"

#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/rpc/rpc_address.h"
#include "lib/rpc/rpc_core_call.h"
#include "lib/rpc/rpc_queue.h"
#include "lib/rpc/rpc_table.h"

/* Clients look the name up again when a connection ends: so they find replicas that were added, and one that leads when
 * the name stood for another at first (a pool stays empty as long). A replica that takes no new connections has none
 * left after it, and then loses no call at its end: the chart lets its Pods sleep longer (preStopSleepSeconds). Calls
 * under way go on; the C core spreads it by a tenth either way. */
#define CONNECTION_AGE_MS 10000
enum {
  SLOTS = 32, /* empty calls waiting per registered method and for all others together */
  /* Pings of clients more often than this cost them the connection. They send them every 10 s by gRPC's advice, some
   * every 5 s, and never exactly so: far below that, and far above a flood. */
  MIN_CLIENT_PING_MS = 1000,
  KEEPALIVE_MS = 60 * 1000,
  KEEPALIVE_TIMEOUT_MS = 20 * 1000,
  /* The end: how long nothing must come, far above a way there and back; how long calls are held at most; how long
   * handlers have to end what the grace did not suffice for. */
  QUIET_MS = 100,
  HOLD_MAX_MS = 1000,
  END_MS = 500,
};

/* A call that waits for the moment of silence. */
typedef struct Held {
  RpcCall *call;
  struct Route *route;
} Held;

struct RpcServer {
  RpcQueue *queue;
  Loop *loop;
  grpc_server *server;
  RpcTable table;
  RpcCoreOwner owner;
  int port;
  size_t slots;
  List live;
  bool draining;
  bool leaving; /* the C core was told */
  bool ending;  /* the grace is over */
  bool shut_down;
  RpcOp shutdown_op;
  LoopTimer *grace;
  LoopTimer *silence;
  int64_t silence_due_ms, hold_until_ms;
  Held *held;
  size_t n_held, held_cap;
  void (*done)(void *arg);
  void *done_arg;
};

static void add_slot(RpcServer *server, Route *route) {
  server->slots++;
  rpc_core_call_request(&server->owner, server->server, route ? route->handle : NULL, route);
}

static void end_if_empty(RpcServer *server) {
  if (!server->shut_down || server->slots > 0 || server->table.active > 0 || !server->done)
    return;
  void (*done)(void *) = server->done;
  server->done = NULL;
  loop_timer_stop(server->grace);
  loop_timer_stop(server->silence);
  done(server->done_arg);
}

static void serve(RpcServer *server, RpcCall *call, Route *route) {
  void *service;
  const RpcMethod *method = rpc_table_choose(&server->table, call, route, rpc_core_call_has_request(call), &service);
  rpc_core_call_run(call, method, service);
}

/* The silence begins anew, if there is time for it. */
static void listen_on(RpcServer *server) {
  int64_t now = clock_mono_ms(), left = server->hold_until_ms - now;
  left = left < 0 ? 0 : left < QUIET_MS ? left : QUIET_MS;
  server->silence_due_ms = now + left;
  loop_timer_start(server->silence, left);
}

static void hold(RpcServer *server, RpcCall *call, Route *route) {
  if (server->n_held == server->held_cap) {
    server->held_cap = server->held_cap ? 2 * server->held_cap : 64;
    server->held = xreallocarray(server->held, server->held_cap, sizeof *server->held);
  }
  server->held[server->n_held++] = (Held){call, route};
  listen_on(server);
}

static void on_accept(void *arg, RpcCall *call, Route *route, bool ok) {
  RpcServer *server = arg;
  server->slots--;
  if (!ok) {
    rpc_core_call_discard(call);
    end_if_empty(server);
    return;
  }
  if (!server->leaving)
    add_slot(server, route);
  server->table.active++;
  if (route) {
    rpc_call_set_path(call, route->method->path);
  } else {
    route = rpc_table_find(&server->table, rpc_call_path(call));
    rpc_call_set_route(call, route);
  }
  bool waits = server->draining && !server->leaving && !(route && route->builtin);
  if (waits)
    hold(server, call, route);
  else
    serve(server, call, route);
}

static void on_end(void *arg, RpcCall *call, Route *route, ErrorKind status, int64_t duration_us) {
  RpcServer *server = arg;
  rpc_table_ended(&server->table, call, route, status, duration_us);
  end_if_empty(server);
}

/* ---- Start ---- */

static grpc_arg int_arg(const char *key, int value) {
  return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value};
}

static grpc_server *server_create(const RpcServerConfig *config) {
  /* Refusing must stay cheaper for a client than queueing, so streams go a little above max_calls. */
  size_t streams = config->max_calls + SLOTS;
  grpc_arg args[] = {
      int_arg(GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH, (int)config->max_message_bytes),
      int_arg(GRPC_ARG_MAX_CONCURRENT_STREAMS, streams < INT32_MAX ? (int)streams : INT32_MAX),
      int_arg(GRPC_ARG_ALLOW_REUSEPORT, 0),
      int_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),
      int_arg(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, MIN_CLIENT_PING_MS),
      int_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
      int_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
      int_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
      int_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
      int_arg(GRPC_ARG_MAX_CONNECTION_AGE_MS, CONNECTION_AGE_MS),
  };
  grpc_channel_args all = {.num_args = sizeof args / sizeof args[0], .args = args};
  return grpc_server_create(&all, NULL);
}

/* A server that never started has nothing under way, but the C core wants the full ceremony. */
static void server_destroy_unstarted(grpc_server *server) {
  grpc_completion_queue *cq = grpc_completion_queue_create_for_pluck(NULL);
  grpc_server_register_completion_queue(server, cq, NULL);
  grpc_server_start(server);
  grpc_server_shutdown_and_notify(server, cq, cq);
  grpc_completion_queue_pluck(cq, cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
  grpc_server_destroy(server);
  grpc_completion_queue_shutdown(cq);
  while (grpc_completion_queue_pluck(cq, NULL, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type != GRPC_QUEUE_SHUTDOWN) {
  }
  grpc_completion_queue_destroy(cq);
}

/* Unary methods are announced together with their requests. */
static void register_methods(RpcServer *server) {
  for (size_t i = 0; i < server->table.n_routes; i++) {
    Route *route = &server->table.routes[i];
    if (route->method->kind != RPC_UNARY || rpc_table_is_wildcard(route->method))
      continue;
    route->handle = grpc_server_register_method(server->server, route->method->path, NULL,
                                                GRPC_SRM_PAYLOAD_READ_INITIAL_BYTE_BUFFER, 0);
    if (!route->handle)
      abort(); /* two rows with one path */
  }
}

static void server_free(RpcServer *server) {
  loop_timer_free(server->grace);
  loop_timer_free(server->silence);
  free(server->held);
  rpc_table_deinit(&server->table);
  rpc_queue_release(server->queue);
  free(server);
}

static void leave(RpcServer *server);

/* Nothing has come for a while. But where the timer comes late nothing else has come in time either: the machine is
 * busy, and the silence says nothing. */
static void on_silence(void *arg) {
  RpcServer *server = arg;
  int64_t now = clock_mono_ms();
  if (now - server->silence_due_ms > QUIET_MS / 4 && now < server->hold_until_ms)
    listen_on(server);
  else
    leave(server);
}

/* The grace is over. What does not end when it is told to is cut off. */
static void end_rest(void *arg) {
  RpcServer *server = arg;
  leave(server);
  if (server->ending) {
    grpc_server_cancel_all_calls(server->server);
    return;
  }
  Error why;
  error_set(&why, ERROR_UNAVAILABLE, "the server is shutting down");
  server->ending = true;
  loop_timer_start(server->grace, END_MS);
  rpc_call_end_all(&server->owner.calls, &why);
}

RpcServer *rpc_server_new(Loop *loop, const RpcServerConfig *config, Error *err) {
  RpcServer *server = new0(RpcServer);
  server->loop = loop;
  list_init(&server->live);
  server->queue = rpc_queue_acquire(loop);
  server->grace = loop_timer_new(loop, end_rest, server);
  server->silence = loop_timer_new(loop, on_silence, server);
  if (rpc_table_init(&server->table, config, err) != 0) {
    server_free(server);
    return NULL;
  }
  server->owner = (RpcCoreOwner){.calls = {.max_message_bytes = server->table.config.max_message_bytes,
                                           .live = &server->live,
                                           .arg = server,
                                           .on_end = on_end},
                                 .queue = server->queue,
                                 .on_accept = on_accept};
  server->server = server_create(&server->table.config);
  grpc_server_register_completion_queue(server->server, rpc_queue_cq(server->queue), NULL);
  register_methods(server);
  server->port = rpc_address_listen(server->server, config->address, err);
  if (server->port < 0) {
    server_destroy_unstarted(server->server);
    server_free(server);
    return NULL;
  }
  grpc_server_start(server->server);
  for (int i = 0; i < SLOTS; i++)
    add_slot(server, NULL);
  for (size_t r = 0; r < server->table.n_routes; r++) {
    for (int i = 0; server->table.routes[r].handle && i < SLOTS; i++)
      add_slot(server, &server->table.routes[r]);
  }
  return server;
}

void rpc_server_set_serving(RpcServer *server, bool serving) {
  rpc_builtin_set_serving(server->table.builtin, serving && !server->draining);
}

int rpc_server_port(const RpcServer *server) {
  return server->port;
}

/* ---- End ---- */

static void on_shutdown(RpcOp *op, bool ok) {
  RpcServer *server = RPC_OP_OWNER(op, RpcServer, shutdown_op);
  server->shut_down = true;
  end_if_empty(server);
}

/* Once; what was held is served. */
static void leave(RpcServer *server) {
  if (server->leaving)
    return;
  server->leaving = true;
  loop_timer_stop(server->silence);
  server->shutdown_op.fn = on_shutdown;
  rpc_queue_expect(server->queue);
  grpc_server_shutdown_and_notify(server->server, rpc_queue_cq(server->queue), &server->shutdown_op);
  for (size_t i = 0; i < server->n_held; i++)
    serve(server, server->held[i].call, server->held[i].route);
  server->n_held = 0;
}

void rpc_server_drain(RpcServer *server, int64_t grace_ms, void (*done)(void *arg), void *arg) {
  if (!server->ending)
    loop_timer_start(server->grace, grace_ms);
  if (server->draining)
    return;
  server->draining = true;
  server->done = done;
  server->done_arg = arg;
  rpc_builtin_end(server->table.builtin);
  server->hold_until_ms = clock_mono_ms() + HOLD_MAX_MS;
  listen_on(server);
}

void rpc_server_free(RpcServer *server) {
  if (!server)
    return;
  grpc_server_destroy(server->server);
  server_free(server);
}
