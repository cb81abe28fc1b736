/* Bytes of a file descriptor into a call, as fast as the call takes them and no faster.
 *
 * What can be waited for (pipes, terminals, sockets) is waited for on the loop, so the call's answers are
 * seen meanwhile; regular files are read as the call drains. At most PUMP_PENDING_MAX bytes are queued.
 */
#ifndef SANDPLANE_CLI_SANDBOX_PUMP_H_
#define SANDPLANE_CLI_SANDBOX_PUMP_H_

#include "lib/loop/loop.h"
#include "lib/rpc/rpc_client.h"

enum { PUMP_CHUNK = 256 << 10, PUMP_PENDING_MAX = 1 << 20 };

typedef struct Pump Pump;

typedef struct PumpConfig {
  Loop *loop;
  RpcClientCall *call;
  int fd;
  /* Writes one chunk as a message on the call. */
  void (*send)(RpcClientCall *call, const uint8_t *data, size_t len);
  /* Named on a terminal while it takes long; NULL: quiet. */
  const char *progress;
  int64_t total; /* for the progress; 0: unknown */
} PumpConfig;

/* At the end of the bytes the call is half-closed. A read error cancels the call. */
Pump *pump_new(const PumpConfig *config);
/* From the call's on_written. */
void pump_written(Pump *pump);
/* Its bytes have ended; not so before it was made (NULL). */
bool pump_ended(const Pump *pump);
/* errno of a failed read, else 0. */
int pump_error(const Pump *pump);
void pump_free(Pump *pump); /* NULL-safe */

#endif
