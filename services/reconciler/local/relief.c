/* sandplane-relief: ends the process that holds most memory, and says which. The reconciler runs it as root inside a
 * sandbox of class gvisor that has reached its memory limit: the machine's kernel sees one process there and could only
 * end all of it. Static, and small: what it needs is memory too. */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Resident pages; 0: it is gone, or has none of its own. */
static long pages_of(const char *pid) {
  char path[64];
  long total, resident;
  snprintf(path, sizeof path, "/proc/%.20s/statm", pid);
  FILE *f = fopen(path, "re");
  int n = f ? fscanf(f, "%ld %ld", &total, &resident) : 0;
  if (f)
    fclose(f);
  return n == 2 ? resident : 0;
}

int main(void) {
  long most = 0;
  pid_t victim = 0;
  DIR *dir = opendir("/proc");
  for (struct dirent *e; dir && (e = readdir(dir));) {
    pid_t pid = isdigit((unsigned char)*e->d_name) ? (pid_t)atoi(e->d_name) : 0;
    /* process 1 is the runtime, without which the sandbox would be lost */
    if (pid <= 1 || pid == getpid())
      continue;
    long pages = pages_of(e->d_name);
    if (pages <= most)
      continue;
    most = pages;
    victim = pid;
  }
  if (dir)
    closedir(dir);
  if (!victim || kill(victim, SIGKILL))
    return 1;
  printf("%d, %ld pages\n", (int)victim, most);
  return 0;
}
