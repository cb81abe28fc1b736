/* See remove_tree.h. */
#include "services/reconciler/local/remove_tree.h"

#include <ftw.h>
#include <stdio.h>
#include <sys/stat.h>

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw) {
  remove(path);
  return 0; /* after a failure too: as much goes as can */
}

void remove_tree(const char *path) {
  struct stat st;
  if (lstat(path, &st) == 0)
    nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
