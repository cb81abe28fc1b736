/* See terminal_keys.h. */
#include "runtime/terminal_keys.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { CTRL_C = 3 };

/* A key that became a signal is not left in the input. Nobody has this terminal, so the signal reaches no one. */
static bool leaves_key(int master, int slave) {
  struct termios settings;
  int left = 0;
  const char key = CTRL_C;
  if (tcgetattr(slave, &settings))
    return false;
  cfmakeraw(&settings);
  settings.c_lflag |= ISIG;
  settings.c_cc[VINTR] = CTRL_C;
  if (tcsetattr(slave, TCSANOW, &settings) || write(master, &key, 1) != 1)
    return false;
  return ioctl(slave, FIONREAD, &left) == 0 && left > 0;
}

bool terminal_keys_needed(void) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC), slave = -1;
  char name[64];
  if (master >= 0 && !unlockpt(master) && !ptsname_r(master, name, sizeof name))
    slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  bool needed = slave >= 0 && leaves_key(master, slave);
  if (slave >= 0)
    close(slave);
  if (master >= 0)
    close(master);
  return needed;
}

int terminal_key_signal(int master, uint8_t key) {
  struct termios settings;
  if (!key || tcgetattr(master, &settings) || !(settings.c_lflag & ISIG))
    return 0;
  if (key == settings.c_cc[VINTR])
    return SIGINT;
  if (key == settings.c_cc[VQUIT])
    return SIGQUIT;
  return key == settings.c_cc[VSUSP] ? SIGTSTP : 0;
}

/* The group of one process if it is in the session, else 0. */
static pid_t group_in(pid_t session, const char *pid) {
  char path[64], text[512];
  int group = 0, its_session = 0;
  snprintf(path, sizeof path, "/proc/%.16s/stat", pid);
  FILE *f = fopen(path, "re");
  size_t n = f ? fread(text, 1, sizeof text - 1, f) : 0;
  if (f)
    fclose(f);
  text[n] = 0;
  const char *behind_name = strrchr(text, ')'); /* the name may hold anything */
  if (!behind_name || sscanf(behind_name + 1, " %*c %*d %d %d", &group, &its_session) != 2)
    return 0;
  return its_session == session ? group : 0;
}

/* The kernel may not tell us, who are not of the session: then it is the job that was started last, which has
 * the highest number, or the session's leader when there is no job. */
static pid_t foreground(int master, pid_t session) {
  pid_t group = tcgetpgrp(master);
  if (group > 0)
    return group;
  group = session;
  DIR *dir = opendir("/proc");
  for (struct dirent *entry; dir && (entry = readdir(dir));) {
    pid_t other = atoi(entry->d_name) > 0 ? group_in(session, entry->d_name) : 0;
    if (other > group)
      group = other;
  }
  if (dir)
    closedir(dir);
  return group;
}

void terminal_keys_send(int master, pid_t session, int signo) {
  kill(-foreground(master, session), signo);
}
