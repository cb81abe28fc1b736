/* The settings of a service: its flags, its environment, and the file that --config names. */
#ifndef SANDPLANE_LIB_SERVICE_SERVICE_SETTINGS_H_
#define SANDPLANE_LIB_SERVICE_SERVICE_SETTINGS_H_

#include "lib/base/config.h"

/* What was read from the file, which the config's strings may point into. Zeroed: nothing. */
typedef struct ServiceSettings {
  ConfigValue *values;
  size_t n_values;
} ServiceSettings;

/* As config_parse, for a config that begins with a ServiceConfig. The file is one mapping of names of flags to values:
 * texts, numbers, true and false, or a sequence of them for a list that the flag has with commas. It has at most 1 MiB.
 * What is wrong with it is one line as well, with its name. */
int service_settings_parse(ServiceSettings *settings, const ConfigTable *table, int argc, char **argv, void *config,
                           Error *err) MUST_CHECK;
void service_settings_deinit(ServiceSettings *settings);

#endif
