/* History for watchers. */
#ifndef SANDPLANE_LIB_STATE_STATE_EVENTS_H_
#define SANDPLANE_LIB_STATE_STATE_EVENTS_H_

#include "lib/state/state.h"

typedef struct StateEvent {
  const char *stream_id; /* "ms-seq" */
  const char *id;
  const char *uid;
  const char *tenant; /* who held it; empty: nobody did, or the entry is of an older release */
  bool deleted;
} StateEvent;
typedef struct StateEvents {
  const StateEvent *events;
  size_t n_events;
  bool trimmed;        /* entries after `after` are lost */
  const char *last_id; /* newest entry of the stream, "0-0" when it is empty */
} StateEvents;
typedef void (*StateEventsFn)(void *arg, const StateEvents *e, const Error *err);
/* Events of one pool after stream id `after` (exclusive), at most 500. after "$": none, only last_id. */
void state_events(State *s, const char *ns, const char *pool, const char *after, StateEventsFn fn, void *arg);
void state_on_events(State *s, StateHintFn fn, void *arg);

#endif
