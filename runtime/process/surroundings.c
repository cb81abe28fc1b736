/* See surroundings.h. */
#include "runtime/process/surroundings.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/compiler.h"
#include "lib/base/str.h"
#include "runtime/process/passwd.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
/* The kernel's own default; a soft limit of "unlimited" would lay memory out in the old way. */
#define STACK_BYTES ((rlim_t)8 << 20)

static void settle_descriptors(int keep_fd) {
  int fd;
  do
    fd = open("/dev/null", O_RDWR | O_CLOEXEC);
  while (fd >= 0 && fd <= 2 && fcntl(fd, F_SETFD, 0) == 0);
  if (fd > 2)
    close(fd);
  DIR *dir = opendir("/proc/self/fd");
  for (struct dirent *e; dir && (e = readdir(dir));) {
    fd = (int)str_leading_int64(e->d_name, -1);
    if (fd > 2 && fd != keep_fd && fd != dirfd(dir))
      close(fd);
  }
  if (dir)
    closedir(dir);
}

/* A fault of our own is not sent by anybody, and would come again for ever. */
static void on_signal(int signo, siginfo_t *info, void *context) {
  if (info->si_code > 0 && (signo == SIGSEGV || signo == SIGBUS || signo == SIGFPE || signo == SIGILL))
    signal(signo, SIG_DFL);
}

/* Those that the C library keeps for itself and does not let us set get what another has, as the kernel knows it. */
static void settle_reserved(int like) {
  unsigned long action[8] = {0}; /* longer than any kernel's */
  if (syscall(SYS_rt_sigaction, like, NULL, action, sizeof(uint64_t)))
    return;
  for (int signo = SIGSYS + 1; signo < SIGRTMIN; signo++)
    syscall(SYS_rt_sigaction, signo, action, NULL, sizeof(uint64_t));
}

static void settle_signals(void) {
  struct sigaction nothing = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_RESTART};
  sigfillset(&nothing.sa_mask);
  for (int signo = 1; signo <= SIGRTMAX; signo++) {
    /* these end nothing by themselves, and the loop has its own way with the first */
    bool default_will_do = signo == SIGCHLD || signo == SIGCONT || signo == SIGURG || signo == SIGWINCH;
    if (default_will_do)
      signal(signo, SIG_DFL);
    else if (signo != SIGKILL && signo != SIGSTOP)
      sigaction(signo, &nothing, NULL);
  }
  settle_reserved(SIGUSR1);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

static void settle_limits(void) {
  static const int LIMITS[] = {RLIMIT_CPU,    RLIMIT_FSIZE, RLIMIT_DATA,   RLIMIT_RSS,        RLIMIT_NPROC,
                               RLIMIT_NOFILE, RLIMIT_AS,    RLIMIT_LOCKS,  RLIMIT_SIGPENDING, RLIMIT_MSGQUEUE,
                               RLIMIT_STACK,  RLIMIT_CORE,  RLIMIT_MEMLOCK};
  for (size_t i = 0; i < ARRAY_LEN(LIMITS); i++) {
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)LIMITS[i], &limit))
      continue;
    limit.rlim_cur = limit.rlim_max;
    if (LIMITS[i] == RLIMIT_STACK && limit.rlim_cur > STACK_BYTES)
      limit.rlim_cur = STACK_BYTES;
    if (LIMITS[i] == RLIMIT_CORE)
      limit.rlim_cur = 0;
    /* one that may not be set stays as it is */
    setrlimit((__rlimit_resource_t)LIMITS[i], &limit);
  }
}

void surroundings_settle(int keep_fd) {
  settle_descriptors(keep_fd);
  settle_signals();
  settle_limits();
  umask(022);
  if (getpriority(PRIO_PROCESS, 0) != 0)
    setpriority(PRIO_PROCESS, 0, 0);
}

/* Of /etc/passwd, which is read here because the C library's own way loads libraries that an image may not have. */
static void find_home(uid_t uid, char *home, size_t max) {
  char line[1024];
  const char *dir = NULL;
  FILE *f = fopen("/etc/passwd", "re");
  while (f && !dir && fgets(line, sizeof line, f))
    dir = passwd_home(line, uid);
  snprintf(home, max, "%s", dir ? dir : "/");
  if (f)
    fclose(f);
}

void surroundings_complete_environment(uid_t uid) {
  char home[512], host[HOST_NAME_MAX + 1] = "";
  setenv("PATH", DEFAULT_PATH, false);
  if (!getenv("HOME")) {
    find_home(uid == (uid_t)-1 ? getuid() : uid, home, sizeof home);
    setenv("HOME", home, false);
  }
  if (gethostname(host, sizeof host - 1) == 0)
    setenv("HOSTNAME", host, false);
}

struct EndSignals {
  int fd;
  LoopFd *watch;
  void (*fn)(void *arg);
  void *arg;
};

static void on_end_signal(int events, void *arg) {
  EndSignals *s = arg;
  struct signalfd_siginfo info;
  while (read(s->fd, &info, sizeof info) == sizeof info)
    /* who is outside has no number in here */
    if (getpid() != 1 || info.ssi_pid == 0)
      return s->fn(s->arg);
}

EndSignals *end_signals_new(Loop *loop, void (*fn)(void *arg), void *arg) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGTERM);
  sigaddset(&set, SIGINT);
  sigprocmask(SIG_BLOCK, &set, NULL);
  EndSignals *s = new0(EndSignals);
  *s = (EndSignals){.fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC), .fn = fn, .arg = arg};
  if (s->fd < 0)
    abort();
  s->watch = loop_fd_new(loop, s->fd, LOOP_READ, on_end_signal, s);
  return s;
}

void end_signals_free(EndSignals *s) {
  loop_fd_free(s->watch);
  close(s->fd);
  free(s);
}
