/* Settings in a mounted folder: a file is a flag without its dashes, as a ConfigMap shows its keys.
 *
 * They go before the defaults and the environment, and behind the command line. Only flags that tune the controller are
 * taken from there (the reference controller's list, all of them): where Redis is and who may write is not a
 * ConfigMap's business.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_CONFIG_FOLDER_H_
#define SANDPLANE_SERVICES_RECONCILER_CONFIG_FOLDER_H_

#include <stddef.h>

/* A key of its own, read by the claim controller while it runs. */
#define CONFIG_FOLDER_DOMAINS "allowed-label-domains"

typedef struct ConfigFolder {
  int argc;
  char **argv;   /* the caller's first argument, a flag for each key, then the caller's others; NULL at the end */
  size_t n_keys; /* of those flags */
  char *unknown; /* names of the keys that are none of ours, joined by ", "; empty: none */
} ConfigFolder;

/* A folder that is not there has no keys. Names that begin with `_` or `.` are comments. argv is borrowed. */
void config_folder_read(ConfigFolder *folder, const char *path, int argc, char **argv);
void config_folder_deinit(ConfigFolder *folder);

#endif
