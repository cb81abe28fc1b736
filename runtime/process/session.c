/* See session.h. */
#include "runtime/process/session.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>

#include "runtime/process/proc_stat.h"

/* A process that forks while it is looked for may leave a child behind the place where the search is. */
#define PASSES_MAX 8

/* False: no process, or of another session. */
static bool is_of(const char *name, pid_t session, ProcStat *ret) {
  return proc_stat(name, ret) && ret->session == session;
}

static bool has_ended(const ProcStat *p) {
  return p->state == 'Z' || p->state == 'X';
}

/* foreground -1: all are killed. Returns how many were. */
static int kill_once(pid_t session, pid_t foreground) {
  int found = 0;
  ProcStat e;
  DIR *dir = opendir("/proc");
  for (struct dirent *d; dir && (d = readdir(dir));) {
    if (!is_of(d->d_name, session, &e) || has_ended(&e))
      continue;
    if (foreground >= 0 && e.group != session && e.group != foreground) {
      kill(e.pid, SIGHUP);
      kill(e.pid, SIGCONT);
      continue;
    }
    kill(e.pid, SIGKILL);
    found++;
  }
  if (dir)
    closedir(dir);
  return found;
}

void session_kill(pid_t leader) {
  kill(-leader, SIGKILL);
  for (int i = 0; i < PASSES_MAX && kill_once(leader, -1) > 0; i++)
    continue;
}

void session_hang_up(pid_t leader, pid_t foreground) {
  kill(-leader, SIGKILL);
  if (foreground > 0)
    kill(-foreground, SIGKILL);
  kill_once(leader, foreground > 0 ? foreground : 0);
}

pid_t session_last_group(pid_t leader) {
  pid_t last = leader;
  ProcStat e;
  DIR *dir = opendir("/proc");
  for (struct dirent *d; dir && (d = readdir(dir));)
    if (is_of(d->d_name, leader, &e) && e.group > last)
      last = e.group;
  if (dir)
    closedir(dir);
  return last;
}
