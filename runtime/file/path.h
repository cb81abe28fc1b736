/* Paths of callers, kept below the workspace.
 *
 * A path is walked one component at a time from an open descriptor of the workspace, following symbolic links by
 * hand, so there is no moment between a check and a use in which a link can be put in the way. ".." never leads
 * above the workspace, and a link that leads out is refused. A leading "/" means the workspace.
 */
#ifndef SANDPLANE_RUNTIME_FILE_PATH_H_
#define SANDPLANE_RUNTIME_FILE_PATH_H_

#include <stdbool.h>
#include <sys/stat.h>

#include "lib/base/error.h"

enum { PATH_NAME_MAX = 255, PATH_TEXT_MAX = 4095 };

typedef struct Workspace {
  int fd;     /* O_PATH of the folder */
  char *path; /* its real path, by which absolute links are known to stay inside */
} Workspace;

/* -1: the folder cannot be opened. */
int workspace_init(Workspace *ws, const char *path, Error *err);
void workspace_deinit(Workspace *ws);

typedef struct PathHit {
  int dir_fd;                   /* O_PATH of the folder that holds it; the caller closes */
  char name[PATH_NAME_MAX + 1]; /* "." for the workspace itself */
  bool exists;
  struct stat st;
} PathHit;

enum { PATH_FOLLOW = 1, PATH_MAKE_PARENTS = 2 };

/* PATH_FOLLOW: a link in the last component is followed too. PATH_MAKE_PARENTS: missing folders on the way are
 * made (0755). 0 with exists false when only the last component is missing; -1: INVALID_ARGUMENT (malformed),
 * PERMISSION_DENIED (leads outside), NOT_FOUND (a folder on the way is missing), FAILED_PRECONDITION. */
int path_resolve(const Workspace *ws, const char *path, int flags, PathHit *ret_hit, Error *err) MUST_CHECK;
/* Whether that is why path_resolve failed: any other refusal is the file system's. */
bool path_is_outside(const Error *err);
/* Kind and message for a failed system call on a path. Returns -1. */
int path_errno(Error *err, int errnum, const char *path);
/* Opens a folder, for a command to start in. */
int path_open_dir(const Workspace *ws, const char *path, Error *err) MUST_CHECK;

#endif
