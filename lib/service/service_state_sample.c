/* The smallest service over the shared state, for service_state_test. */
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/service/service_state.h"

typedef struct SampleConfig {
  ServiceConfig service;
  RedisConfig redis;
} SampleConfig;

static const ConfigItem ITEMS[] = {
    SERVICE_CONFIG_ITEMS(SampleConfig, "127.0.0.1:7901", "127.0.0.1:7911", "SAMPLE_CONFIG"),
    REDIS_CONFIG_ITEMS(SampleConfig)};

enum { METRIC_RPC };
static const MetricDesc METRICS[] = {
    [METRIC_RPC] = {"sample_rpc_seconds", METRIC_HISTOGRAM, "Calls.", {"method", "code"}, NULL, 0},
};

static bool on_connected(void *arg) {
  log_event(LOG_INFO, "sample_connected", LOG_BOOL("connected", service_state_connected(((Service *)arg)->state)));
  return true;
}

static int start(Service *service, Error *err) {
  service->state = service_state_new(service, &((const SampleConfig *)service->config)->redis, NULL);
  service_state_watch(service->state, on_connected, service);
  return 0;
}

static void stop(Service *service) {
  service_state_close(service->state);
  service_state_free(service->state);
}

int main(int argc, char **argv) {
  const ServiceSpec spec = {
      .config = {"sample", "A service that does nothing with the state.", ITEMS, ARRAY_LEN(ITEMS)},
      .config_size = sizeof(SampleConfig),
      .metrics = METRICS,
      .n_metrics = ARRAY_LEN(METRICS),
      .rpc_metric = METRIC_RPC,
      .start = start,
      .stop = stop,
  };
  return service_main(&spec, argc, argv);
}
