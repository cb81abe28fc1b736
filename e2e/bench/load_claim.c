/* CreateSandbox and DeleteSandbox each by itself, as fast as they go: no sandbox need be behind the records.
 *
 * Two runs with a file of names between them, so that what the server spends on either can be told apart. With
 * several pools the claims use up one after the other: many claims of small pools.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "e2e/bench/load.h"
#include "e2e/bench/samples.h"
#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

#define SERVICE "/sandplane.v1.SandboxService/"

typedef struct Run {
  LoadClient *client;
  const LoadConfig *config;
  void (*next)(struct Run *run);
  char **names;
  size_t n_names; /* create: got so far; delete: all */
  size_t started, count;
  int64_t errors, cold;
  Samples samples;
} Run;

static void call(Run *run, const char *path, const ProtobufCMessage *message,
                 void (*fn)(void *arg, const LoadAnswer *answer)) {
  uint8_t data[512];
  size_t len = protobuf_c_message_get_packed_size(message);
  if (len > sizeof data)
    abort();
  protobuf_c_message_pack(message, data);
  load_client_call(run->client, path, data, len, fn, run);
}

static bool answered(Run *run, const char *what, const LoadAnswer *answer) {
  samples_add(&run->samples, answer->us);
  if (answer->status == 0)
    return true;
  if (run->errors++ == 0)
    fprintf(stderr, "load: %s: status %d: %s\n", what, answer->status, answer->message);
  return false;
}

static void on_created(void *arg, const LoadAnswer *answer) {
  Run *run = arg;
  Sandplane__V1__Sandbox *box = NULL;
  if (answered(run, "CreateSandbox", answer))
    box = sandplane__v1__sandbox__unpack(NULL, answer->len, answer->data);
  if (box) {
    run->cold += box->wait_duration && (box->wait_duration->seconds || box->wait_duration->nanos);
    run->names[run->n_names++] = str_dup(box->name);
    sandplane__v1__sandbox__free_unpacked(box, NULL);
  }
  run->next(run);
}

static void next_create(Run *run) {
  if (run->started == run->count)
    return;
  const LoadConfig *config = run->config;
  char pool[256];
  int64_t each = (config->count + config->pools - 1) / config->pools;
  if (config->pools > 1)
    snprintf(pool, sizeof pool, "%s/pools/%s-%lld", config->parent, config->pool,
             (long long)((int64_t)run->started / each));
  else
    snprintf(pool, sizeof pool, "%s/pools/%s", config->parent, config->pool);
  run->started++;
  Sandplane__V1__CreateSandboxRequest request = SANDPLANE__V1__CREATE_SANDBOX_REQUEST__INIT;
  request.parent = (char *)config->parent;
  request.pool = pool;
  call(run, SERVICE "CreateSandbox", &request.base, on_created);
}

static void on_deleted(void *arg, const LoadAnswer *answer) {
  Run *run = arg;
  answered(run, "DeleteSandbox", answer);
  run->next(run);
}

static void next_delete(Run *run) {
  if (run->started == run->count)
    return;
  Sandplane__V1__DeleteSandboxRequest request = SANDPLANE__V1__DELETE_SANDBOX_REQUEST__INIT;
  request.name = run->names[run->started++];
  call(run, SERVICE "DeleteSandbox", &request.base, on_deleted);
}

static void run_all(Run *run) {
  load_client_connect(run->client);
  int64_t start = clock_mono_us(), cpu = samples_cpu_us();
  for (int64_t i = 0; i < run->config->depth; i++)
    run->next(run);
  load_client_run(run->client);
  double n = (double)(run->samples.n ? run->samples.n : 1), us = (double)(clock_mono_us() - start);
  printf("{\"mode\":\"%s\",\"depth\":%lld,\"calls\":%zu,\"errors\":%lld,\"cold\":%lld,\"rate\":%.0f,\"p50_ms\":%.3f,"
         "\"p99_ms\":%.3f,\"cpu_us\":%.1f}\n",
         run->config->mode, (long long)run->config->depth, run->samples.n, (long long)run->errors, (long long)run->cold,
         n * 1e6 / us, samples_ms(&run->samples, 50), samples_ms(&run->samples, 99),
         (double)(samples_cpu_us() - cpu) / n);
}

static int finish(Run *run) {
  for (size_t i = 0; i < run->n_names; i++)
    free(run->names[i]);
  free(run->names);
  samples_deinit(&run->samples);
  return run->errors > 0;
}

int load_create(LoadClient *client, const LoadConfig *config) {
  size_t count = (size_t)config->count;
  Run run = {.client = client, .config = config, .next = next_create, .count = count};
  FILE *f = fopen(config->names, "w");
  if (!f) {
    perror(config->names);
    return 1;
  }
  run.names = xcalloc(count, sizeof *run.names);
  run_all(&run);
  for (size_t i = 0; i < run.n_names; i++)
    fprintf(f, "%s\n", run.names[i]);
  fclose(f);
  return finish(&run);
}

int load_delete(LoadClient *client, const LoadConfig *config) {
  Run run = {.client = client, .config = config, .next = next_delete};
  FILE *f = fopen(config->names, "r");
  if (!f) {
    perror(config->names);
    return 1;
  }
  char line[256];
  while (fgets(line, sizeof line, f)) {
    line[strcspn(line, "\n")] = 0;
    run.names = xreallocarray(run.names, run.n_names + 1, sizeof *run.names);
    run.names[run.n_names++] = str_dup(line);
  }
  fclose(f);
  run.count = run.n_names;
  run_all(&run);
  return finish(&run);
}
