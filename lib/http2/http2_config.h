/* What one connection may cost: the bounds of an HTTP/2 session, and where their numbers come from.
 *
 * Those on frames are per session and are a burst, and how much of it comes back each second. Work that is real gives
 * back as well: each head that is read and each DATA frame that is sent pays for EARNED frames that answer it, for
 * honest clients acknowledge every piece of a large answer, and some measure the line by a PING for each.
 */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_CONFIG_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_CONFIG_H_

#include <stddef.h>
#include <stdint.h>

typedef struct Http2Rate {
  uint32_t burst;
  uint32_t per_second;
} Http2Rate;

/* Frames that make work and carry nothing. */
typedef enum Http2Flood {
  HTTP2_FLOOD_RESETS, /* by the peer, and those that it provokes; nothing earns one */
  HTTP2_FLOOD_SETTINGS,
  HTTP2_FLOOD_PINGS,
  HTTP2_FLOOD_PRIORITIES,
  HTTP2_FLOOD_WINDOW_UPDATES,
  HTTP2_FLOOD_EMPTY, /* DATA without a byte that ends nothing; frames of unknown types */
  HTTP2_N_FLOODS
} Http2Flood;

/* Two updates of windows and a PING for each, and one to spare. */
enum { HTTP2_EARNED = 4 };

typedef struct Http2Config {
  /* A head: the bytes of names and values and 32 for each field, as RFC 9113 counts them (10.5.1); more is answered
   * with 431, and so are more fields. As lib/http has it. */
  uint32_t max_head_bytes;
  uint32_t max_fields;
  /* CONTINUATION frames of one head; nghttp2's own default. */
  uint32_t max_continuations;
  /* Entries in one SETTINGS frame; nghttp2's own default. */
  uint32_t max_settings;
  /* The tables by which heads are packed, in each direction, whatever the peer would like; the default of RFC 9113. */
  uint32_t header_table;
  /* Streams at once; RFC 9113 recommends no less than 100. More are refused with REFUSED_STREAM, or are the end of a
   * peer that was told. */
  uint32_t max_streams;
  /* Bytes of bodies that may be on their way or with the owner: of one stream, of all. The larger one keeps one slow
   * upload from stopping the others. */
  uint32_t stream_window, session_window;
  /* Answers that wait for the peer: of one stream, of all, which then share it. A stream is full at its share, which is
   * never less than MIN_SHARE, and its owner then stops; what it was about to write is taken. */
  size_t stream_out, session_out;
  /* Of heads of streams under way, theirs and ours, and of answers that wait. While there is more, new streams are
   * refused. */
  size_t max_kept;
  /* Those of resets are nghttp2's; the others are wide, for all that answers real work is paid for by it. */
  Http2Rate floods[HTTP2_N_FLOODS];
  /* PING and SETTINGS whose answers the peer does not read. */
  uint32_t max_unread_acks;
  /* From the start to the first head; and from the beginning of any head to its end. */
  int64_t head_ms;
  /* Without a stream, after which the session ends in order; 0: never. */
  int64_t idle_ms;
  /* For which the peer's socket takes nothing of what waits; or its windows let nothing of any answer through, after
   * which the streams whose answers wait are reset. */
  int64_t stall_ms;
  /* For the answer to the PING behind the first GOAWAY; and, at the end, for the peer to close. */
  int64_t farewell_ms;
  /* A client's: without a byte from the server, after which it is asked by a PING; and then, after which it is gone.
   * 0: it is never asked. */
  int64_t ping_ms, ping_wait_ms;
} Http2Config;

enum { HTTP2_MIN_SHARE = 16 << 10 };

extern const Http2Config HTTP2_DEFAULTS;
/* Of a client. Its max_streams are as many as the server allows at most; the window of the session is that of all of
 * them, so that answers nobody reads hold up no other. Each request may be reset by the server once; what it resets
 * beyond is bounded as for a server. */
extern const Http2Config HTTP2_CLIENT_DEFAULTS;

#endif
