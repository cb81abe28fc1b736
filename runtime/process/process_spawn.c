/* See process_spawn.h.
 *
 * vfork, because a copy of the address space is dear under gVisor. The child shares our memory until it execs,
 * so it makes system calls only: the C library's own set*id would try to change "all threads" of what it takes
 * for its process. All our descriptors are close-on-exec, so none is closed one by one.
 */
#include "runtime/process/process_spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "runtime/process/spawn_filter.h"

#include "lib/base/compiler.h"

/* Where a program is looked for when its environment names no PATH. */
#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *env_value(char *const *envp, const char *name) {
  size_t len = strlen(name);
  for (; *envp; envp++)
    if (strncmp(*envp, name, len) == 0 && (*envp)[len] == '=')
      return *envp + len + 1;
  return NULL;
}

/* execvp by the command's own PATH. Returns the errno that says most: a program that is there but may not run
 * goes before one that is missing. */
static int exec_search(const ProcessSpec *spec) {
  const char *program = spec->argv[0];
  if (strchr(program, '/')) {
    execve(program, spec->argv, spec->envp);
    return errno;
  }
  const char *path = env_value(spec->envp, "PATH");
  int found = ENOENT;
  char full[4096];
  for (const char *dir = path ? path : DEFAULT_PATH; *dir;) {
    const char *end = strchrnul(dir, ':');
    int n = snprintf(full, sizeof full, "%.*s/%s", (int)(end - dir), dir, program);
    if (n > 0 && (size_t)n < sizeof full) {
      execve(full, spec->argv, spec->envp);
      int why = errno;
      /* EACCES also means a folder of PATH that the user may not search */
      if (why != ENOENT && why != ENOTDIR && (why != EACCES || access(full, F_OK) == 0))
        found = why;
    }
    dir = *end ? end + 1 : end;
  }
  return found;
}

static int become(const ProcessSpec *spec, const SpawnFds *fds, uid_t uid, gid_t gid, bool filter) {
  if (setsid() < 0)
    return errno;
  if (fds->terminal && ioctl(fds->in, TIOCSCTTY, 0))
    return errno;
  /* the three are above 2 (process.c sees to it), so none overwrites another */
  if (dup2(fds->in, 0) < 0 || dup2(fds->out, 1) < 0 || dup2(fds->err, 2) < 0)
    return errno;
  if (fchdir(spec->cwd_fd))
    return errno;
  if (uid != (uid_t)-1) {
    if (syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, gid, gid, gid) ||
        syscall(SYS_setresuid, uid, uid, uid))
      return errno;
  }
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
    return errno;
  /* a kernel without such filters is no reason to run nothing */
  if (filter && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, spawn_filter(), 0, 0))
    errno = 0;
  /* the loop's handler writes to a socket of ours; all others do nothing (surroundings.c) and end with exec */
  sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  return exec_search(spec);
}

pid_t process_spawn(const ProcessSpec *spec, const SpawnFds *fds, uid_t uid, gid_t gid, bool filter, Error *err) {
  /* no handler of ours may run in the child, which has our memory */
  sigset_t all, old;
  sigfillset(&all);
  sigprocmask(SIG_SETMASK, &all, &old);
  volatile int failure = 0;
  // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): posix_spawn knows no users, no filters
  pid_t pid = vfork();
  if (pid == 0) {
    // NOLINTNEXTLINE(clang-analyzer-unix.Vfork): become makes system calls only, and leaves the parent one number
    failure = become(spec, fds, uid, gid, filter);
    _exit(127);
  }
  int vfork_errno = errno;
  sigprocmask(SIG_SETMASK, &old, NULL);
  if (pid < 0)
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "cannot start a process: %s", strerror(vfork_errno));
  if (!failure)
    return pid;
  const char *program = spec->argv[0];
  switch (failure) {
  case ENOENT:
  case ENOTDIR:
    return error_set(err, ERROR_NOT_FOUND, "program \"%s\" not found", program);
  case EACCES:
  case EPERM:
    return error_set(err, ERROR_PERMISSION_DENIED, "program \"%s\" may not be run: %s", program, strerror(failure));
  case E2BIG:
    error_field(err, "command.args", "arguments and environment are too large");
    return -1;
  default:
    return error_set(err, ERROR_FAILED_PRECONDITION, "program \"%s\" cannot be run: %s", program, strerror(failure));
  }
}
