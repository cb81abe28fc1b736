/* Leadership among replicas, granted for a time by whatever holds the lease (a key of Redis, an object of the cluster).
 *
 * The time counts by this loop's clock and from before the grant was asked for, so it ends here before another may
 * begin, whatever the clocks of the others say.
 */
#ifndef SANDPLANE_LIB_LOOP_LEADERSHIP_H_
#define SANDPLANE_LIB_LOOP_LEADERSHIP_H_

#include "lib/loop/loop.h"

typedef struct Leadership {
  Loop *loop;
  LoopTimer *over;
  void (*fn)(void *arg, bool leads);
  void *arg;
  int64_t asked_ms, until_ms;
  bool leads;
} Leadership;

/* fn: it begins or ends; told of changes only, on the loop. */
void leadership_init(Leadership *l, Loop *loop, void (*fn)(void *arg, bool leads), void *arg);
void leadership_deinit(Leadership *l);
/* The lease is asked for now, or asked to be kept. */
void leadership_ask(Leadership *l);
/* The answer: it is held for ms, from when it was asked for. One that comes later than that changes nothing. */
void leadership_grant(Leadership *l, int64_t ms);
/* Another holds it, or it is given back. */
void leadership_end(Leadership *l);
/* At this very moment, by the clock: fn is told a little later when the process was stopped meanwhile. */
bool leadership_is_held(const Leadership *l);

#endif
