/* The inside of a Call, shared by its two halves: call.c is what methods do with it, call_accept.c owns its connection
 * and lets it in. */
#ifndef SANDPLANE_RUNTIME_CALL_CALL_STATE_H_
#define SANDPLANE_RUNTIME_CALL_CALL_STATE_H_

#include "runtime/call/call.h"

/* How often who is not read is looked for: its end cannot be read then, and not every kernel tells it otherwise. */
#define LOOK_MS 1000

/* Version 00 of the W3C's header: hexadecimal digits and hyphens. */
#define TRACEPARENT_LEN 55

struct Call {
  Runtime *rt;
  Stream *stream;           /* NULL: given away */
  LoopTimer *timer;         /* until OPEN; then the look in a pause; after the status, the linger */
  const CallMethod *method; /* NULL until OPEN */
  void *data;
  uint32_t port;
  char traceparent[TRACEPARENT_LEN + 1];
  bool by_network, paused, half_closed, finished, lingering;
};

/* Runs on_end, once. */
void call_end_method(Call *call);
/* By events and timers of the connection alone, so nothing of it is under way. */
void call_free(Call *call);

#endif
