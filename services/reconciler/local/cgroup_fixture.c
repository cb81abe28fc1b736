/* See cgroup_fixture.h. */
#include "services/reconciler/local/cgroup_fixture.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/base/test.h"

const char *fixture_group(const char *folder) {
  return strrchr(folder, '/') + 1;
}

char *fixture_read(const char *folder, const char *name) {
  CLEANUP(str_freep) char *path = str_printf("%s/%s", folder, name);
  FILE *f = fopen(path, "re");
  if (!f)
    return NULL;
  char *text = xcalloc(1, 1 << 16);
  if (fread(text, 1, (1 << 16) - 1, f) == 0)
    *text = 0;
  fclose(f);
  return text;
}

static void make(const char *path) {
  if (mkdir(path, 0755) && errno != EEXIST)
    abort();
}

void cgroup_fixture_group(const char *root, const char *parent, const char *name) {
  static const struct {
    const char *controller, *files[5];
  } TREE[] = {
      {"memory", {"cgroup.procs", "memory.limit_in_bytes", "memory.oom_control", "cgroup.event_control"}},
      {"pids", {"cgroup.procs", "pids.max"}},
  };
  for (size_t i = 0; i < ARRAY_LEN(TREE); i++) {
    CLEANUP(str_freep) char *base = str_printf("%s/%s", root, TREE[i].controller);
    CLEANUP(str_freep) char *ours = str_printf("%s/%s", base, parent);
    CLEANUP(str_freep) char *group = str_printf("%s/%s", ours, name);
    make(base);
    make(ours);
    make(group);
    for (size_t k = 0; TREE[i].files[k]; k++) {
      CLEANUP(str_freep) char *of_all = str_printf("%s/%s", ours, TREE[i].files[k]);
      if (access(of_all, F_OK))
        test_write_file(ours, TREE[i].files[k], "");
      test_write_file(group, TREE[i].files[k], "");
    }
  }
}
