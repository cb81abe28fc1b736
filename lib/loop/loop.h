/* The event loop: one thread owns all state of a service and runs everything on it.
 *
 * Only loop_post and loop_stop may be called from other threads; a program may have several loops, each with a thread
 * and things of its own. Callbacks run to their end and never
 * block. Built on libevent, none of whose types appear here; a lib that needs the base asks loop_base().
 */
#ifndef SANDPLANE_LIB_LOOP_LOOP_H_
#define SANDPLANE_LIB_LOOP_LOOP_H_

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "lib/base/compiler.h"

typedef struct Loop Loop;
typedef struct LoopTimer LoopTimer;
typedef struct LoopFd LoopFd;
typedef struct LoopSignal LoopSignal;

Loop *loop_new(void);
/* After loop_run has returned, and after everything made on it was freed. */
void loop_free(Loop *loop);
void loop_run(Loop *loop);
/* From any thread, while loop_run runs: it returns within a turn; callbacks that are due by then still run. */
void loop_stop(Loop *loop);
/* The struct event_base, for lib code that needs libevent itself. */
struct event_base *loop_base(Loop *loop);
/* A place for what all users of lib/rpc on this loop share (its completion queue); NULL at first. lib/rpc
 * alone reads and writes it, and has cleared it again before loop_free. */
void **loop_rpc_slot(Loop *loop);

/* From any thread: fn(arg) runs on the loop, in order of posting. No allocation the caller can see fail. */
void loop_post(Loop *loop, void (*fn)(void *arg), void *arg);

/* Whether this thread runs another loop, so that what is this one's has to be posted. */
bool loop_is_elsewhere(const Loop *loop);

/* A one-shot timer, not running yet. */
LoopTimer *loop_timer_new(Loop *loop, void (*fn)(void *arg), void *arg);
/* (Re)starts it. */
void loop_timer_start(LoopTimer *timer, int64_t delay_ms);
void loop_timer_stop(LoopTimer *timer);
void loop_timer_free(LoopTimer *timer); /* NULL-safe; allowed inside its own callback */

/* What the timers go by, monotonic. Whoever waits for a time on this loop asks this clock, so that a test can pass it.
 */
int64_t loop_now_ms(const Loop *loop);

/* For tests, before the first timer is started: the clock of this loop stands still. A timer without a delay is due all
 * the same, and runs by itself. */
void loop_hold_time(Loop *loop);
/* On the loop's thread: that clock moves on, and the timers that come due by then run, in order of time. */
void loop_pass_time(Loop *loop, int64_t ms);
/* The same, up to the next timer that is due; false: there is none. */
bool loop_pass_to_next(Loop *loop);
/* Before it is started: this timer goes by the machine's clock although time is held; for a library that reads that
 * clock by itself. */
void loop_timer_hold_not(LoopTimer *timer);

/* LOOP_CLOSED: the peer has closed; told even while what it sent before is not read. By kernels that report EPOLLRDHUP,
 * which gVisor does not of every socket: who relies on it looks for himself as well. */
enum { LOOP_READ = 1, LOOP_WRITE = 2, LOOP_CLOSED = 4 };
/* Level-triggered. events: any of these, 0 to pause. Never closes the descriptor. */
LoopFd *loop_fd_new(Loop *loop, int fd, int events, void (*fn)(int events, void *arg), void *arg);
void loop_fd_set(LoopFd *f, int events);
void loop_fd_free(LoopFd *f); /* NULL-safe; allowed inside its own callback */

LoopSignal *loop_signal_new(Loop *loop, int signo, void (*fn)(void *arg), void *arg);
void loop_signal_free(LoopSignal *s);

#endif
