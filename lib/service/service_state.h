/* The part of a service that has to do with the shared state: its client of Redis, the state over it, the readiness
 * that follows from it, and what an operator must hear of it: `redis_away` and `redis_back` when a connection is lost
 * and there again, `redis_master` when Sentinels name one. lib/redis itself logs nothing. */
#ifndef SANDPLANE_LIB_SERVICE_SERVICE_STATE_H_
#define SANDPLANE_LIB_SERVICE_SERVICE_STATE_H_

#include "lib/redis/redis_config.h"
#include "lib/service/service.h"
#include "lib/state/state.h"

typedef struct ServiceState ServiceState;

/* First in start: connects in the background. replica: as of state_new; NULL: a random one. */
ServiceState *service_state_new(Service *service, const RedisConfig *config, const char *replica);
/* For another loop of the service, before it runs: a client and a state of its own, counted and logged with the
 * first's. The service is ready when all have reached Redis. Freed when that loop has ended, and before the first. */
ServiceState *service_state_new_beside(ServiceState *first, Loop *loop, const RedisConfig *config);
State *service_state_of(ServiceState *s);
/* Last in start: from then on the service is not ready while Redis is away. on_connected(arg) runs at each connect and
 * returns whether the service is ready by that; otherwise it says so itself. NULL: it is. */
void service_state_watch(ServiceState *s, bool (*on_connected)(void *arg), void *arg);
bool service_state_connected(const ServiceState *s);
/* In stop, before the parts whose calls to the state may be under way: answers them. NULL-safe. */
void service_state_close(ServiceState *s);
/* After those parts. NULL-safe. */
void service_state_free(ServiceState *s);

#endif
