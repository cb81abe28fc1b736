/* A file that appears whole or not at all: written beside its place and renamed into it. */
#ifndef SANDPLANE_RUNTIME_FILE_WRITE_H_
#define SANDPLANE_RUNTIME_FILE_WRITE_H_

#include "runtime/runtime.h"

typedef struct FileWrite {
  const Runtime *rt;
  char *path; /* as given, for messages */
  PathHit at;
  int fd;
  char temp[32];
} FileWrite;

/* Makes missing parents. All work is done as the sandbox's user. -1: nothing is left. */
int file_write_begin(FileWrite *w, const Runtime *rt, const char *path, mode_t mode, Error *err) MUST_CHECK;
int file_write_data(FileWrite *w, const uint8_t *data, size_t len, Error *err) MUST_CHECK;
/* Renames it into place; ret_st may be NULL. */
int file_write_commit(FileWrite *w, struct stat *ret_st, Error *err) MUST_CHECK;
/* Drops what was not committed. Safe at any point after begin, and on a zeroed struct with fd -1. */
void file_write_end(FileWrite *w);

#endif
