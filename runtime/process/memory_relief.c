/* See memory_relief.h. When it is needed there is no memory to be had: all that it uses is there and was touched
 * before. */
#include "runtime/process/memory_relief.h"

#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "runtime/process/proc_stat.h"

/* More than a sandbox has by far; what is beyond is not looked at. */
#define PROCESSES_MAX 2048
/* One that holds less than this part of its session's memory is one of many: without it little would be free. */
#define ONE_OF_MANY 4

typedef struct Holder {
  pid_t pid, session;
  long pages; /* resident, also those that it shares */
} Holder;

struct MemoryRelief {
  int fd;
  LoopFd *watch;
  DIR *proc;
  size_t n;
  Holder holders[PROCESSES_MAX];
};

static bool look(const char *pid, Holder *h) {
  char text[128];
  ProcStat stat;
  if (!proc_read(pid, "statm", text, sizeof text) || !proc_stat(pid, &stat))
    return false;
  /* "total resident ..." */
  h->pages = (long)str_leading_int64(proc_next_field(text), 0);
  h->session = stat.session;
  return true;
}

static void look_at_all(MemoryRelief *m) {
  m->n = 0;
  rewinddir(m->proc);
  for (struct dirent *e; m->n < PROCESSES_MAX && (e = readdir(m->proc));) {
    Holder h = {.pid = isdigit((unsigned char)*e->d_name) ? (pid_t)str_leading_int64(e->d_name, 0) : 0};
    if (h.pid > 0 && h.pid != getpid() && look(e->d_name, &h))
      m->holders[m->n++] = h;
  }
}

static long pages_of_session(const MemoryRelief *m, pid_t session) {
  long pages = 0;
  for (size_t i = 0; i < m->n; i++)
    if (m->holders[i].session == session)
      pages += m->holders[i].pages;
  return pages;
}

/* By itself, or, by_session, of the session that holds most. */
static const Holder *largest(const MemoryRelief *m, bool by_session) {
  const Holder *found = NULL;
  long most = 0;
  for (size_t i = 0; i < m->n; i++) {
    long pages = by_session ? pages_of_session(m, m->holders[i].session) : m->holders[i].pages;
    if (pages <= most)
      continue;
    most = pages;
    found = &m->holders[i];
  }
  return found;
}

static void relieve(MemoryRelief *m) {
  look_at_all(m);
  const Holder *victim = largest(m, false);
  bool by_session = victim && victim->pages * ONE_OF_MANY < pages_of_session(m, victim->session);
  if (by_session)
    victim = largest(m, true);
  for (size_t i = 0; victim && i < m->n; i++)
    if (by_session ? m->holders[i].session == victim->session : &m->holders[i] == victim)
      kill(m->holders[i].pid, SIGKILL);
}

static void on_signal(int events, void *arg) {
  MemoryRelief *m = arg;
  struct signalfd_siginfo info;
  while (read(m->fd, &info, sizeof info) == sizeof info)
    /* who is outside has no number in here; to the commands inside it is nothing */
    if (getpid() == 1 && info.ssi_pid == 0)
      relieve(m);
}

MemoryRelief *memory_relief_new(Loop *loop) {
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR2);
  sigprocmask(SIG_BLOCK, &set, NULL);
  MemoryRelief *m = xmalloc(sizeof *m);
  /* touches it; of zeros the compiler would make calloc, which does not */
  memset(m, 1, sizeof *m);
  m->fd = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  m->watch = NULL;
  m->proc = opendir("/proc");
  /* where there is none, there are no processes to be seen */
  if (m->fd >= 0 && m->proc) {
    look_at_all(m);
    m->watch = loop_fd_new(loop, m->fd, LOOP_READ, on_signal, m);
  }
  return m;
}

void memory_relief_free(MemoryRelief *m) {
  loop_fd_free(m->watch);
  if (m->fd >= 0)
    close(m->fd);
  if (m->proc)
    closedir(m->proc);
  free(m);
}
