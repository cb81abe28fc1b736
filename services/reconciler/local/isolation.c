/* Helpers of the isolations; see isolation.h. */
#include "services/reconciler/local/isolation.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "services/reconciler/local/subprocess.h"

char *isolation_find_program(const char *given, const char *name) {
  if (*given)
    return access(given, X_OK) == 0 ? str_dup(given) : NULL;
  const char *path = getenv("PATH");
  for (const char *dir = path ? path : "/usr/sbin:/usr/bin:/sbin:/bin"; *dir;) {
    const char *end = strchrnul(dir, ':');
    char *full = str_printf("%.*s/%s", (int)(end - dir), dir, name);
    if (*full == '/' && access(full, X_OK) == 0)
      return full;
    free(full);
    dir = *end ? end + 1 : end;
  }
  return NULL;
}

/* Every try's; without a dot, so it is no sandbox's. What a start that was killed left in it goes with the next try. */
#define GROUP "try"
/* For the kernel to end what was killed. */
#define EMPTY_MS 2000

static void empty_group(CgroupTree *cgroups) {
  for (int64_t end = clock_mono_ms() + EMPTY_MS; !cgroup_remove(cgroups, GROUP) && clock_mono_ms() < end; usleep(2000))
    cgroup_kill(cgroups, GROUP);
}

static bool run(char *const *argv, uid_t uid, const int *cgroup_fds, size_t n, int64_t timeout_ms, const char *log) {
  Error err;
  pid_t pid = subprocess_start(&(SubprocessSpec){.argv = argv,
                                                 .log_path = log ? log : "/dev/null",
                                                 .cgroup_fds = cgroup_fds,
                                                 .n_cgroup_fds = n,
                                                 .uid = uid,
                                                 .gid = uid},
                               &err);
  if (pid < 0)
    return false;
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  struct pollfd p = {.fd = fd, .events = POLLIN};
  bool ended = fd >= 0 && poll(&p, 1, (int)timeout_ms) == 1;
  if (fd >= 0)
    close(fd);
  if (!ended)
    kill(pid, SIGKILL);
  int status;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
  }
  return ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool isolation_try(CgroupTree *cgroups, char *const *argv, uid_t uid, int64_t timeout_ms, const char *log) {
  Error err;
  int fds[CGROUP_FDS_MAX];
  size_t n;
  if (cgroup_create(cgroups, GROUP, &(CgroupLimits){0}, &err))
    return false;
  bool ok = cgroup_open(cgroups, GROUP, fds, &n, &err) == 0 && run(argv, uid, fds, n, timeout_ms, log);
  while (n > 0)
    close(fds[--n]);
  empty_group(cgroups);
  return ok;
}
