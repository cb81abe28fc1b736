/* The router's loops: one for each core, each with a thread of its own and all that carries HTTP (Router). The first is
 * the service's loop, which has gRPC, the admin listener and signals as well.
 *
 * They share nothing but counts. The kernel spreads connections over their listening sockets, and a connection stays on
 * its loop. Functions here are called on the first.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_ROUTER_LOOP_H_
#define SANDPLANE_SERVICES_ROUTER_ROUTER_LOOP_H_

#include "services/router/router.h"

/* As many as --loops says; none runs yet. *ret_first: the first's Router, also after -1, when it is only good for
 * router_loops_free. */
int router_loops_new(Service *service, Router **ret_first, Error *err) MUST_CHECK;
/* Starts the threads of all others. */
void router_loops_run(Router *first);
/* Each lets its connections go, as http_listener_drain does; done runs when all have. */
void router_loops_drain(Router *first, void (*done)(void *arg), void *arg);
/* After the service's loop has ended. Ends the others, and frees all that router_loops_new has made. */
void router_loops_free(Router *first);

#endif
