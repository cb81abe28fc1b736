/* See terminal_keys.h. */
#include "runtime/process/terminal_keys.h"

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "lib/base/compiler.h"
#include "runtime/process/session.h"

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

size_t terminal_keys_find(int master, const uint8_t *data, size_t len, int *ret_signo) {
  struct termios settings;
  if (tcgetattr(master, &settings) || !(settings.c_lflag & ISIG))
    return len;
  const struct {
    uint8_t key;
    int signo;
  } keys[] = {{settings.c_cc[VINTR], SIGINT}, {settings.c_cc[VQUIT], SIGQUIT}, {settings.c_cc[VSUSP], SIGTSTP}};
  size_t first = len;
  for (size_t i = 0; i < ARRAY_LEN(keys); i++) {
    const uint8_t *at = keys[i].key ? memchr(data, keys[i].key, first) : NULL;
    if (!at)
      continue;
    first = (size_t)(at - data);
    *ret_signo = keys[i].signo;
  }
  return first;
}

/* The kernel may not tell us, who are not of the session. */
static pid_t foreground(int master, pid_t session) {
  pid_t group = tcgetpgrp(master);
  return group > 0 ? group : session_last_group(session);
}

void terminal_keys_send(int master, pid_t session, int signo) {
  kill(-foreground(master, session), signo);
}
