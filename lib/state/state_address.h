/* Addresses: Sandbox objects of a cluster that are no record under their own name. */
#ifndef SANDPLANE_LIB_STATE_STATE_ADDRESS_H_
#define SANDPLANE_LIB_STATE_STATE_ADDRESS_H_

#include "lib/state/state.h"

/* reconciler: NAME answers at route; NULL: no longer. Router: NOT_FOUND. */
void state_address_set(State *s, const char *ns, const char *name, const char *route, StateDoneFn fn, void *arg);
typedef void (*StateAddressFn)(void *arg, const char *route, const Error *err);
void state_address_get(State *s, const char *ns, const char *name, StateAddressFn fn, void *arg);
/* All names, for whoever has to find out which are stale. */
void state_address_names(State *s, StateNamesFn fn, void *arg);

#endif
