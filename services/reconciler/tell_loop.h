/* What the world says of its sandboxes, until the state has it: told at once, and again while the state is away.
 * Metrics, spans and the log hear of it once. Strings are copied.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_TELL_LOOP_H_
#define SANDPLANE_SERVICES_RECONCILER_TELL_LOOP_H_

#include "services/reconciler/reconciler.h"

/* Told again after so long. */
enum { TELL_AGAIN_MS = 500 };

typedef struct TellLoop {
  Reconciler *r;
  bool stopped;
  struct Told *told; /* all that the state does not have yet */
} TellLoop;

/* It came up; the state may not want it any more, and then it is destroyed. */
void tell_loop_ready(TellLoop *l, const BackendSandbox *b);
void tell_loop_unready(TellLoop *l, const char *ns, const char *id);
/* It ended by itself or never came up. */
void tell_loop_failed(TellLoop *l, const char *ns, const char *id, const char *reason, const char *message);
/* Somebody took it away. */
void tell_loop_deleted(TellLoop *l, const char *ns, const char *id, const char *reason, const char *message);
/* It must not be given to anyone: destroyed unless somebody holds it. failed: it counts as a failure of its pool. Said
 * again and again, as one is looked at, and asked once. */
void tell_loop_unfit(TellLoop *l, const char *ns, const char *id, bool failed, const char *reason, const char *message);
/* Nothing of it is left. */
void tell_loop_gone(TellLoop *l, const char *ns, const char *id);

/* The loop may go on for the backend's sake after the store's client is freed: no timer may reach for it then. */
void tell_loop_stop(TellLoop *l);
void tell_loop_deinit(TellLoop *l);

#endif
