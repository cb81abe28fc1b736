/* See identity.h. Raw calls: this process has one thread, and the C library's wrappers do more than is wanted. */
#include "runtime/process/identity.h"

#include <stdbool.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static void set_effective(uid_t uid, gid_t gid, bool gid_first) {
  if (gid_first)
    syscall(SYS_setresgid, -1, gid, -1);
  if (syscall(SYS_setresuid, -1, uid, -1))
    abort(); /* going on with the wrong identity would be worse */
  if (!gid_first)
    syscall(SYS_setresgid, -1, gid, -1);
}

void identity_assume(uid_t uid, gid_t gid) {
  if (uid != (uid_t)-1)
    set_effective(uid, gid, true);
}

void identity_restore(uid_t uid) {
  if (uid != (uid_t)-1)
    set_effective(getuid(), getgid(), false);
}
