/* See redis_server_fixture.h. */
#include "lib/redis/redis_server_fixture.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static pid_t run(const char *const *argv) {
  const char *program = getenv("REDIS_SERVER");
  pid_t pid = program ? fork() : -1;
  if (pid < 0)
    abort();
  if (pid > 0)
    return pid;
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  int null = open("/dev/null", O_WRONLY);
  dup2(null, 1);
  execv(program, (char *const *)argv);
  _exit(127);
}

pid_t redis_server_start(const char *folder, int port, const char *const *extra) {
  char dir[512], port_text[16];
  snprintf(dir, sizeof dir, "%s/%s", getenv("REDIS_DIR"), folder);
  snprintf(port_text, sizeof port_text, "%d", port);
  mkdir(dir, 0700);
  const char *argv[64] = {"redis-server", "--port", port_text,       "--bind", "127.0.0.1", "--save", "",
                          "--appendonly", "yes",    "--appendfsync", "always", "--dir",     dir,      "--loglevel",
                          "warning"};
  size_t n = 15;
  for (; extra && *extra && n < 63; extra++)
    argv[n++] = *extra;
  return run(argv);
}

pid_t redis_sentinel_start(const char *folder, int port, const char *name, int master_port, int quorum,
                           const char *more) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s", getenv("REDIS_DIR"), folder);
  mkdir(path, 0700);
  snprintf(path, sizeof path, "%s/%s/sentinel.conf", getenv("REDIS_DIR"), folder);
  FILE *f = fopen(path, "we");
  if (!f ||
      fprintf(f,
              "port %d\nbind 127.0.0.1\nloglevel warning\nsentinel monitor %s 127.0.0.1 %d %d\n"
              "sentinel down-after-milliseconds %s 3000\nsentinel failover-timeout %s 4000\n%s",
              port, name, master_port, quorum, name, name, more) < 0 ||
      fclose(f))
    abort();
  return run((const char *[]){"redis-server", path, "--sentinel", NULL});
}

bool redis_cli(int port, char *out, size_t max, const char *arguments) {
  char command[1024];
  snprintf(command, sizeof command, "%s -p %d %s 2>/dev/null", getenv("REDIS_CLI"), port, arguments);
  FILE *f = popen(command, "re");
  if (!f)
    abort();
  char answer[8192];
  size_t n = fread(answer, 1, sizeof answer - 1, f);
  answer[n] = 0;
  if (out)
    snprintf(out, max, "%s", answer);
  return pclose(f) == 0;
}

void redis_cli_until(int port, const char *arguments, const char *text) {
  char answer[8192] = "";
  for (int i = 0; i < 600; i++) {
    if (redis_cli(port, answer, sizeof answer, arguments) && strstr(answer, text))
      return;
    usleep(50000);
  }
  fprintf(stderr, "redis-cli -p %d %s: no '%s' in: %s\n", port, arguments, text, answer);
  abort();
}

void redis_server_kill(pid_t pid) {
  kill(pid, SIGKILL);
  waitpid(pid, NULL, 0);
}
