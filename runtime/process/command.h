/* A Command of the API, checked and made ready to start. */
#ifndef SANDPLANE_RUNTIME_PROCESS_COMMAND_H_
#define SANDPLANE_RUNTIME_PROCESS_COMMAND_H_

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "runtime/runtime.h"

typedef struct Command {
  ProcessSpec spec; /* argv points into the message */
  char **envp;
  char **argv;
  int cwd_fd;
} Command;

/* traceparent: of the call, may be empty. -1: INVALID_ARGUMENT with the field, or what path_open_dir says of
 * working_dir. */
int command_init(Command *cmd, const Runtime *rt, const Sandplane__V1__Command *message, const char *traceparent,
                 Error *err) MUST_CHECK;
void command_deinit(Command *cmd);
/* How it ended, as the API says it. */
Sandplane__V1__ExitStatus command_status(const ProcessExit *e);

#endif
