/* Helpers of the isolations; see isolation.h. */
#include "services/reconciler/local/isolation.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/str.h"

char *isolation_find_program(const char *given, const char *name) {
  if (*given) return access(given, X_OK) == 0 ? str_dup(given) : NULL;
  const char *path = getenv("PATH");
  for (const char *dir = path ? path : "/usr/sbin:/usr/bin:/sbin:/bin"; *dir;) {
    const char *end = strchrnul(dir, ':');
    char *full = str_printf("%.*s/%s", (int)(end - dir), dir, name);
    if (*full == '/' && access(full, X_OK) == 0) return full;
    free(full);
    dir = *end ? end + 1 : end;
  }
  return NULL;
}

bool isolation_try(char *const *argv, uid_t uid, int64_t timeout_ms) {
  pid_t pid = fork();
  if (pid == 0) {
    int null_fd = open("/dev/null", O_RDWR);
    setsid();
    for (int fd = 0; fd < 3; fd++) dup2(null_fd, fd);
    if (uid && (setgroups(0, NULL) || setgid(uid) || setuid(uid))) _exit(126);
    execv(argv[0], argv);
    _exit(127);
  }
  if (pid < 0) return false;
  int fd = (int)syscall(SYS_pidfd_open, pid, 0);
  struct pollfd p = {.fd = fd, .events = POLLIN};
  bool ended = fd >= 0 && poll(&p, 1, (int)timeout_ms) == 1;
  if (fd >= 0) close(fd);
  /* the session is its own, so its whole group can go */
  if (!ended) kill(-pid, SIGKILL);
  int status;
  while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {}
  return ended && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
