/* Arguments of one command, read by its table of options.
 *
 * Options and names may come in any order; "--" ends them and starts the command to run in a sandbox. A value
 * is --name value, --name=value or -n value; single letters that take none can be joined (-it).
 */
#ifndef SANDPLANE_CLI_TEXT_ARGS_H_
#define SANDPLANE_CLI_TEXT_ARGS_H_

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"

typedef struct Option {
  const char *name;  /* without dashes */
  char letter;       /* 0: none */
  const char *value; /* how --help calls its value; NULL: it takes none */
  const char *help;
} Option;

/* A command line is for people; more than this is a mistake. */
enum { ARGS_MAX = 256 };

typedef struct Args {
  struct {
    const Option *option;
    const char *value;
  } set[ARGS_MAX];
  size_t n_set;
  const char *names[ARGS_MAX]; /* what is no option */
  size_t n_names;
  char **command; /* behind "--" */
  size_t n_command;
} Args;

/* tables: NULL-terminated list of tables, each ended by an option without a name. Both add to *args, which is
 * zeroed before the first. */
int args_parse(const Option *const *tables, int argc, char **argv, Args *args, Error *err) MUST_CHECK;
/* Only the options before the first name or "--". Returns how many of argv they are, -1. */
int args_leading(const Option *const *tables, int argc, char **argv, Args *args, Error *err) MUST_CHECK;
bool args_has(const Args *args, const char *name);
/* The last value given; NULL: none. */
const char *args_value(const Args *args, const char *name);
/* The nth value (from 0) of an option that may be repeated; NULL: there are fewer. */
const char *args_nth(const Args *args, const char *name, size_t n);

#endif
