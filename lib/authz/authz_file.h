/* Files that say who may come in.
 *
 * Whoever can write such a file is an administrator, and whoever can read one of tokens is everybody in it. So a file
 * is refused that another user owns, that the group or others may write, or that others may read. Root may own it, as
 * Kubernetes mounts Secrets; the group may read what is root's, which is how the service then can.
 */
#ifndef SANDPLANE_LIB_AUTHZ_AUTHZ_FILE_H_
#define SANDPLANE_LIB_AUTHZ_AUTHZ_FILE_H_

#include <stdbool.h>
#include <sys/stat.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

enum { AUTHZ_FILE_MAX = 4 << 20 };

typedef enum AuthzSecrecy {
  AUTHZ_FILE_SECRET, /* as above */
  AUTHZ_FILE_PUBLIC, /* others may read it */
} AuthzSecrecy;

/* What changes when the file does, or may no longer be trusted; equal bytes are the same file as it was. */
typedef struct AuthzStamp {
  bool there;
  dev_t dev;
  ino_t ino;
  mode_t mode;
  uid_t uid;
  off_t size;
  int64_t modified_ns, changed_ns;
} AuthzStamp;

AuthzStamp authz_stamp(const char *path);
bool authz_stamp_equal(const AuthzStamp *a, const AuthzStamp *b);

/* Appends the file to out, whose max bounds it. option: the flag that names it, for the message. -1: INVALID_ARGUMENT.
 * What was read may be secret: the caller clears it. */
int authz_file_read(const char *option, const char *path, AuthzSecrecy secrecy, Buf *out, Error *err) MUST_CHECK;
/* The same judgement alone, of a file that is open. */
int authz_file_check(const char *option, const char *path, const struct stat *st, AuthzSecrecy secrecy,
                     Error *err) MUST_CHECK;
/* Clears and frees. */
void authz_file_forget(Buf *text);

#endif
