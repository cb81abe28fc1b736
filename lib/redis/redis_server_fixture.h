/* For tests: a redis-server that the test itself starts, kills and starts again. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_SERVER_FIXTURE_H_
#define SANDPLANE_LIB_REDIS_REDIS_SERVER_FIXTURE_H_

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Durable (appendonly, appendfsync always), in a folder under REDIS_DIR that it makes when there is none.
 * extra: more arguments, ended by NULL. Does not wait: clients do. It dies with the test. */
pid_t redis_server_start(const char *folder, int port, const char *const *extra);
/* A Sentinel of its own folder that watches the master as `name`; it judges after three seconds. */
/* more: further lines of its configuration. */
pid_t redis_sentinel_start(const char *folder, int port, const char *name, int master_port, int quorum,
                           const char *more);
/* redis-cli: its answer in out (may be NULL), which is cut; false: it failed. */
bool redis_cli(int port, char *out, size_t max, const char *arguments);
/* redis-cli until its answer contains text; aborts after half a minute. */
void redis_cli_until(int port, const char *arguments, const char *text);
/* SIGKILL, and waits until it is gone. */
void redis_server_kill(pid_t pid);

#endif
