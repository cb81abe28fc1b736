/* For tests: a redis-server that the test itself starts, kills and starts again. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_SERVER_FIXTURE_H_
#define SANDPLANE_LIB_REDIS_REDIS_SERVER_FIXTURE_H_

#include <sys/types.h>

/* Durable (appendonly, appendfsync always), in a folder under REDIS_DIR that it makes when there is none.
 * extra: more arguments, ended by NULL. Does not wait: clients do. It dies with the test. */
pid_t redis_server_start(const char *folder, int port, const char *const *extra);
/* SIGKILL, and waits until it is gone. */
void redis_server_kill(pid_t pid);

#endif
