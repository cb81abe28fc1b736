/* See proc_stat.h. */
#include "runtime/process/proc_stat.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"

bool proc_read(const char *pid, const char *file, char *text, size_t max) {
  char path[64];
  snprintf(path, sizeof path, "/proc/%.16s/%s", pid, file);
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  ssize_t len = fd >= 0 ? read(fd, text, max - 1) : -1;
  if (fd >= 0)
    close(fd);
  text[len > 0 ? len : 0] = 0;
  return len > 0;
}

const char *proc_next_field(const char *text) {
  text += strcspn(text, " ");
  return text + strspn(text, " ");
}

bool proc_stat(const char *pid, ProcStat *ret) {
  char text[512];
  *ret = (ProcStat){.pid = (pid_t)str_leading_int64(pid, 0)};
  if (ret->pid <= 0 || !proc_read(pid, "stat", text, sizeof text))
    return false;
  /* its name, in parentheses, may hold anything: state, parent, group, session come behind it */
  const char *behind = strrchr(text, ')');
  if (!behind)
    return false;
  const char *state = proc_next_field(behind), *group = proc_next_field(proc_next_field(state));
  ret->state = *state;
  ret->group = (pid_t)str_leading_int64(group, -1);
  ret->session = (pid_t)str_leading_int64(proc_next_field(group), -1);
  return ret->group >= 0 && ret->session >= 0;
}
