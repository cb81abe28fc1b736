/* See plumbing.h. */
#include "runtime/process/plumbing.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "runtime/process/identity.h"

static void close_all(const int *fds, size_t n) {
  for (size_t i = 0; i < n; i++)
    if (fds[i] > 2)
      close(fds[i]);
}

static int plumb_pipes(Plumbing *pl, const ProcessSpec *spec, Error *err) {
  int fds[6] = {-1, -1, -1, -1, -1, -1};
  if (spec->no_stdin)
    fds[0] = open("/dev/null", O_RDONLY | O_CLOEXEC);
  /* without a /dev/null, a pipe at its end is next to it */
  if ((fds[0] < 0 && pipe2(fds, O_CLOEXEC)) || pipe2(fds + 2, O_CLOEXEC) || pipe2(fds + 4, O_CLOEXEC)) {
    close_all(fds, 6);
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "pipe: %s", strerror(errno));
  }
  *pl = (Plumbing){.child = {.in = fds[0], .out = fds[3], .err = fds[5]}, .in = fds[1], .out = fds[2], .err = fds[4]};
  return 0;
}

static int plumb_terminal(Plumbing *pl, const ProcessSpec *spec, Error *err) {
  int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  char name[64];
  if (master < 0 || unlockpt(master) || ptsname_r(master, name, sizeof name)) {
    error_set(err, ERROR_FAILED_PRECONDITION, "no terminal to be had: %s", strerror(errno));
    if (master >= 0)
      close(master);
    return -1;
  }
  int slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (slave < 0) {
    error_set(err, ERROR_FAILED_PRECONDITION, "open %s: %s", name, strerror(errno));
    close(master);
    return -1;
  }
  struct winsize size = {.ws_col = spec->columns, .ws_row = spec->rows};
  ioctl(slave, TIOCSWINSZ, &size);
  *pl = (Plumbing){
      .child = {.in = slave, .out = slave, .err = slave, .terminal = true}, .in = master, .out = master, .err = -1};
  return 0;
}

int plumbing_init(Plumbing *pl, const ProcessSpec *spec, uid_t uid, gid_t gid, Error *err) {
  identity_assume(uid, gid);
  int rc = spec->pty ? plumb_terminal(pl, spec, err) : plumb_pipes(pl, spec, err);
  identity_restore(uid);
  return rc;
}

void plumbing_close_child(Plumbing *pl) {
  const int fds[] = {pl->child.in, pl->child.out, pl->child.err};
  close_all(fds, pl->child.terminal ? 1 : 3);
}

void plumbing_close_ours(Plumbing *pl) {
  const int fds[] = {pl->in, pl->out, pl->err};
  close_all(fds, pl->child.terminal ? 1 : 3);
}
