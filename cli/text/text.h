/* Values of options as parts of requests; each failure names the option. */
#ifndef SANDPLANE_CLI_TEXT_TEXT_H_
#define SANDPLANE_CLI_TEXT_TEXT_H_

#include "cli/cli.h"
#include "google/protobuf/duration.pb-c.h"

/* The duration of an option, in the arena; NULL with an empty err: not given. */
Google__Protobuf__Duration *text_duration(Cli *cli, const Args *args, const char *option, Error *err);
/* Splits the nth KEY=VALUE of an option: 1 there is one, 0 there are no more, -1 and err. */
int text_pair(Cli *cli, const Args *args, const char *option, size_t n, char **ret_key, char **ret_value,
              Error *err) MUST_CHECK;

#endif
