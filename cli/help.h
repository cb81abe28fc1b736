/* The tables of commands as a person reads them: lookup and help. */
#ifndef SANDPLANE_CLI_HELP_H_
#define SANDPLANE_CLI_HELP_H_

#include "cli/cli.h"

/* The command that argv (argc > 0) starts with, of one or two words; *ret_words says which. NULL: none. */
const Command *help_find(int argc, char **argv, int *ret_words);
void help_all(void);
/* Returns 0, as the command's exit code. */
int help_command(const Command *command);
/* Prints the commands whose first word it is; false: there are none. */
bool help_group(const char *word);
/* Of a command line that starts with it: EXIT_USAGE. */
int help_unknown(const char *word);

#endif
