/* The labels of Http2Why. */
#include "lib/http2/http2_why.h"

static const char *const NAMES[HTTP2_N_WHYS] = {
    [HTTP2_WHY_CLOSED] = "closed",
    [HTTP2_WHY_DRAINED] = "drained",
    [HTTP2_WHY_ENDED] = "ended",
    [HTTP2_WHY_PROTOCOL] = "protocol",
    [HTTP2_WHY_IDLE] = "idle",
    [HTTP2_WHY_HEAD_TIME] = "head_time",
    [HTTP2_WHY_STALLED] = "stalled",
    [HTTP2_WHY_UNREAD_ACKS] = "unread_acks",
    [HTTP2_WHY_CONTINUATIONS] = "continuations",
    [HTTP2_WHY_SILENT] = "silent",
    [HTTP2_WHY_RESETS] = "resets",
    [HTTP2_WHY_SETTINGS] = "settings",
    [HTTP2_WHY_PINGS] = "pings",
    [HTTP2_WHY_PRIORITIES] = "priorities",
    [HTTP2_WHY_WINDOW_UPDATES] = "window_updates",
    [HTTP2_WHY_EMPTY] = "empty_frames",
    [HTTP2_WHY_HEAD_BYTES] = "head_bytes",
    [HTTP2_WHY_STREAMS] = "streams",
    [HTTP2_WHY_KEPT] = "kept",
};

const char *http2_why_name(Http2Why why) {
  return NAMES[why];
}
