/* Load generator for any unary method, and for the life of a sandbox. Prints one line of JSON. */
#include <string.h>

#include "e2e/bench/bench.h"
#include "e2e/bench/load.h"

static const ConfigItem ITEMS[] = {
    {"mode", "SANDPLANE_LOAD_MODE", CONFIG_STRING, offsetof(LoadConfig, mode), "unary", 0, 0, false,
     "unary, sandbox, create or delete"},
    {"target", "SANDPLANE_LOAD_TARGET", CONFIG_ADDRESS, offsetof(LoadConfig, target), "127.0.0.1:7400", 0, 0, false,
     "server to call"},
    {"depth", "SANDPLANE_LOAD_DEPTH", CONFIG_INT, offsetof(LoadConfig, depth), "1", 1, 10000, false,
     "calls, or sandboxes, at once"},
    {"count", "SANDPLANE_LOAD_COUNT", CONFIG_INT, offsetof(LoadConfig, count), "10000", 1, 100000000, false,
     "calls, or sandboxes, in all"},
    {"warmup", "SANDPLANE_LOAD_WARMUP", CONFIG_INT, offsetof(LoadConfig, warmup), "0", 0, 0, false,
     "as many before, not measured"},
    {"method", "SANDPLANE_LOAD_METHOD", CONFIG_STRING, offsetof(LoadConfig, method), BENCH_ECHO_METHOD, 0, 0, false,
     "unary: path of the method"},
    {"payload-bytes", "SANDPLANE_LOAD_PAYLOAD_BYTES", CONFIG_INT, offsetof(LoadConfig, payload_bytes), "64", 0, 4 << 20,
     false, "unary: size of the request, all zeros"},
    {"parent", "SANDPLANE_LOAD_PARENT", CONFIG_STRING, offsetof(LoadConfig, parent), "namespaces/default", 0, 0, false,
     "sandbox: namespace"},
    {"pool", "SANDPLANE_LOAD_POOL", CONFIG_STRING, offsetof(LoadConfig, pool), "python-sandbox-warmpool", 0, 0, false,
     "sandbox: pool to claim from"},
    {"command", "SANDPLANE_LOAD_COMMAND", CONFIG_STRING, offsetof(LoadConfig, command), "echo hello", 0, 0, false,
     "sandbox: command and arguments, separated by spaces"},
    {"second-target", "SANDPLANE_LOAD_SECOND_TARGET", CONFIG_STRING, offsetof(LoadConfig, second_target), "", 0, 0,
     false, "create, delete: calls go to this server in turn with target"},
    {"pools", "SANDPLANE_LOAD_POOLS", CONFIG_INT, offsetof(LoadConfig, pools), "1", 1, 100000, false,
     "create: claim from POOL-0, POOL-1..., the same number of each, one after the other"},
    {"names", "SANDPLANE_LOAD_NAMES", CONFIG_STRING, offsetof(LoadConfig, names), "/dev/null", 0, 0, false,
     "create: file for the names; delete: file of the names"},
};
static const ConfigTable TABLE = {.program = "load",
                                  .summary = "Calls a gRPC server and measures how long the answers take.",
                                  .items = ITEMS,
                                  .n_items = ARRAY_LEN(ITEMS)};

static const struct {
  const char *name;
  int (*run)(LoadClient *client, const LoadConfig *config);
} MODES[] = {{"unary", load_unary}, {"sandbox", load_sandbox}, {"create", load_create}, {"delete", load_delete}};

int main(int argc, char **argv) {
  LoadConfig config;
  int rc = bench_config(&TABLE, argc, argv, &config);
  if (rc >= 0)
    return rc;
  int (*run)(LoadClient *, const LoadConfig *) = NULL;
  for (size_t i = 0; i < ARRAY_LEN(MODES); i++)
    if (!strcmp(config.mode, MODES[i].name))
      run = MODES[i].run;
  if (!run) {
    fprintf(stderr, "load: --mode: \"%s\" is none of unary, sandbox, create and delete\n", config.mode);
    return 2;
  }
  LoadClient *client = load_client_new(config.target);
  if (*config.second_target)
    load_client_add(client, config.second_target);
  rc = run(client, &config);
  load_client_free(client);
  return rc;
}
