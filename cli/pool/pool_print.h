/* Templates and pools on standard output, in the format asked for. */
#ifndef SANDPLANE_CLI_POOL_POOL_PRINT_H_
#define SANDPLANE_CLI_POOL_POOL_PRINT_H_

#include "api/sandplane/v1/pool_service.pb-c.h"
#include "cli/cli.h"
#include "cli/text/table.h"

Table *pool_table(void);
void pool_row(Table *table, const Sandplane__V1__Pool *pool);
void pool_print(const Cli *cli, const Sandplane__V1__Pool *pool);

Table *template_table(void);
void template_row(Table *table, const Sandplane__V1__Template *template);
void template_print(const Cli *cli, const Sandplane__V1__Template *template);

#endif
