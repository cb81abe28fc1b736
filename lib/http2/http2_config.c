/* See http2_config.h. */
#include "lib/http2/http2_config.h"

#include "lib/loop/stream.h"

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
    .floods =
        {
            [HTTP2_FLOOD_RESETS] = {1000, 33},
            [HTTP2_FLOOD_SETTINGS] = {100, 5},
            [HTTP2_FLOOD_PINGS] = {200, 10},
            [HTTP2_FLOOD_PRIORITIES] = {1000, 100},
            [HTTP2_FLOOD_WINDOW_UPDATES] = {1000, 200},
            [HTTP2_FLOOD_EMPTY] = {200, 10},
        },
    .max_unread_acks = 1000,
    .head_ms = 10000,
    .idle_ms = 120000,
    .stall_ms = 60000,
    .farewell_ms = 1000,
};
