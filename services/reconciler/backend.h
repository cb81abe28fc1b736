/* Where sandboxes live: the outside world, behind one small interface.
 *
 * Everything is asked for on the loop and reported on the loop. A backend keeps what it must know across a
 * restart in the world itself (on disk, in the cluster), never in the state store.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_BACKEND_H_
#define SANDPLANE_SERVICES_RECONCILER_BACKEND_H_

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"

typedef struct Backend Backend;

/* One sandbox of the world. */
typedef struct BackendSandbox {
  const char *ns, *pool, *id;
  const char *epoch; /* of the data set it was made under */
  const char *route; /* empty until it is ready */
  const char *runtime_class;
  bool ready;
  bool ended;  /* and will not be ready (again) */
  bool unwell; /* it was ready once and is not just now */
} BackendSandbox;

/* What a backend makes of a template's manifest; all in the arena it was given. */
typedef struct BackendTemplate {
  const char *ns, *name;
  const char *manifest; /* canonical */
  const char *hash;
  const char *runtime_class; /* that would isolate it */
  const char *image;
} BackendTemplate;

/* What a backend tells of its own accord. */
typedef struct BackendEvents {
  /* It runs and passed its readiness probe; again at another route: what runs it was made anew. */
  void (*on_ready)(void *arg, const BackendSandbox *sandbox);
  /* It was ready, is there, and is not ready just now; on_ready, on_unfit or on_ended follows. */
  void (*on_unready)(void *arg, const char *ns, const char *id);
  /* It never came up, or ended by itself; nothing of it is left. reason: CamelCase. */
  void (*on_ended)(void *arg, const char *ns, const char *id, const char *reason, const char *message);
  /* Somebody deleted it; nothing of it is left. */
  void (*on_deleted)(void *arg, const char *ns, const char *id, const char *message);
  /* Nobody can do anything with it any more, and it is there. Whether somebody holds it is not the backend's to know:
   * it leaves it alone until it is told to destroy it, which it is when nobody does. failed: it says something about
   * the template it is made of. */
  void (*on_unfit)(void *arg, const char *ns, const char *id, bool failed, const char *reason, const char *message);
  /* What backend_destroy asked for is done; nothing of it is left. */
  void (*on_destroyed)(void *arg, const char *ns, const char *id);
  /* It may act on the world from now on and has seen all of it; or no longer. One that is alone never calls it. */
  void (*on_lead)(void *arg, bool leads);
  /* Asks for something: that the runtime of a sandbox is bound to the claim `uid`, which holds it by the state, with
   * the values that are there; uid "": only whether one answers. fn runs once, err NULL: done. */
  void (*bind_runtime)(void *arg, const char *ns, const char *id, const char *uid,
                       void (*fn)(void *arg, const Error *err), void *fn_arg);
} BackendEvents; /* on_unready, on_deleted, on_unfit and bind_runtime: of backends whose world does so */

typedef struct BackendOps {
  /* Whether the template can be honoured here. -1: INVALID_ARGUMENT or FAILED_PRECONDITION with the field's path. */
  int (*check)(Backend *backend, const char *manifest, Arena *arena, BackendTemplate *ret_template, Error *err);
  /* Begins to make one of the canonical manifest; on_ready or on_ended follows. A name it has already is left alone.
   * -1: the manifest is not one. */
  int (*create)(Backend *backend, const BackendSandbox *sandbox, const char *manifest, Error *err);
  /* Begins to destroy one, whatever its condition; on_destroyed follows, also when there is none. */
  void (*destroy)(Backend *backend, const char *ns, const char *id);
  /* Calls fn for each that exists or is being made and that nobody holds by the world's own record. */
  void (*observe)(Backend *backend, void (*fn)(void *arg, const BackendSandbox *sandbox), void *arg);
  /* Whether the world has it, and its claim where the world knows claims (uid empty: held by nobody). */
  bool (*exists)(Backend *backend, const char *ns, const char *id, const char *uid);
  /* The state store answers; same: its data set is the one that was known. Optional. */
  void (*connected)(Backend *backend, const char *epoch, bool same);
  /* Whether it acts on the world now. NULL: always. */
  bool (*leads)(const Backend *backend);
  /* Gives leadership back; done comes on the loop. Optional. */
  void (*resign)(Backend *backend, void (*done)(void *arg), void *arg);
  /* Destroys all when kill is set, and waits until it is done (bounded); then frees. */
  void (*free)(Backend *backend, bool kill);
} BackendOps;

struct Backend {
  const BackendOps *ops;
};

#endif
