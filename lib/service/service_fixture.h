/* For black-box tests: a service's program as a process of its own, called over gRPC, and the Redis server of
 * with_redis.sh killed and started again. Everything waits for a fact with a limit and fails the test when it
 * does not come true; nothing sleeps for luck. */
#ifndef SANDPLANE_LIB_SERVICE_SERVICE_FIXTURE_H_
#define SANDPLANE_LIB_SERVICE_SERVICE_FIXTURE_H_

#include <stdbool.h>
#include <sys/types.h>

#include "lib/base/arena.h"
#include "lib/loop/loop.h"
#include "lib/rpc/rpc_pb.h"

typedef struct ServiceProcess {
  pid_t pid;
  char address[32];
  RpcChannel *channel;
} ServiceProcess;

/* Runs the loop until fn(arg) holds; aborts after 20 s, naming what. */
void service_fixture_until(Loop *loop, bool (*fn)(void *arg), void *arg, const char *what);
/* The same for a flag. */
void service_fixture_wait(Loop *loop, const bool *flag, const char *what);

/* Starts the program with --grpc-address 127.0.0.1:port, --admin-address 127.0.0.1:port+10 and the arguments
 * (NULL-terminated); returns when its health says SERVING. */
void service_process_start(ServiceProcess *process, Loop *loop, const char *program, int port, const char *const *args);
/* Returns when the program has begun what was sent to it before: one connection, one order. */
void service_process_reached(ServiceProcess *process, Loop *loop);
/* SIGTERM; returns the exit code. */
int service_process_stop(ServiceProcess *process, Loop *loop);
/* The same after a signal that the test sent by itself. */
int service_process_wait(ServiceProcess *process, Loop *loop);

/* SIGKILL. */
void service_process_kill(ServiceProcess *process, Loop *loop);

/* One call under way or over. */
typedef struct ServiceCall {
  bool done;
  Error status;
  void *answer; /* in arena; NULL on failure */
  Arena *arena;
  const ProtobufCMessageDescriptor *descriptor;
  RpcClientCall *call;
} ServiceCall;

void service_call_start(ServiceCall *call, ServiceProcess *process, const char *path, const ProtobufCMessage *request,
                        const ProtobufCMessageDescriptor *answer, int64_t timeout_ms);
/* With metadata. */
void service_call_start_with(ServiceCall *call, ServiceProcess *process, const char *path, const RpcMetadata *metadata,
                             size_t n_metadata, const ProtobufCMessage *request,
                             const ProtobufCMessageDescriptor *answer, int64_t timeout_ms);
void service_call_free(ServiceCall *call);
/* service_call_start, and waits. */
void service_call(ServiceCall *call, Loop *loop, ServiceProcess *process, const char *path,
                  const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer);

/* signo: SIGKILL, SIGSTOP, SIGCONT. */
void redis_process_signal(int signo);
/* After SIGKILL: the same data again. */
void redis_process_start(void);

#endif
