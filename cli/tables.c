/* All commands, and the options that each of them has. */
#include "cli/cli.h"

const Option GLOBAL_OPTIONS[] = {
    {"server", 's', "HOST:PORT", "router to call (SANDPLANE_SERVER; 127.0.0.1:7400)"},
    {"namespace", 'n', "NAME", "namespace (SANDPLANE_NAMESPACE; default)"},
    {"token-file", 0, "FILE", "bearer token for a router that wants one (SANDPLANE_TOKEN: the token itself)"},
    {"timeout", 0, "DURATION", "longest time of a call, for example 30s (60s; exec, cp and --watch: none)"},
    {"output", 'o', "FORMAT", "table, json or name"},
    {"help", 'h', NULL, "this text"},
    {"version", 0, NULL, "the version of sandctl"},
    {NULL, 0, NULL, NULL},
};

const Command *const COMMAND_TABLES[] = {
    SANDBOX_COMMANDS,    LIST_COMMANDS, EXEC_COMMANDS,     FILE_COMMANDS,  APPLY_COMMANDS, POOL_COMMANDS,
    QUOTA_COMMANDS,      KEY_COMMANDS,  TEMPLATE_COMMANDS, IMAGE_COMMANDS, LOGS_COMMANDS,  DOCTOR_COMMANDS,
    COMPLETION_COMMANDS, NULL};
