/* See http2_config.h. */
#include "lib/http2/http2_config.h"

#include "lib/loop/stream.h"

/* The frames that make work; the same for both sides. */
#define FLOODS                                                                                             \
  {                                                                                                        \
    [HTTP2_FLOOD_RESETS] = {1000, 33}, [HTTP2_FLOOD_SETTINGS] = {100, 5}, [HTTP2_FLOOD_PINGS] = {200, 10}, \
    [HTTP2_FLOOD_PRIORITIES] = {1000, 100}, [HTTP2_FLOOD_WINDOW_UPDATES] = {1000, 200},                    \
    [HTTP2_FLOOD_EMPTY] = {200, 10},                                                                       \
  }

enum { CLIENT_STREAMS = 10000, CLIENT_WINDOW = 64 << 10 };

const Http2Config HTTP2_DEFAULTS = {
    .max_head_bytes = 64 << 10,
    .max_fields = 128,
    .max_continuations = 8,
    .max_settings = 32,
    .header_table = 4 << 10,
    .max_streams = 100,
    .stream_window = 256 << 10,
    .session_window = 1 << 20,
    .stream_out = STREAM_HIGH,
    .session_out = 1 << 20,
    .max_kept = 2 << 20,
    .floods = FLOODS,
    .max_unread_acks = 1000,
    .head_ms = 10000,
    .idle_ms = 120000,
    .stall_ms = 60000,
    .farewell_ms = 1000,
};

const Http2Config HTTP2_CLIENT_DEFAULTS = {
    .max_head_bytes = 64 << 10,
    .max_fields = 128,
    .max_continuations = 8,
    .max_settings = 32,
    .header_table = 4 << 10,
    .max_streams = CLIENT_STREAMS,
    .stream_window = CLIENT_WINDOW,
    .session_window = CLIENT_STREAMS * CLIENT_WINDOW,
    .stream_out = STREAM_HIGH,
    .session_out = 1 << 20,
    .floods = FLOODS,
    .max_unread_acks = 1000,
    .head_ms = 10000,
    .stall_ms = 60000,
    .farewell_ms = 1000,
    .ping_ms = 30000,
    .ping_wait_ms = 10000,
};
