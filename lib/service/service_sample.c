/* The smallest service, for service_test: what it serves can be held up, so that a drain has something to
 * wait for. */
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/service/service.h"

typedef struct SampleConfig {
  ServiceConfig service;
  const char *token;
  bool refuse;
  bool fail_start;
  bool let_go; /* held calls are answered when the drain begins */
  int64_t hold_ms;
} SampleConfig;

typedef struct Sample {
  Service *service;
  RpcCall *held;
  LoopTimer *release;
  char reason[64];
} Sample;

static const ConfigItem ITEMS[] = {
    SERVICE_CONFIG_ITEMS(SampleConfig, "127.0.0.1:7901", "127.0.0.1:7911", "SAMPLE_CONFIG"),
    {"token", "SAMPLE_TOKEN", CONFIG_STRING, offsetof(SampleConfig, token), "", 0, 0, true, "a secret"},
    {"refuse", NULL, CONFIG_BOOL, offsetof(SampleConfig, refuse), "false", 0, 0, false, "check refuses"},
    {"fail-start", NULL, CONFIG_BOOL, offsetof(SampleConfig, fail_start), "false", 0, 0, false, "start fails"},
    {"let-go", NULL, CONFIG_BOOL, offsetof(SampleConfig, let_go), "false", 0, 0, false, "drain answers"},
    {"hold", NULL, CONFIG_DURATION, offsetof(SampleConfig, hold_ms), "0s", 0, 0, false, "drain takes so long"},
};

enum { METRIC_RPC };
static const MetricDesc METRICS[] = {
    [METRIC_RPC] = {"sample_rpc_seconds", METRIC_HISTOGRAM, "Calls.", {"method", "code"}, NULL, 0},
};

static void on_echo(RpcCall *call, void *state, const uint8_t *data, size_t len) {
  rpc_call_reply(call, data, len);
}

static void on_cancel(RpcCall *call, void *arg) {
  Sample *sample = arg;
  sample->held = NULL;
  Error err;
  error_set(&err, ERROR_CANCELLED, "cancelled");
  rpc_call_finish(call, &err);
}

static void on_hold(RpcCall *call, void *state, const uint8_t *data, size_t len) {
  Sample *sample = state;
  sample->held = call;
  rpc_call_on_cancel(call, on_cancel, sample);
}

static void on_is_held(RpcCall *call, void *state, const uint8_t *data, size_t len) {
  Sample *sample = state;
  rpc_call_reply(call, (const uint8_t *)"yes", sample->held ? 3 : 0);
}

/* The request is the reason not to be ready; an empty one: ready. */
static void on_unready(RpcCall *call, void *state, const uint8_t *data, size_t len) {
  Sample *sample = state;
  size_t n = len < sizeof sample->reason ? len : sizeof sample->reason - 1;
  memcpy(sample->reason, data, n);
  sample->reason[n] = 0;
  service_set_ready(sample->service, n ? sample->reason : NULL);
  rpc_call_reply(call, NULL, 0);
}

static const RpcMethod METHODS[] = {
    {"/sample.Sample/Echo", RPC_UNARY, on_echo},
    {"/sample.Sample/Hold", RPC_UNARY, on_hold},
    {"/sample.Sample/IsHeld", RPC_UNARY, on_is_held},
    {"/sample.Sample/Unready", RPC_UNARY, on_unready},
};

static void on_release(void *arg) {
  service_release(arg);
}

static int check(const void *config, Error *err) {
  const SampleConfig *c = config;
  return c->refuse ? error_field(err, "refuse", "--refuse: refused") : 0;
}

static int start(Service *service, Error *err) {
  const SampleConfig *config = service->config;
  if (config->fail_start)
    return error_set(err, ERROR_UNAVAILABLE, "nothing to start with");
  Sample *sample = calloc(1, sizeof *sample);
  sample->service = service;
  sample->release = loop_timer_new(service->loop, on_release, service);
  service->state = sample;
  service_set_ready(service, NULL);
  return 0;
}

static void drain(Service *service) {
  Sample *sample = service->state;
  const SampleConfig *config = service->config;
  if (config->hold_ms) {
    service_hold(service);
    loop_timer_start(sample->release, config->hold_ms);
  }
  if (config->let_go && sample->held) {
    rpc_call_reply(sample->held, (const uint8_t *)"held", 4);
    sample->held = NULL;
  }
}

static void stop(Service *service) {
  Sample *sample = service->state;
  loop_timer_free(sample->release);
  free(sample);
}

int main(int argc, char **argv) {
  const ServiceSpec spec = {
      .config = {"sample", "A service that does nothing of use.", ITEMS, ARRAY_LEN(ITEMS)},
      .config_size = sizeof(SampleConfig),
      .metrics = METRICS,
      .n_metrics = ARRAY_LEN(METRICS),
      .methods = METHODS,
      .n_methods = ARRAY_LEN(METHODS),
      .rpc_metric = METRIC_RPC,
      .check = check,
      .start = start,
      .drain = drain,
      .stop = stop,
  };
  return service_main(&spec, argc, argv);
}
