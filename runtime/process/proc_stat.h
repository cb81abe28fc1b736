/* A process as /proc shows it. Nothing is allocated, because it is read when memory has run out as well. */
#ifndef SANDPLANE_RUNTIME_PROCESS_PROC_STAT_H_
#define SANDPLANE_RUNTIME_PROCESS_PROC_STAT_H_

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

typedef struct ProcStat {
  pid_t pid, group, session;
  char state; /* proc(5): 'Z' is a zombie */
} ProcStat;

/* /proc/PID/FILE, cut at max and terminated. False: it is gone, or empty. */
bool proc_read(const char *pid, const char *file, char *text, size_t max);
/* False: no process has this name in /proc (any more). */
bool proc_stat(const char *pid, ProcStat *ret);
/* What comes behind the next blanks of text; its end when there is nothing. */
const char *proc_next_field(const char *text);

#endif
