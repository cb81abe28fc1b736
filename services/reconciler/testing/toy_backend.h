/* A backend without sandboxes: each is a file with the mark of its data set, up after a few milliseconds. The files
 * outlive a reconciler that is killed, as sandboxes do, so that everything above the backend meets the faults it is
 * made for.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_TESTING_TOY_BACKEND_H_
#define SANDPLANE_SERVICES_RECONCILER_TESTING_TOY_BACKEND_H_

#include "lib/base/error.h"
#include "lib/loop/loop.h"
#include "services/reconciler/backend.h"

/* folder: made when it is missing. */
Backend *toy_backend_new(Loop *loop, const char *folder, const BackendEvents *events, void *arg, Error *err);

#endif
