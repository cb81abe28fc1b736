/* sandplane-relief [session]: ends the process that holds most memory; or, where it is one of many that hold it
 * together, or when it is told to, the session that does. Says which. The reconciler runs it as root inside a sandbox
 * of class gvisor that has reached its memory limit: the machine's kernel sees one process there and could only end all
 * of it. Static, and small: what it needs is memory too. */
#include <ctype.h>
#include <dirent.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* More than a sandbox has by far; what is beyond is not looked at. */
#define MAX 8192
/* One that holds less than this part of its session's memory is one of many: without it little would be free. */
#define ONE_OF_MANY 4

typedef struct Process {
  pid_t pid, session;
  long pages; /* resident, also those that it shares */
} Process;

static Process processes[MAX];
static size_t n;

/* false: it is gone. */
static bool look(Process *p) {
  char path[64], line[512];
  long total;
  int session = 0;
  snprintf(path, sizeof path, "/proc/%d/statm", (int)p->pid);
  FILE *f = fopen(path, "re");
  bool ok = f && fscanf(f, "%ld %ld", &total, &p->pages) == 2;
  if (f)
    fclose(f);
  snprintf(path, sizeof path, "/proc/%d/stat", (int)p->pid);
  f = fopen(path, "re");
  /* its name, in parentheses, may hold anything: state, parent, group, session come behind it */
  const char *rest = f && fgets(line, sizeof line, f) ? strrchr(line, ')') : NULL;
  ok = ok && rest && sscanf(rest + 1, " %*c %*d %*d %d", &session) == 1;
  p->session = session;
  if (f)
    fclose(f);
  return ok;
}

static void look_at_all(void) {
  DIR *dir = opendir("/proc");
  for (struct dirent *e; dir && n < MAX && (e = readdir(dir));) {
    Process p = {.pid = isdigit((unsigned char)*e->d_name) ? (pid_t)atoi(e->d_name) : 0};
    /* process 1 is the runtime, without which the sandbox would be lost */
    if (p.pid > 1 && p.pid != getpid() && look(&p))
      processes[n++] = p;
  }
  if (dir)
    closedir(dir);
}

static long pages_of_session(pid_t session) {
  long pages = 0;
  for (size_t i = 0; i < n; i++)
    if (processes[i].session == session)
      pages += processes[i].pages;
  return pages;
}

static const Process *largest(void) {
  const Process *found = NULL;
  for (size_t i = 0; i < n; i++)
    if (!found || processes[i].pages > found->pages)
      found = &processes[i];
  return found;
}

/* One of the session that holds most. */
static const Process *of_largest_session(void) {
  const Process *found = NULL;
  long most = 0;
  for (size_t i = 0; i < n; i++) {
    long pages = pages_of_session(processes[i].session);
    if (pages > most) {
      most = pages;
      found = &processes[i];
    }
  }
  return found;
}

int main(int argc, char **argv) {
  int killed = 0;
  look_at_all();
  const Process *victim = largest();
  bool by_session = argc > 1 && strcmp(argv[1], "session") == 0;
  if (victim && victim->pages * ONE_OF_MANY < pages_of_session(victim->session))
    by_session = true;
  if (by_session)
    victim = of_largest_session();
  for (size_t i = 0; victim && i < n; i++)
    if (by_session ? processes[i].session == victim->session : &processes[i] == victim)
      killed += kill(processes[i].pid, SIGKILL) == 0;
  printf("killed %d for want of memory, of %zu: session %d, process %d\n", killed, n, victim ? (int)victim->session : 0,
         victim ? (int)victim->pid : 0);
  return killed ? 0 : 1;
}
