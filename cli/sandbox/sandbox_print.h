/* Sandboxes on standard output, in the format asked for. */
#ifndef SANDPLANE_CLI_SANDBOX_SANDBOX_PRINT_H_
#define SANDPLANE_CLI_SANDBOX_SANDBOX_PRINT_H_

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "cli/cli.h"
#include "cli/text/table.h"

Table *sandbox_table(void);
void sandbox_row(Table *table, const Sandplane__V1__Sandbox *box);
/* One line of a watch: no table, because there is no end to wait for. */
void sandbox_event(const Cli *cli, const char *event, const Sandplane__V1__Sandbox *box);
/* All there is to say about one. */
void sandbox_print(const Cli *cli, const Sandplane__V1__Sandbox *box);
const char *sandbox_state_name(const Sandplane__V1__Sandbox *box);

#endif
