/* The processes of a session, which is what one command has started: its group, and the groups that an interactive
 * shell made for its jobs. Read from /proc, because there is no call that reaches a whole session. */
#ifndef SANDPLANE_RUNTIME_PROCESS_SESSION_H_
#define SANDPLANE_RUNTIME_PROCESS_SESSION_H_

#include <sys/types.h>

/* SIGKILL to all of it. leader: the process that made the session, which may be gone. */
void session_kill(pid_t leader);
/* Its terminal has gone. The leader's group and the foreground one (0: not known) are killed; the others, which are
 * jobs in the background, get SIGHUP, so that what was started with nohup lives on as it does when a window is closed.
 */
void session_hang_up(pid_t leader, pid_t foreground);
/* The group with the highest number, which is the job that was started last; the leader's when there is no job. */
pid_t session_last_group(pid_t leader);

#endif
