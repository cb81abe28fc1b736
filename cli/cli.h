/* What the commands of sandctl share: where to call, how to answer.
 *
 * A command's run gets its arguments parsed and returns the exit code. Exit codes: 0; 1 the call failed; 2
 * the command line is wrong; exec hands on the command's own. Answers go to standard output, everything else
 * is one line on standard error.
 */
#ifndef SANDPLANE_CLI_CLI_H_
#define SANDPLANE_CLI_CLI_H_

#include "cli/text/args.h"
#include "lib/base/arena.h"
#include "lib/loop/loop.h"
#include "lib/rpc/rpc_client.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

typedef enum Format { FORMAT_TABLE, FORMAT_JSON, FORMAT_NAME } Format;

typedef struct Cli {
  const char *server;
  const char *ns;
  bool ns_given;
  int64_t timeout_ms; /* of one call; INT64_MAX: none */
  bool timeout_given;
  Format format;
  RpcMetadata token; /* authorization: Bearer TOKEN; value NULL: none */
  Loop *loop;
  RpcChannel *channel;
  Arena *arena;                        /* lives as long as the command */
  const struct Command *const *tables; /* COMMAND_TABLES, for a command that tells of the others */
} Cli;

typedef struct Command {
  const char *name;  /* "create", "pools scale" */
  const char *usage; /* what follows the name */
  const char *help;
  const Option *options; /* ended by an option without a name */
  int (*run)(Cli *cli, const Args *args);
  /* For completion, what its names can be: the command that lists them, or "=" and words; NULL: files. */
  const char *names;
} Command;

/* Each file of commands has one table, ended by a command without a name. */
extern const Command SANDBOX_COMMANDS[], LIST_COMMANDS[], EXEC_COMMANDS[], FILE_COMMANDS[], APPLY_COMMANDS[],
    POOL_COMMANDS[], QUOTA_COMMANDS[], TEMPLATE_COMMANDS[], IMAGE_COMMANDS[], LOGS_COMMANDS[], DOCTOR_COMMANDS[],
    COMPLETION_COMMANDS[];
/* All tables, NULL-terminated. */
extern const Command *const COMMAND_TABLES[];
/* Options that every command has. */
extern const Option GLOBAL_OPTIONS[];

/* What every call carries: adds the token, if there is one. Returns how many. */
size_t cli_metadata(const Cli *cli, RpcMetadata out[1]);
/* "namespaces/{ns}/{collection}/{name}"; a name that starts with "namespaces/" stays as it is. */
char *cli_name(Cli *cli, const char *collection, const char *name);
/* "namespaces/{ns}". */
char *cli_parent(Cli *cli);
/* The last segment of a resource name. */
const char *cli_short(const char *name);
/* One line "sandctl: ..." with the field and what to do next. Returns EXIT_FAILED. */
int cli_fail(const Cli *cli, const Error *err);
/* The same for a wrong command line. Returns EXIT_USAGE. */
int cli_usage(const char *fmt, ...) PRINTF_LIKE(1, 2);

#endif
