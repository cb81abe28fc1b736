/* Where sandboxes live: the outside world, behind one small interface.
 *
 * Everything is asked for on the loop and reported on the loop. A backend keeps what it must know across a
 * restart in the world itself (on disk, in the cluster), never in the state store.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_BACKEND_H_
#define SANDPLANE_SERVICES_RECONCILER_BACKEND_H_

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"
#include "lib/manifest/manifest.h"

typedef struct Backend Backend;

/* One sandbox of the world. */
typedef struct BackendSandbox {
  const char *ns, *pool, *id;
  const char *epoch; /* of the data set it was made under */
  const char *route; /* empty until it is ready */
  const char *runtime_class;
  bool ready;
} BackendSandbox;

/* What a backend tells of its own accord. */
typedef struct BackendEvents {
  /* It runs and passed its readiness probe. */
  void (*on_ready)(void *arg, const BackendSandbox *sandbox);
  /* It never came up, or ended by itself; nothing of it is left. reason: CamelCase. */
  void (*on_ended)(void *arg, const char *ns, const char *id, const char *reason, const char *message);
  /* What backend_destroy asked for is done; nothing of it is left. */
  void (*on_destroyed)(void *arg, const char *ns, const char *id);
} BackendEvents;

typedef struct BackendOps {
  /* Whether the template can be honoured here, and the class that would isolate it. -1: FAILED_PRECONDITION
   * with the path of the field. */
  int (*check)(Backend *backend, const ManifestTemplate *t, const char **ret_class, Error *err);
  /* Begins to make one; on_ready or on_ended follows. A name it has already is left alone. */
  void (*create)(Backend *backend, const BackendSandbox *sandbox, const ManifestTemplate *t);
  /* Begins to destroy one, whatever its condition; on_destroyed follows, also when there is none. */
  void (*destroy)(Backend *backend, const char *ns, const char *id);
  /* Calls fn for each that exists or is being made. */
  void (*observe)(Backend *backend, void (*fn)(void *arg, const BackendSandbox *sandbox), void *arg);
  /* Destroys all when kill is set, and waits until it is done (bounded); then frees. */
  void (*free)(Backend *backend, bool kill);
} BackendOps;

struct Backend {
  const BackendOps *ops;
};

#endif
