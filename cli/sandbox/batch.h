/* create --count: several sandboxes in one call. */
#ifndef SANDPLANE_CLI_SANDBOX_BATCH_H_
#define SANDPLANE_CLI_SANDBOX_BATCH_H_

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "cli/cli.h"

/* each: what one of them would be asked for with, filled. Prints all; exit code. */
int batch_create(Cli *cli, const Args *args, const Sandplane__V1__CreateSandboxRequest *each);

#endif
