/* SANDBOX_EXEC_TIMEOUT_SECONDS, which images and templates of the Agent Sandbox API set: a number of seconds. */
#ifndef SANDPLANE_RUNTIME_PROCESS_EXEC_TIMEOUT_H_
#define SANDPLANE_RUNTIME_PROCESS_EXEC_TIMEOUT_H_

#include <stdbool.h>
#include <stdint.h>

#define EXEC_TIMEOUT_NAME "SANDBOX_EXEC_TIMEOUT_SECONDS"
/* Longer ones are cut to this: 30 days. */
#define EXEC_TIMEOUT_MAX_MS (30LL * 86400 * 1000)

/* false: no number, not finite, or not above 0. */
bool exec_timeout_parse(const char *text, int64_t *ret_ms);
/* Of a number above 0. */
int64_t exec_timeout_ms(double seconds);

#endif
