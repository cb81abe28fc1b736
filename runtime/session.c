/* See session.h. */
#include "runtime/session.h"

#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A process that forks while it is looked for may leave a child behind the place where the search is. */
#define PASSES_MAX 8

typedef struct Entry {
  pid_t pid, group;
  bool zombie;
} Entry;

/* False: no process, or of another session. */
static bool read_entry(const char *name, pid_t session, Entry *ret) {
  char path[64], text[512], state;
  int group = 0, its_session = 0, pid = atoi(name);
  if (pid <= 0)
    return false;
  snprintf(path, sizeof path, "/proc/%d/stat", pid);
  FILE *f = fopen(path, "re");
  size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
  if (f)
    fclose(f);
  text[n] = 0;
  const char *behind_name = strrchr(text, ')'); /* the name may hold anything */
  if (!behind_name || sscanf(behind_name + 1, " %c %*d %d %d", &state, &group, &its_session) != 3 ||
      its_session != session)
    return false;
  *ret = (Entry){.pid = pid, .group = group, .zombie = state == 'Z' || state == 'X'};
  return true;
}

/* foreground -1: all are killed. Returns how many were. */
static int kill_once(pid_t session, pid_t foreground) {
  int found = 0;
  Entry e;
  DIR *dir = opendir("/proc");
  for (struct dirent *d; dir && (d = readdir(dir));) {
    if (!read_entry(d->d_name, session, &e) || e.zombie)
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
  Entry e;
  DIR *dir = opendir("/proc");
  for (struct dirent *d; dir && (d = readdir(dir));)
    if (read_entry(d->d_name, leader, &e) && e.group > last)
      last = e.group;
  if (dir)
    closedir(dir);
  return last;
}
