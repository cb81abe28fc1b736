/* All commands. */
#include "cli/cli.h"

const Command *const COMMAND_TABLES[] = {SANDBOX_COMMANDS,
                                         LIST_COMMANDS,
                                         EXEC_COMMANDS,
                                         FILE_COMMANDS,
                                         APPLY_COMMANDS,
                                         POOL_COMMANDS,
                                         QUOTA_COMMANDS,
                                         TEMPLATE_COMMANDS,
                                         IMAGE_COMMANDS,
                                         LOGS_COMMANDS,
                                         DOCTOR_COMMANDS,
                                         COMPLETION_COMMANDS,
                                         NULL};
