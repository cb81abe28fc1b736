/* See service_fixture.h. */
#include "lib/service/service_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"

enum { LIMIT_MS = 20000, STEP_MS = 2, MAX_ARGS = 16 };

static void stop(void *arg) {
  loop_stop(arg);
}

void service_fixture_until(Loop *loop, bool (*fn)(void *arg), void *arg, const char *what) {
  LoopTimer *step = loop_timer_new(loop, stop, loop);
  int64_t end = clock_mono_ms() + LIMIT_MS;
  while (!fn(arg)) {
    if (clock_mono_ms() > end) {
      fprintf(stderr, "did not come true within %d ms: %s\n", LIMIT_MS, what);
      abort();
    }
    loop_timer_start(step, STEP_MS);
    loop_run(loop);
  }
  loop_timer_free(step);
}

static bool is_set(void *arg) {
  return *(const bool *)arg;
}

void service_fixture_wait(Loop *loop, const bool *flag, const char *what) {
  service_fixture_until(loop, is_set, (void *)flag, what);
}

/* ---- processes ---- */

/* A test that dies must not leave its services behind. */
static pid_t the_pids[16];

static void kill_all(void) {
  for (size_t i = 0; i < sizeof the_pids / sizeof the_pids[0]; i++)
    if (the_pids[i])
      kill(the_pids[i], SIGKILL);
}

static void on_abort(int signo) {
  kill_all();
}

static void remember(pid_t pid, pid_t instead_of) {
  static bool installed;
  if (!installed) {
    atexit(kill_all);
    signal(SIGABRT, on_abort);
    installed = true;
  }
  for (size_t i = 0; i < sizeof the_pids / sizeof the_pids[0]; i++)
    if (the_pids[i] == instead_of) {
      the_pids[i] = pid;
      return;
    }
}

static void on_health(void *arg, const Error *status, const uint8_t *data, size_t len) {
  bool *answered = arg;
  /* HealthCheckResponse: status SERVING. */
  answered[0] = true;
  answered[1] = status->kind == ERROR_NONE && len == 2 && data[0] == 0x08 && data[1] == 1;
}

/* Whether it serves. */
static bool ask_health(ServiceProcess *process, Loop *loop, int64_t timeout_ms) {
  bool answered[2] = {false, false};
  rpc_client_unary(process->channel, "/grpc.health.v1.Health/Check", timeout_ms, NULL, 0, on_health, answered);
  service_fixture_wait(loop, &answered[0], "an answer of the health service");
  return answered[1];
}

static void wait_serving(ServiceProcess *process, Loop *loop) {
  int64_t end = clock_mono_ms() + LIMIT_MS;
  while (!ask_health(process, loop, 1000)) {
    if (clock_mono_ms() > end) {
      fprintf(stderr, "%s does not serve\n", process->address);
      abort();
    }
  }
}

void service_process_reached(ServiceProcess *process, Loop *loop) {
  ask_health(process, loop, LIMIT_MS);
}

void service_process_start(ServiceProcess *process, Loop *loop, const char *program, int port,
                           const char *const *args) {
  char admin[32];
  snprintf(process->address, sizeof process->address, "127.0.0.1:%d", port);
  snprintf(admin, sizeof admin, "127.0.0.1:%d", port + 10);
  const char *argv[MAX_ARGS] = {program, "--grpc-address", process->address, "--admin-address", admin};
  for (size_t n = 5; *args && n < MAX_ARGS - 1;)
    argv[n++] = *args++;
  process->pid = fork();
  if (process->pid < 0)
    abort();
  if (process->pid == 0) {
    execv(program, (char **)argv);
    perror(program);
    _exit(127);
  }
  remember(process->pid, 0);
  process->channel = rpc_channel_new(loop, process->address);
  wait_serving(process, loop);
}

typedef struct Exit {
  pid_t pid;
  int status;
} Exit;

static bool exited(void *arg) {
  Exit *e = arg;
  return waitpid(e->pid, &e->status, WNOHANG) == e->pid;
}

int service_process_wait(ServiceProcess *process, Loop *loop) {
  Exit e = {.pid = process->pid};
  service_fixture_until(loop, exited, &e, "end of a service after a signal");
  remember(0, process->pid);
  rpc_channel_free(process->channel);
  *process = (ServiceProcess){0};
  return WIFEXITED(e.status) ? WEXITSTATUS(e.status) : 128 + WTERMSIG(e.status);
}

int service_process_stop(ServiceProcess *process, Loop *loop) {
  kill(process->pid, SIGTERM);
  return service_process_wait(process, loop);
}

void service_process_kill(ServiceProcess *process, Loop *loop) {
  kill(process->pid, SIGKILL);
  service_process_wait(process, loop);
}

/* ---- calls ---- */

static void on_answer(void *arg, const Error *status, const uint8_t *data, size_t len) {
  ServiceCall *call = arg;
  call->done = true;
  call->call = NULL;
  call->status = *status;
  if (status->kind == ERROR_NONE)
    call->answer = rpc_pb_unpack(call->descriptor, call->arena, data, len, &call->status);
}

void service_call_start_with(ServiceCall *call, ServiceProcess *process, const char *path, const RpcMetadata *metadata,
                             size_t n_metadata, const ProtobufCMessage *request,
                             const ProtobufCMessageDescriptor *answer, int64_t timeout_ms) {
  *call = (ServiceCall){.arena = arena_new(), .descriptor = answer};
  size_t len;
  uint8_t *data = rpc_pb_pack(request, &len);
  RpcClientCall *c =
      rpc_client_unary_with(process->channel, path, timeout_ms, metadata, n_metadata, data, len, on_answer, call);
  if (!call->done)
    call->call = c;
  free(data);
}

void service_call_start(ServiceCall *call, ServiceProcess *process, const char *path, const ProtobufCMessage *request,
                        const ProtobufCMessageDescriptor *answer, int64_t timeout_ms) {
  service_call_start_with(call, process, path, NULL, 0, request, answer, timeout_ms);
}

void service_call_free(ServiceCall *call) {
  arena_free(call->arena);
}

void service_call(ServiceCall *call, Loop *loop, ServiceProcess *process, const char *path,
                  const ProtobufCMessage *request, const ProtobufCMessageDescriptor *answer) {
  service_call_start(call, process, path, request, answer, LIMIT_MS);
  service_fixture_wait(loop, &call->done, path);
}

/* ---- Redis ---- */

static const char *need_env(const char *name) {
  const char *value = getenv(name);
  if (value)
    return value;
  fprintf(stderr, "%s is not set: run under with_redis.sh\n", name);
  abort();
}

static void pid_path(char path[4096]) {
  snprintf(path, 4096, "%s/server.pid", need_env("REDIS_DIR"));
}

void redis_process_signal(int signo) {
  char path[4096];
  pid_path(path);
  FILE *f = fopen(path, "r");
  char line[32];
  int64_t pid;
  if (!f || !fgets(line, sizeof line, f))
    abort();
  line[strcspn(line, "\n")] = 0;
  if (str_to_int64(line, 2, INT32_MAX, &pid) != 0)
    abort();
  fclose(f);
  kill((pid_t)pid, signo);
  /* One started here is this process' child. */
  if (signo == SIGKILL)
    waitpid((pid_t)pid, NULL, 0);
}

void redis_process_start(void) {
  const char *dir = need_env("REDIS_DIR"), *port = strrchr(need_env("REDIS_ADDRESS"), ':') + 1;
  char path[4096];
  pid_path(path);
  pid_t pid = fork();
  if (pid < 0)
    abort();
  if (pid == 0) {
    int null = open("/dev/null", O_WRONLY);
    dup2(null, STDOUT_FILENO);
    execl(need_env("REDIS_SERVER"), "redis-server", "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly",
          "yes", "--appendfsync", "always", "--dir", dir, "--loglevel", "warning", (char *)NULL);
    _exit(127);
  }
  FILE *f = fopen(path, "w");
  if (!f)
    abort();
  fprintf(f, "%d\n", pid);
  fclose(f);
}
