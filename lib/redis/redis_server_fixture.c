/* See redis_server_fixture.h. */
#include "lib/redis/redis_server_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

pid_t redis_server_start(const char *folder, int port, const char *const *extra) {
  char dir[512], port_text[16];
  snprintf(dir, sizeof dir, "%s/%s", getenv("REDIS_DIR"), folder);
  snprintf(port_text, sizeof port_text, "%d", port);
  mkdir(dir, 0700);
  const char *argv[64] = {
      "redis-server",  "--port", port_text, "--bind", "127.0.0.1",  "--save", "", "--appendonly", "yes",
      "--appendfsync", "always", "--dir",   dir,      "--loglevel", "warning"};
  size_t n = 15;
  for (; extra && *extra && n < 63; extra++)
    argv[n++] = *extra;
  pid_t pid = fork();
  if (pid < 0)
    abort();
  if (pid > 0)
    return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int null = open("/dev/null", O_WRONLY);
  dup2(null, 1);
  execv(getenv("REDIS_SERVER"), (char *const *)argv);
  _exit(127);
}

void redis_server_kill(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}
