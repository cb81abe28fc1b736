/* The file of API keys under sandctl's hands: read, changed and put in its place whole.
 *
 * Two that change it at once wait for each other; who reads it meanwhile, as the router does, has the old one or the
 * new one. The new one is its owner's alone (0600). The same files are refused as by the router.
 */
#ifndef SANDPLANE_CLI_KEY_KEY_FILE_H_
#define SANDPLANE_CLI_KEY_KEY_FILE_H_

#include <stdbool.h>

#include "lib/authz/authz_keys.h"
#include "lib/base/buf.h"

typedef struct KeyFile {
  char *path;  /* behind symbolic links */
  int folder;  /* locked while it is open */
  bool is_new; /* there is no file yet */
  Buf text;    /* its lines, to be changed in place */
} KeyFile;

/* may_be_new: a file that is not there is an empty one. -1: nothing to close. */
int key_file_open(KeyFile *file, const char *path, bool may_be_new, Error *err) MUST_CHECK;
/* What text has become is on the disk, or everything is as it was. */
int key_file_replace(KeyFile *file, Error *err) MUST_CHECK;
void key_file_close(KeyFile *file);

/* fn for each line, with its end, and the key in it; key NULL: a comment or an empty line. -1: a line is malformed. */
typedef void (*KeyLineFn)(void *arg, const char *line, size_t len, const AuthzKey *key);
int key_file_each(const KeyFile *file, KeyLineFn fn, void *arg, Error *err) MUST_CHECK;

#endif
