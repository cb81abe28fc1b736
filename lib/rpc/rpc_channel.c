/* A channel: one C-core channel that balances over its addresses and reconnects for ever.
 *
 * Round robin also for one address: unlike the default policy it connects again by itself, before the next
 * call asks for it.
 */
#include "lib/rpc/rpc_channel.h"

#include <grpc/grpc_security.h>
#include <limits.h>
#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/rpc/rpc_address.h"

enum {
  BACKOFF_FIRST_MS = 50,
  /* Our peers are few and near, and a supervisor brings them back within a second: asking often costs nothing,
   * and a call that meets a channel between two attempts fails. */
  BACKOFF_MAX_MS = 250,
  RESOLVE_MIN_MS = 2000,
  /* How long one attempt may take; the C core's default of 20 s suits the internet, not a cluster. */
  CONNECT_TIMEOUT_MS = 2000,
  /* Far above what our server takes for a flood. */
  KEEPALIVE_MS = 30 * 1000,
  KEEPALIVE_TIMEOUT_MS = 10 * 1000,
};

static grpc_arg int_arg(const char *key, int value) {
  return (grpc_arg){.type = GRPC_ARG_INTEGER, .key = (char *)key, .value.integer = value};
}

RpcChannel *rpc_channel_new(Loop *loop, const char *targets) {
  RpcChannel *channel = new0(RpcChannel);
  channel->queue = rpc_queue_acquire(loop);
  grpc_arg args[] = {
      {.type = GRPC_ARG_STRING, .key = (char *)GRPC_ARG_LB_POLICY_NAME, .value.string = (char *)"round_robin"},
      int_arg(GRPC_ARG_INITIAL_RECONNECT_BACKOFF_MS, BACKOFF_FIRST_MS),
      int_arg(GRPC_ARG_MAX_RECONNECT_BACKOFF_MS, BACKOFF_MAX_MS),
      int_arg(GRPC_ARG_MIN_RECONNECT_BACKOFF_MS, CONNECT_TIMEOUT_MS),
      int_arg(GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS, RESOLVE_MIN_MS),
      int_arg(GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS, INT_MAX),
      int_arg(GRPC_ARG_KEEPALIVE_TIME_MS, KEEPALIVE_MS),
      int_arg(GRPC_ARG_KEEPALIVE_TIMEOUT_MS, KEEPALIVE_TIMEOUT_MS),
      int_arg(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1),
      int_arg(GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA, 0),
      int_arg(GRPC_ARG_ENABLE_HTTP_PROXY, 0),
      int_arg(GRPC_ARG_ENABLE_CHANNELZ, 0),
      int_arg(GRPC_ARG_SERVICE_CONFIG_DISABLE_RESOLUTION, 1),
  };
  grpc_channel_args all = {.num_args = sizeof args / sizeof args[0], .args = args};
  grpc_channel_credentials *creds = grpc_insecure_credentials_create();
  char *target = rpc_address_target(targets);
  channel->channel = grpc_channel_create(target, creds, &all);
  free(target);
  grpc_channel_credentials_release(creds);
  grpc_channel_check_connectivity_state(channel->channel, 1);
  return channel;
}

/* The C core waits for its next attempt by the wall clock (absl's condition variables), so one that is set back
 * meanwhile holds all attempts up for as long: an hour, when it is set back by one. Ours is monotonic. */
void rpc_channel_knock(RpcChannel *channel) {
  int64_t now = clock_mono_ms();
  if (now - channel->knocked_ms < BACKOFF_MAX_MS ||
      grpc_channel_check_connectivity_state(channel->channel, 1) != GRPC_CHANNEL_TRANSIENT_FAILURE)
    return;
  channel->knocked_ms = now;
  grpc_channel_reset_connect_backoff(channel->channel);
}

void rpc_channel_free(RpcChannel *channel) {
  if (!channel)
    return;
  while (channel->calls)
    channel->calls->abandon(channel->calls);
  grpc_channel_destroy(channel->channel);
  rpc_queue_release(channel->queue);
  free(channel);
}
