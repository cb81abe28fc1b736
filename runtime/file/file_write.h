/* A file written by a caller: what was sent takes effect whole, at the end, or not at all.
 *
 * It is collected in a file of its own. A new file is that one, renamed. One that is there is written over with what
 * was collected: it stays the file that it is, with its owner, its mode, its other names and those who have it open.
 */
#ifndef SANDPLANE_RUNTIME_FILE_FILE_WRITE_H_
#define SANDPLANE_RUNTIME_FILE_FILE_WRITE_H_

#include "runtime/runtime.h"

typedef struct FileWrite {
  const Runtime *rt;
  char *path; /* as given, for messages */
  PathHit at;
  mode_t mode;
  int fd;        /* what is collected */
  char temp[32]; /* its name beside the place; empty: it has none */
} FileWrite;

/* Makes missing parents. All work is done as the sandbox's user; what that may not write is refused here. mode:
 * permission bits; 0: those that a file has that is there, 0644 for a new one. -1: nothing is left. */
int file_write_begin(FileWrite *w, const Runtime *rt, const char *path, mode_t mode, Error *err) MUST_CHECK;
int file_write_data(FileWrite *w, const uint8_t *data, size_t len, Error *err) MUST_CHECK;
/* Puts it in place; ret_st may be NULL. -1: the file that was there is as it was, unless the error is one of its disk.
 */
int file_write_commit(FileWrite *w, struct stat *ret_st, Error *err) MUST_CHECK;
/* Drops what was not committed. Safe at any point after begin, and on a zeroed struct with fd -1. */
void file_write_end(FileWrite *w);

#endif
