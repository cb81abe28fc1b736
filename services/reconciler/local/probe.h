/* Asks a runtime whether it answers: "Ping" of its wire protocol. */
#ifndef SANDPLANE_SERVICES_RECONCILER_LOCAL_PROBE_H_
#define SANDPLANE_SERVICES_RECONCILER_LOCAL_PROBE_H_

#include <stdbool.h>

#include "lib/loop/loop.h"

typedef struct Probe Probe;
/* fn runs once, within timeout_ms. */
Probe *probe_new(Loop *loop, const char *route, int64_t timeout_ms, void (*fn)(void *arg, bool ok), void *arg);
void probe_free(Probe *p); /* NULL-safe; fn does not run after it */

#endif
