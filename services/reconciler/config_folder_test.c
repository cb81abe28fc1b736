/* A folder of settings: which names are flags, in which order they count. */
#include "services/reconciler/config_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "services/reconciler/config.h"

static char folder_path[64];

static void drop(const char *name) {
  CLEANUP(str_freep) char *file = str_printf("%s/%s", folder_path, name);
  unlink(file);
}

static int make_folder(void **state) {
  test_folder(folder_path);
  return 0;
}
static int remove_folder(void **state) {
  return rmdir(folder_path);
}

static void nothing_is_there(void **state) {
  ConfigFolder folder;
  char *argv[] = {"program", "--kube-api-burst=3", "x", NULL};
  config_folder_read(&folder, "/nowhere/at/all", 3, argv);
  assert_int_equal(folder.argc, 3);
  for (size_t i = 0; i < 3; i++)
    assert_string_equal(folder.argv[i], argv[i]);
  assert_null(folder.argv[3]);
  assert_string_equal(folder.unknown, "");
  config_folder_deinit(&folder);
}

static void keys_go_before_the_command_line(void **state) {
  ConfigFolder folder;
  ReconcilerConfig config;
  Error err;
  char *argv[] = {"program", "--backend=kubernetes", "--kube-api-burst=3", NULL};
  test_write_file(folder_path, "kube-api-burst", "7\n");
  test_write_file(folder_path, "kube-api-qps", "12.5");
  test_write_file(folder_path, "sandbox-warm-pool-readiness-grace-period", "5m0s");
  test_write_file(folder_path, "disable-sandbox-events", "true\n");
  test_write_file(folder_path, "api-connections", "4");
  test_write_file(folder_path, "allowed-label-domains", "example.com");
  test_write_file(folder_path, "_note", "a comment");
  test_write_file(folder_path, ".hidden", "as well");
  test_write_file(folder_path, "redis-address", "elsewhere:1"); /* a flag of ours, and none that a ConfigMap may set */
  test_write_file(folder_path, "tpyo", "1");
  config_folder_read(&folder, folder_path, 3, argv);
  assert_string_equal(folder.unknown, "redis-address, tpyo");
  assert_int_equal(folder.n_keys, 5);
  assert_ok(config_parse(&RECONCILER_CONFIG, folder.argc, folder.argv, &config, &err), &err);
  assert_int_equal(config.kube_api_burst, 3);
  assert_true(config.kube_api_qps == 12.5);
  assert_int_equal(config.readiness_grace_ms, 300000);
  assert_true(config.disable_sandbox_events);
  assert_string_equal(config.redis.address, "127.0.0.1:6379");
  for (size_t i = 0; i < ARRAY_LEN(RECONCILER_UNUSED); i++)
    assert_int_equal(reconciler_unused_is_given(&config, &RECONCILER_UNUSED[i]),
                     strcmp(RECONCILER_UNUSED[i].flag, "api-connections") == 0);
  config_folder_deinit(&folder);
  static const char *const FILES[] = {"kube-api-burst",
                                      "kube-api-qps",
                                      "sandbox-warm-pool-readiness-grace-period",
                                      "disable-sandbox-events",
                                      "api-connections",
                                      "allowed-label-domains",
                                      "_note",
                                      ".hidden",
                                      "redis-address",
                                      "tpyo"};
  for (size_t i = 0; i < ARRAY_LEN(FILES); i++)
    drop(FILES[i]);
}

/* Everything that the reference controller is started with. */
static void all_flags_of_the_reference(void **state) {
  ReconcilerConfig config;
  Error err;
  char *argv[] = {"program",
                  "-backend=kubernetes",
                  "--extensions",
                  "--leader-elect=true",
                  "--leader-election-namespace=a",
                  "--cluster-domain=b",
                  "--metrics-bind-address=:8080",
                  "--health-probe-bind-address=:8081",
                  "--enable-tracing=false",
                  "--enable-pprof",
                  "--enable-pprof-debug=true",
                  "--pprof-block-profile-rate=1000000",
                  "--pprof-mutex-profile-fraction=10",
                  "--kube-api-qps=-1.000000",
                  "--kube-api-burst=10",
                  "--api-connections=1",
                  "--separate-watch-connection=false",
                  "--sandbox-concurrent-workers=100",
                  "--sandbox-claim-concurrent-workers=50",
                  "--sandbox-warm-pool-concurrent-workers=1",
                  "--sandbox-template-concurrent-workers=1",
                  "--sandbox-warm-pool-max-batch-size=300",
                  "--sandbox-warm-pool-replenish-delay=0",
                  "--sandbox-warm-pool-max-refill-rate=0",
                  "--sandbox-warm-pool-readiness-grace-period=5m0s",
                  "--sandbox-warm-pool-unschedulable-recheck-interval=1m0s",
                  "--enable-warm-pool-eviction=true",
                  "--cache-label-selectors=false",
                  "--disable-claim-events=false",
                  "--disable-sandbox-events=false",
                  "--disable-claim-observability-annotations=false",
                  "--sandbox-claim-warm-candidate-grace-period=2s",
                  "--sandbox-write-behind-window=0s",
                  "--enable-rest-client-metrics=true",
                  "--enable-webhook=true",
                  "--manage-webhook-certs=true",
                  "--webhook-port=9443",
                  "--webhook-cert-dir=/tmp/certs",
                  "--webhook-cert-name=tls.crt",
                  "--webhook-key-name=tls.key",
                  "--webhook-service-name=c",
                  "--webhook-namespace=d",
                  "--zap-log-level=debug",
                  "--zap-devel=true",
                  "--zap-encoder=json",
                  "--zap-stacktrace-level=error",
                  "--zap-time-encoding=iso8601",
                  NULL};
  assert_ok(config_parse(&RECONCILER_CONFIG, ARRAY_LEN(argv) - 1, argv, &config, &err), &err);
  assert_true(config.kube_api_qps == -1);
  assert_int_equal(config.webhook_port, 9443);
  assert_int_equal(config.candidate_grace_ms, 2000);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(nothing_is_there),
      cmocka_unit_test(keys_go_before_the_command_line),
      cmocka_unit_test(all_flags_of_the_reference),
  };
  return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
