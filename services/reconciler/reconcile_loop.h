/* State and world, brought together: what is to be destroyed is, what came up or ended is told, and whatever
 * one side has without the other is cleared away.
 *
 * Level-triggered: it reads the state's sets on hints, at every connect and every few seconds, so nothing depends
 * on a message. The world's own events go to the state at once and again until it has taken them.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_RECONCILE_LOOP_H_
#define SANDPLANE_SERVICES_RECONCILER_RECONCILE_LOOP_H_

#include "services/reconciler/reconciler.h"

typedef struct ReconcileLoop ReconcileLoop;

ReconcileLoop *reconcile_loop_new(Reconciler *r);
/* Shutting down: events of the world are no longer told. */
void reconcile_loop_stop(ReconcileLoop *rl);
void reconcile_loop_free(ReconcileLoop *rl);
/* The store answers (again): compares everything. */
void reconcile_loop_connected(ReconcileLoop *rl);
/* The data set's mark; NULL until it is known, and nothing may be made before. */
const char *reconcile_loop_epoch(const ReconcileLoop *rl);
extern const BackendEvents RECONCILE_EVENTS; /* arg: the ReconcileLoop */

#endif
