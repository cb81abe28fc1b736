/* WatchSandboxes: each stream is a WatchFeed turned into messages; the hub tells the feeds what may be new.
 *
 * A reader who is slower than the changes is held at WATCH_MAX_PENDING bytes on their way to it; after that
 * its feed rests, and what changes meanwhile is told later as one. Besides hints, every feed looks again
 * every WATCH_LOOK_MS, because hints may be lost.
 */
#ifndef SANDPLANE_SERVICES_CLAIMS_WATCH_WATCH_RPC_H_
#define SANDPLANE_SERVICES_CLAIMS_WATCH_WATCH_RPC_H_

#include "lib/rpc/rpc_server.h"
#include "services/claims/claims.h"

enum { WATCH_MAX_PENDING = 1 << 20, WATCH_LOOK_MS = 5000 };

typedef struct WatchHub WatchHub;

WatchHub *watch_hub_new(Claims *claims);
void watch_hub_free(WatchHub *hub);
size_t watch_hub_size(const WatchHub *hub);
/* From the directory. */
void watch_hub_pool(WatchHub *hub, const char *ns, const char *pool, bool present);
/* Ends all streams with UNAVAILABLE: their clients go on at another replica. */
void watch_hub_drain(WatchHub *hub);

void watch_rpc(RpcCall *call, void *claims, const uint8_t *data, size_t len);

#endif
