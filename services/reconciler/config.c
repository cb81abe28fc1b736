/* The one table of the reconciler's settings: it makes --help, validation and the start-up dump. */
#include "services/reconciler/config.h"

#include <stddef.h>

#define AT(field) offsetof(ReconcilerConfig, field)

static const ConfigItem ITEMS[] = {
    SERVICE_CONFIG_ITEMS(ReconcilerConfig, "127.0.0.1:7403", "127.0.0.1:7413"),
    {"redis-address", "SANDPLANE_REDIS_ADDRESS", CONFIG_ADDRESS, AT(redis_address), "127.0.0.1:6379", 0, 0, false, "the shared state"},
    {"redis-password", "SANDPLANE_REDIS_PASSWORD", CONFIG_STRING, AT(redis_password), "", 0, 0, true, "empty: none"},
    {"data-dir", "SANDPLANE_DATA", CONFIG_STRING, AT(data_dir), "/var/lib/sandplane", 0, 0, false, "images and sandboxes of this machine"},
    {"runsc", "SANDPLANE_RUNSC", CONFIG_STRING, AT(runsc), "", 0, 0, false, "gVisor's runsc; empty: the one in PATH"},
    {"runsc-platform", "SANDPLANE_RUNSC_PLATFORM", CONFIG_STRING, AT(runsc_platform), "", 0, 0, false,
     "gVisor platform; empty: systrap if it works, else ptrace"},
    {"bwrap", "SANDPLANE_BWRAP", CONFIG_STRING, AT(bwrap), "", 0, 0, false, "bubblewrap; empty: the one in PATH"},
    {"runtime-binary", "SANDPLANE_RUNTIME_BINARY", CONFIG_STRING, AT(runtime_binary), "", 0, 0, false,
     "sandplane-runtime; empty: beside this program"},
    {"unpack-binary", "SANDPLANE_UNPACK_BINARY", CONFIG_STRING, AT(unpack_binary), "", 0, 0, false, "sandplane-unpack; empty: beside this program"},
    {"default-runtime-class", "SANDPLANE_DEFAULT_RUNTIME_CLASS", CONFIG_STRING, AT(default_runtime_class), "process", 0, 0, false,
     "isolation of templates that name none: process (bubblewrap) or gvisor"},
    {"cgroup-root", "SANDPLANE_CGROUP_ROOT", CONFIG_STRING, AT(cgroup_root), "/sys/fs/cgroup", 0, 0, false, "where control groups are mounted"},
    {"max-starting", "SANDPLANE_MAX_STARTING", CONFIG_INT, AT(max_starting), "0", 0, 1000, false, "sandboxes started at once; 0: one a core"},
    {"start-timeout", "SANDPLANE_START_TIMEOUT", CONFIG_DURATION, AT(start_timeout_ms), "30s", 100, 3600000, false,
     "how long a sandbox may take to become ready"},
    {"sandbox-uid", "SANDPLANE_SANDBOX_UID", CONFIG_INT, AT(sandbox_uid), "64000", 1000, 2000000000, false,
     "host user that sandboxes of class process run as"},
    {"destroy-on-exit", "SANDPLANE_DESTROY_ON_EXIT", CONFIG_BOOL, AT(destroy_on_exit), "false", 0, 0, false,
     "destroy all sandboxes at a clean exit, instead of leaving them to the next start"},
};

const ConfigTable RECONCILER_CONFIG = {
    .program = "sandplane-reconciler",
    .summary = "The outside world: makes, watches and destroys sandboxes, and keeps images.",
    .items = ITEMS,
    .n_items = sizeof ITEMS / sizeof ITEMS[0],
};
