/* One table per program: flag, environment name, type, default, help.
 *
 * The table makes --help, validation, the start-up dump and the check of the documentation.
 * Precedence: flag, then environment, then file (read by lib/service), then default. A flag is --name=value or --name
 * value, a boolean also
 * --name alone; one dash will do, as programs in Go take it. Anything unknown or malformed is one clear line and
 * exit 2.
 */
#ifndef SANDPLANE_LIB_BASE_CONFIG_H_
#define SANDPLANE_LIB_BASE_CONFIG_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/compiler.h"
#include "lib/base/error.h"

typedef enum ConfigType {
  CONFIG_STRING,   /* const char *, never NULL */
  CONFIG_INT,      /* int64_t */
  CONFIG_REAL,     /* double, finite */
  CONFIG_BOOL,     /* bool */
  CONFIG_DURATION, /* int64_t, milliseconds */
  CONFIG_ADDRESS,  /* const char *, "host:port", ":port", "[v6]:port" or "unix:/path" */
} ConfigType;

typedef struct ConfigItem {
  const char *flag; /* without dashes */
  const char *env;  /* "SANDPLANE_..." */
  ConfigType type;
  size_t offset; /* of the field in the caller's struct */
  const char *fallback;
  int64_t min, max; /* numbers and CONFIG_DURATION; 0, 0: any that is not negative */
  bool secret;      /* not dumped */
  const char *help;
} ConfigItem;

/* A second name of a flag, as other programs have it; the last one that is given counts. */
typedef struct ConfigAlias {
  const char *alias, *flag;
} ConfigAlias;

/* A setting of a file: the flag's name, and its value as text. */
typedef struct ConfigValue {
  const char *name, *value;
} ConfigValue;

typedef struct ConfigTable {
  const char *program;
  const char *summary; /* one or two lines for --help */
  const ConfigItem *items;
  size_t n_items;
  const ConfigAlias *aliases;
  size_t n_aliases;
} ConfigTable;

/* Outcomes of config_parse. */
enum { CONFIG_HELP = 1, CONFIG_VERSION = 2 };

/* Fills *config. Strings point into argv, the environment or the table. 0; CONFIG_HELP or CONFIG_VERSION
 * when asked for (nothing is printed); -1 with one line in err. */
int config_parse(const ConfigTable *table, int argc, char **argv, void *config, Error *err) MUST_CHECK;
/* The same, with the settings of a file, whose name err begins with; strings point into them as well. A name that is
 * unknown, or means the same as another, is refused. */
int config_parse_file(const ConfigTable *table, const char *file, const ConfigValue *values, size_t n_values, int argc,
                      char **argv, void *config, Error *err) MUST_CHECK;
/* Text of --help; the caller frees. */
char *config_help(const ConfigTable *table);
/* {"flag":"value",...} for the start-up log; the caller frees. */
char *config_dump_json(const ConfigTable *table, const void *config);

#endif
