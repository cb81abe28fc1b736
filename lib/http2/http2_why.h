/* Why a stream or a session ends: the codes that the peer is told, and the reasons that its owner is. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_WHY_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_WHY_H_

/* Codes of RST_STREAM and GOAWAY that owners use (RFC 9113, 7). */
enum {
  HTTP2_NO_ERROR = 0,
  HTTP2_INTERNAL_ERROR = 2,
  HTTP2_REFUSED_STREAM = 7, /* nothing of it was done: it may be sent again */
  HTTP2_CANCEL = 8,
  HTTP2_ENHANCE_YOUR_CALM = 11,
};

/* Why a session ended, and by which bound something was refused. */
typedef enum Http2Why {
  HTTP2_WHY_CLOSED,   /* by the peer, or the connection broke */
  HTTP2_WHY_DRAINED,  /* http2_session_drain, and everything is answered */
  HTTP2_WHY_ENDED,    /* http2_session_end */
  HTTP2_WHY_PROTOCOL, /* what the peer sent is not HTTP/2 */
  HTTP2_WHY_IDLE,
  HTTP2_WHY_HEAD_TIME,
  HTTP2_WHY_STALLED,
  HTTP2_WHY_UNREAD_ACKS,
  HTTP2_WHY_CONTINUATIONS,
  HTTP2_WHY_SILENT, /* a server that does not answer PING */
  HTTP2_WHY_RESETS, /* from here on in the order of Http2Flood */
  HTTP2_WHY_SETTINGS,
  HTTP2_WHY_PINGS,
  HTTP2_WHY_PRIORITIES,
  HTTP2_WHY_WINDOW_UPDATES,
  HTTP2_WHY_EMPTY,
  HTTP2_WHY_HEAD_BYTES, /* from here on of one stream: 431 */
  HTTP2_WHY_STREAMS,
  HTTP2_WHY_KEPT,
  HTTP2_N_WHYS,
} Http2Why;

/* A label: "resets" and so on. */
const char *http2_why_name(Http2Why why);

#endif
