/* See config_folder.h. */
#include "services/reconciler/config_folder.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

/* No setting is longer; what is, is cut, and refused for what it says then. */
#define VALUE_MAX 4096

static const char *const KEYS[] = {
    "api-connections",
    "cache-label-selectors",
    "disable-claim-events",
    "disable-claim-observability-annotations",
    "disable-sandbox-events",
    "enable-warm-pool-eviction",
    "kube-api-burst",
    "kube-api-qps",
    "pprof-block-profile-rate",
    "pprof-mutex-profile-fraction",
    "sandbox-claim-concurrent-workers",
    "sandbox-claim-warm-candidate-grace-period",
    "sandbox-concurrent-workers",
    "sandbox-template-concurrent-workers",
    "sandbox-warm-pool-concurrent-workers",
    "sandbox-warm-pool-max-batch-size",
    "sandbox-warm-pool-max-refill-rate",
    "sandbox-warm-pool-readiness-grace-period",
    "sandbox-warm-pool-replenish-delay",
    "sandbox-warm-pool-unschedulable-recheck-interval",
    "sandbox-write-behind-window",
    "separate-watch-connection",
};

static bool is_key(const char *name) {
  for (size_t i = 0; i < ARRAY_LEN(KEYS); i++)
    if (strcmp(KEYS[i], name) == 0)
      return true;
  return false;
}

/* What the file holds, without the blanks that an editor leaves at its end; NULL: it is no file that can be read. */
static char *value_of(const char *path, const char *name) {
  CLEANUP(str_freep) char *file = str_printf("%s/%s", path, name);
  char all[VALUE_MAX + 1], *text = all;
  FILE *f = fopen(file, "re");
  if (!f)
    return NULL;
  size_t len = fread(all, 1, VALUE_MAX, f);
  bool failed = ferror(f) != 0;
  fclose(f);
  if (failed)
    return NULL;
  all[len] = 0;
  text += strspn(text, " \t\r\n");
  len = strlen(text);
  while (len > 0 && strchr(" \t\r\n", text[len - 1]))
    len--;
  return str_ndup(text, len);
}

static void take(ConfigFolder *folder, const char *path, const char *name) {
  if (!is_key(name)) {
    CLEANUP(str_freep) char *before = folder->unknown;
    folder->unknown = str_printf("%s%s%s", before, *before ? ", " : "", name);
    return;
  }
  CLEANUP(str_freep) char *value = value_of(path, name);
  if (value)
    folder->argv[++folder->n_keys] = str_printf("--%s=%s", name, value);
}

static int only_keys(const struct dirent *entry) {
  return *entry->d_name != '.' && *entry->d_name != '_' && strcmp(entry->d_name, CONFIG_FOLDER_DOMAINS) != 0;
}

void config_folder_read(ConfigFolder *folder, const char *path, int argc, char **argv) {
  struct dirent **entries = NULL;
  int n = scandir(path, &entries, only_keys, alphasort);
  *folder = (ConfigFolder){.unknown = str_dup("")};
  folder->argv = xcalloc((size_t)argc + ARRAY_LEN(KEYS) + 1, sizeof *folder->argv);
  folder->argv[0] = argv[0];
  for (int i = 0; i < n; i++) {
    take(folder, path, entries[i]->d_name);
    free(entries[i]);
  }
  free(entries);
  folder->argc = (int)folder->n_keys + 1;
  for (int i = 1; i < argc; i++)
    folder->argv[folder->argc++] = argv[i];
}

void config_folder_deinit(ConfigFolder *folder) {
  for (size_t i = 1; folder->argv && i <= folder->n_keys; i++)
    free(folder->argv[i]);
  free(folder->argv);
  free(folder->unknown);
  *folder = (ConfigFolder){0};
}
