/* One command: started, fed, drained, ended.
 *
 * It runs as the sandbox's user, without capabilities, in a session and process group of its own. Its output is
 * read as fast as the listener takes it. Its end is reported once: when it has been reaped and its output is at
 * end, or a moment after it was reaped, when a grandchild still holds the pipes. What such a grandchild writes from
 * then on is read and dropped for as long as it lives.
 */
#ifndef SANDPLANE_RUNTIME_PROCESS_PROCESS_H_
#define SANDPLANE_RUNTIME_PROCESS_PROCESS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/error.h"
#include "lib/loop/loop.h"

enum { PROCESS_STDOUT = 1, PROCESS_STDERR = 2 };

typedef struct ProcessSpec {
  char *const *argv;
  char *const *envp;
  int cwd_fd;
  bool no_stdin; /* standard input is /dev/null; not of a pty */
  bool pty;
  uint16_t columns, rows;
  int64_t timeout_ms; /* 0: none */
} ProcessSpec;

typedef struct ProcessExit {
  int exit_code; /* -1 when a signal ended it */
  int signal;
  bool timed_out;
  int64_t duration_us;
} ProcessExit;

typedef struct ProcessHandlers {
  void (*on_output)(void *arg, int stream, const uint8_t *data, size_t len);
  /* Last callback; the process is freed after it. */
  void (*on_exit)(void *arg, const ProcessExit *exit);
  /* Standard input has taken what was written; may be NULL. */
  void (*on_stdin_drained)(void *arg);
} ProcessHandlers;

typedef struct Process Process;
/* All processes of this runtime; reaps every child, also orphans that pid 1 inherits. */
typedef struct ProcessTable ProcessTable;

/* uid, gid: whom commands run as; -1: as this process. */
ProcessTable *process_table_new(Loop *loop, uid_t uid, gid_t gid);
/* Kills all groups. */
void process_table_free(ProcessTable *table);

/* NOT_FOUND: no such program; PERMISSION_DENIED: not executable. NULL and err. */
Process *process_start(ProcessTable *table, const ProcessSpec *spec, const ProcessHandlers *handlers, void *arg,
                       Error *err);
pid_t process_pid(const Process *p);
/* Copied and queued; what cannot be written any more is dropped (the command closed its input). */
void process_write_stdin(Process *p, const uint8_t *data, size_t len);
size_t process_stdin_pending(const Process *p);
/* After what is queued. A terminal gets the key that ends its input. */
void process_close_stdin(Process *p);
void process_pause_output(Process *p, bool pause);
/* To its process group. */
void process_signal(Process *p, int signo);
void process_resize(Process *p, uint16_t columns, uint16_t rows);
/* SIGKILL to all of its session, or its terminal hangs up; no callback follows, the rest is reaped silently. */
void process_abandon(Process *p);

#endif
