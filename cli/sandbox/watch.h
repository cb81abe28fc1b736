/* WatchSandboxes that outlives its connection: each event has a token, and the next call goes on after it. */
#ifndef SANDPLANE_CLI_SANDBOX_WATCH_H_
#define SANDPLANE_CLI_SANDBOX_WATCH_H_

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "cli/cli.h"

/* Calls fn for each event until it returns non-zero, which is handed on; -1 and err when the call fails for
 * another reason than a lost connection. Events that were missed beyond the server's history come as the
 * current set, ADDED again. */
int watch_run(Cli *cli, Sandplane__V1__WatchSandboxesRequest *request,
              int (*fn)(void *arg, const Sandplane__V1__WatchSandboxesResponse *event), void *arg, Error *err);

#endif
