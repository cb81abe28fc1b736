/* See subprocess.h. */
#include "services/reconciler/local/subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "services/reconciler/local/process_limits.h"

#define PASS_MAX 8
/* Where the kernel has no close_range (before 5.9): nobody hands over more. */
#define CLOSE_MAX 65536
#define FIRST_PASSED 3

/* Ours holds the passwords of services, and what is started here may run as a user that sandboxes share. */
static char *const environment[] = {"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", NULL};

/* Descriptors that whoever started us forgot to close are no business of a sandbox. */
static void close_from(int first) {
  if (syscall(SYS_close_range, first, ~0U, 0) == 0)
    return;
  for (int fd = first; fd < CLOSE_MAX; fd++)
    close(fd);
}

/* Whoever started us may have ignored signals, a umask, a priority, limits; what we start has the usual ones. What may
 * not be changed stays. */
static void forget_the_starter(bool deaf) {
  for (int signo = 1; signo < NSIG; signo++)
    signal(signo, SIG_DFL);
  /* and those that the C library keeps for itself and does not let us set, as the kernel knows them */
  const unsigned long usual_action[8] = {0}; /* longer than any kernel's */
  for (int signo = SIGSYS + 1; signo < SIGRTMIN; signo++)
    syscall(SYS_rt_sigaction, signo, usual_action, NULL, sizeof(uint64_t));
  sigset_t blocked;
  sigemptyset(&blocked);
  if (deaf) {
    sigaddset(&blocked, SIGTERM);
    sigaddset(&blocked, SIGINT);
  }
  sigprocmask(SIG_SETMASK, &blocked, NULL);
  umask(022);
  struct sched_param usual = {0};
  if (sched_getscheduler(0) != SCHED_OTHER)
    sched_setscheduler(0, SCHED_OTHER, &usual);
  setpriority(PRIO_PROCESS, 0, 0);
  syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0);
  int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (fd >= 0 && write(fd, "0", 1) < 0)
    errno = 0;
  if (fd >= 0)
    close(fd);
  process_limits_apply();
}

/* Between vfork and exec: system calls only, our memory is shared. */
static int become(const SubprocessSpec *spec, int null_fd, int log_fd) {
  for (size_t i = 0; i < spec->n_cgroup_fds; i++)
    if (write(spec->cgroup_fds[i], "0", 1) != 1)
      return errno;
  if (setsid() < 0)
    return errno;
  if (dup2(null_fd, 0) < 0 || dup2(log_fd, 1) < 0 || dup2(log_fd, 2) < 0)
    return errno;
  /* first above all of them, so that none is overwritten before it is moved */
  int high[PASS_MAX];
  for (size_t i = 0; i < spec->n_pass_fds; i++)
    if ((high[i] = fcntl(spec->pass_fds[i], F_DUPFD_CLOEXEC, 64)) < 0)
      return errno;
  for (size_t i = 0; i < spec->n_pass_fds; i++)
    if (dup2(high[i], FIRST_PASSED + (int)i) < 0)
      return errno;
  close_from(FIRST_PASSED + (int)spec->n_pass_fds);
  forget_the_starter(spec->deaf);
  if (spec->uid && (syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, spec->gid, spec->gid, spec->gid) ||
                    syscall(SYS_setresuid, spec->uid, spec->uid, spec->uid)))
    return errno;
  execve(spec->argv[0], spec->argv, environment);
  return errno;
}

pid_t subprocess_start(const SubprocessSpec *spec, Error *err) {
  if (spec->n_pass_fds > PASS_MAX)
    return error_set(err, ERROR_INTERNAL, "too many descriptors to pass on");
  int null_fd = open("/dev/null", O_RDONLY | O_CLOEXEC);
  int log_fd = open(spec->log_path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  if (null_fd < 0 || log_fd < 0) {
    error_set(err, ERROR_INTERNAL, "%s: %s", spec->log_path, strerror(errno));
    if (null_fd >= 0)
      close(null_fd);
    return -1;
  }
  volatile int failure = 0;
  // NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork): posix_spawn knows neither users nor control groups
  pid_t pid = vfork();
  if (pid == 0) {
    // NOLINTNEXTLINE(clang-analyzer-unix.Vfork): become makes system calls only, and leaves the parent one number
    failure = become(spec, null_fd, log_fd);
    _exit(127);
  }
  int why = pid < 0 ? errno : failure;
  close(null_fd);
  close(log_fd);
  if (pid > 0 && failure)
    waitpid(pid, NULL, 0);
  if (why)
    return error_set(err, ERROR_UNAVAILABLE, "cannot start %s: %s", spec->argv[0], strerror(why));
  return pid;
}

struct PidWatch {
  pid_t pid;
  int fd;
  LoopFd *watch;
  void (*fn)(void *arg, int status);
  void *arg;
};

static void on_ended(int events, void *arg) {
  PidWatch *w = arg;
  int status = -1;
  if (waitpid(w->pid, &status, WNOHANG) != w->pid)
    status = -1;
  void (*fn)(void *, int) = w->fn;
  void *fn_arg = w->arg;
  pid_watch_free(w);
  fn(fn_arg, status);
}

PidWatch *pid_watch_new(Loop *loop, pid_t pid, void (*fn)(void *arg, int status), void *arg) {
  int fd = (int)syscall(SYS_pidfd_open, pid, 0); /* close-on-exec by itself */
  if (fd < 0)
    return NULL;
  PidWatch *w = new0(PidWatch);
  *w = (PidWatch){.pid = pid, .fd = fd, .fn = fn, .arg = arg};
  w->watch = loop_fd_new(loop, fd, LOOP_READ, on_ended, w);
  return w;
}

void pid_watch_free(PidWatch *w) {
  if (!w)
    return;
  loop_fd_free(w->watch);
  close(w->fd);
  free(w);
}

unsigned long long pid_start_time(pid_t pid) {
  char path[64], text[1024];
  snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t n = fd >= 0 ? read(fd, text, sizeof text - 1) : -1;
  if (fd >= 0)
    close(fd);
  if (n <= 0)
    return 0;
  text[n] = 0;
  /* the name in parentheses may hold anything; field 22 is counted from behind it (proc(5)) */
  char *p = strrchr(text, ')');
  for (int field = 2; p && field < 22; field++)
    p = strchr(p + 1, ' ');
  return p ? strtoull(p + 1, NULL, 10) : 0;
}
