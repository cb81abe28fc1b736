/* The life of a sandbox as an agent sees it: CreateSandbox, Exec, DeleteSandbox.
 *
 * A round takes depth sandboxes at once. Before it, and outside of all measured times, the round waits until
 * the pool has that many ready and starts no more: the figures are those of warm sandboxes, not of starting
 * new ones. How many of the claims were served without waiting is reported beside them.
 *
 * claim_to_output runs from the call of CreateSandbox to the answer of Exec; exec_own is the part of Exec
 * that the sandbox itself took, by the duration in its answer.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "api/sandplane/v1/pool_service.pb-c.h"
#include "api/sandplane/v1/sandbox.pb-c.h"
#include "e2e/bench/load.h"
#include "e2e/bench/samples.h"
#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define SERVICE "/sandplane.v1.SandboxService/"

enum { POOL_WAIT_MS = 120 * 1000, POOL_POLL_MS = 5, MAX_ARGS = 32 };

typedef struct Run {
  LoadClient *client;
  const LoadConfig *config;
  char *pool; /* full name */
  char *words;
  char *args[MAX_ARGS];
  size_t n_args;
  int64_t ready;
  bool settled; /* no sandbox of the pool is being started */
  int64_t warm;
  int64_t errors;
  Samples create, exec, exec_own, claim_to_output, delete;
} Run;

typedef struct Cycle {
  Run *run;
  char *name;
  int64_t start_us;
} Cycle;

static bool failed(Run *run, const char *what, const LoadAnswer *answer) {
  if (answer->status == 0)
    return false;
  if (run->errors++ == 0)
    fprintf(stderr, "load: %s: status %d: %s\n", what, answer->status, answer->message);
  return true;
}

static void call(Run *run, const char *path, const ProtobufCMessage *message,
                 void (*fn)(void *arg, const LoadAnswer *answer), void *arg) {
  size_t len = protobuf_c_message_get_packed_size(message);
  uint8_t *data = xmalloc(len + 1);
  protobuf_c_message_pack(message, data);
  load_client_call(run->client, path, data, len, fn, arg);
  free(data);
}

/* ---- Waiting for the pool ---- */

static void on_pool(void *arg, const LoadAnswer *answer) {
  Run *run = arg;
  if (failed(run, "GetPool", answer)) {
    run->ready = -1;
    return;
  }
  Sandplane__V1__Pool *pool = sandplane__v1__pool__unpack(NULL, answer->len, answer->data);
  run->ready = pool ? pool->ready_count : -1;
  run->settled = pool && pool->creating_count == 0;
  sandplane__v1__pool__free_unpacked(pool, NULL);
}

static int wait_ready(Run *run, int64_t wanted) {
  Sandplane__V1__GetPoolRequest request = SANDPLANE__V1__GET_POOL_REQUEST__INIT;
  request.name = run->pool;
  int64_t end = clock_mono_ms() + POOL_WAIT_MS;
  for (;;) {
    call(run, "/sandplane.v1.PoolService/GetPool", &request.base, on_pool, run);
    load_client_run(run->client);
    if (run->ready >= wanted && run->settled)
      return 0;
    if (run->ready < 0)
      return -1;
    if (clock_mono_ms() > end) {
      fprintf(stderr, "load: %s has %lld ready sandboxes, not %lld, after %d s\n", run->pool, (long long)run->ready,
              (long long)wanted, POOL_WAIT_MS / 1000);
      return -1;
    }
    nanosleep(&(struct timespec){.tv_nsec = POOL_POLL_MS * 1000000L}, NULL);
  }
}

/* ---- One cycle ---- */

static void on_deleted(void *arg, const LoadAnswer *answer) {
  Cycle *cycle = arg;
  if (!failed(cycle->run, "DeleteSandbox", answer))
    samples_add(&cycle->run->delete, answer->us);
  free(cycle->name);
  free(cycle);
}

static void on_executed(void *arg, const LoadAnswer *answer) {
  Cycle *cycle = arg;
  Run *run = cycle->run;
  if (!failed(run, "Exec", answer)) {
    Sandplane__V1__ExecResponse *response = sandplane__v1__exec_response__unpack(NULL, answer->len, answer->data);
    samples_add(&run->exec, answer->us);
    samples_add(&run->claim_to_output, clock_mono_us() - cycle->start_us);
    if (response && response->duration) {
      samples_add(&run->exec_own, response->duration->seconds * 1000000 + response->duration->nanos / 1000);
    }
    if (!response || !response->status || response->status->exit_code != 0) {
      if (run->errors++ == 0)
        fprintf(stderr, "load: the command failed\n");
    }
    if (response)
      sandplane__v1__exec_response__free_unpacked(response, NULL);
  }
  Sandplane__V1__DeleteSandboxRequest request = SANDPLANE__V1__DELETE_SANDBOX_REQUEST__INIT;
  request.name = cycle->name;
  call(run, SERVICE "DeleteSandbox", &request.base, on_deleted, cycle);
}

static void on_created(void *arg, const LoadAnswer *answer) {
  Cycle *cycle = arg;
  Run *run = cycle->run;
  Sandplane__V1__Sandbox *sandbox = NULL;
  if (!failed(run, "CreateSandbox", answer))
    sandbox = sandplane__v1__sandbox__unpack(NULL, answer->len, answer->data);
  if (!sandbox) {
    free(cycle);
    return;
  }
  samples_add(&run->create, answer->us);
  if (!sandbox->wait_duration || (sandbox->wait_duration->seconds == 0 && sandbox->wait_duration->nanos == 0))
    run->warm++;
  cycle->name = str_dup(sandbox->name);
  sandplane__v1__sandbox__free_unpacked(sandbox, NULL);
  Sandplane__V1__Command command = SANDPLANE__V1__COMMAND__INIT;
  command.n_args = run->n_args;
  command.args = run->args;
  Sandplane__V1__ExecRequest request = SANDPLANE__V1__EXEC_REQUEST__INIT;
  request.name = cycle->name;
  request.command = &command;
  call(run, SERVICE "Exec", &request.base, on_executed, cycle);
}

static int round_of(Run *run, int64_t n) {
  if (wait_ready(run, n) < 0)
    return -1;
  for (int64_t i = 0; i < n; i++) {
    Cycle *cycle = new0(Cycle);
    *cycle = (Cycle){.run = run, .start_us = clock_mono_us()};
    Sandplane__V1__CreateSandboxRequest request = SANDPLANE__V1__CREATE_SANDBOX_REQUEST__INIT;
    request.parent = (char *)run->config->parent;
    request.pool = run->pool;
    call(run, SERVICE "CreateSandbox", &request.base, on_created, cycle);
  }
  load_client_run(run->client);
  return 0;
}

/* ---- The run ---- */

static void print(Run *run) {
  printf("{\"mode\":\"sandbox\",\"depth\":%lld,\"cycles\":%zu,\"warm\":%lld,\"errors\":%lld,"
         "\"create_p50_ms\":%.3f,\"create_p99_ms\":%.3f,\"exec_p50_ms\":%.3f,\"exec_own_p50_ms\":%.3f,"
         "\"claim_to_output_p50_ms\":%.3f,\"claim_to_output_p99_ms\":%.3f,\"delete_p50_ms\":%.3f}\n",
         (long long)run->config->depth, run->create.n, (long long)run->warm, (long long)run->errors,
         samples_ms(&run->create, 50), samples_ms(&run->create, 99), samples_ms(&run->exec, 50),
         samples_ms(&run->exec_own, 50), samples_ms(&run->claim_to_output, 50), samples_ms(&run->claim_to_output, 99),
         samples_ms(&run->delete, 50));
}

static void reset(Run *run) {
  run->warm = 0;
  run->create.n = run->exec.n = run->exec_own.n = run->claim_to_output.n = run->delete.n = 0;
}

static int repeat(Run *run, int64_t count) {
  int64_t depth = run->config->depth;
  for (int64_t done = 0; done < count; done += depth) {
    if (round_of(run, count - done < depth ? count - done : depth) < 0)
      return -1;
  }
  return 0;
}

int load_sandbox(LoadClient *client, const LoadConfig *config) {
  Run run = {.client = client, .config = config};
  run.pool = str_printf("%s/pools/%s", config->parent, config->pool);
  run.words = str_dup(config->command);
  char *rest = run.words;
  for (char *word; run.n_args < MAX_ARGS && (word = strsep(&rest, " "));) {
    if (*word)
      run.args[run.n_args++] = word;
  }
  int rc = repeat(&run, config->warmup);
  reset(&run);
  if (rc == 0)
    rc = repeat(&run, config->count);
  if (rc == 0)
    print(&run);
  samples_deinit(&run.create);
  samples_deinit(&run.exec);
  samples_deinit(&run.exec_own);
  samples_deinit(&run.claim_to_output);
  samples_deinit(&run.delete);
  free(run.words);
  free(run.pool);
  return rc < 0 || run.errors > 0;
}
