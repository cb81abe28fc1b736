/* See terminal.h. The saved settings are the process's one global: exit handlers have no argument. */
#include "cli/sandbox/terminal.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

static struct termios saved;
static volatile sig_atomic_t is_raw;

void terminal_restore(void) {
  if (!is_raw)
    return;
  is_raw = 0;
  tcsetattr(STDIN_FILENO, TCSADRAIN, &saved);
}

static void on_end(int signo) {
  terminal_restore();
  _exit(128 + signo);
}

bool terminal_raw(void) {
  if (tcgetattr(STDIN_FILENO, &saved) != 0)
    return false;
  struct termios raw = saved;
  cfmakeraw(&raw);
  signal(SIGTERM, on_end);
  signal(SIGHUP, on_end);
  if (tcsetattr(STDIN_FILENO, TCSADRAIN, &raw) != 0)
    return false;
  is_raw = 1;
  atexit(terminal_restore);
  return true;
}

void terminal_size(uint32_t *ret_columns, uint32_t *ret_rows) {
  struct winsize size = {0};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) != 0 || !size.ws_col)
    ioctl(STDIN_FILENO, TIOCGWINSZ, &size);
  *ret_columns = size.ws_col ? size.ws_col : 80;
  *ret_rows = size.ws_row ? size.ws_row : 24;
}
