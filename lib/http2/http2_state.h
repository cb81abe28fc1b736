/* The inside of an Http2Session, shared by its parts: http2_session.c owns the connection, http2_clock.c the time,
 * http2_recv.c what the peer sends, http2_send.c the answers. */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_STATE_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_STATE_H_

#include <nghttp2/nghttp2.h>

#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "lib/http2/http2_budget.h"
#include "lib/http2/http2_fields.h"
#include "lib/http2/http2_head.h"
#include "lib/http2/http2_session.h"

/* What the life timer waits for. */
typedef enum Http2Life {
  HTTP2_LIFE_NEW,   /* the first head */
  HTTP2_LIFE_IDLE,  /* a stream */
  HTTP2_LIFE_HEAD,  /* the end of a head */
  HTTP2_LIFE_BUSY,  /* nothing */
  HTTP2_LIFE_ENDING /* the peer's end */
} Http2Life;

struct Http2Session {
  Loop *loop;
  Stream *stream;
  Http2Config config;
  Http2Handlers handlers;
  void *arg;
  nghttp2_session *ng;
  Http2Budget budget;
  Http2Head head;
  List streams;
  size_t n_streams, n_full;
  size_t heads, out; /* bytes of each, of all streams */
  Buf gather;        /* what leaves by one write */
  LoopTimer *kick;   /* what was submitted outside of a handler is to be sent */
  LoopTimer *life, *stall, *refill, *farewell;
  Http2Life mode;
  int32_t last_id;                  /* of the peer's newest stream */
  int32_t skipped_from, skipped_to; /* the last numbers in between that it left out */
  bool settled;                     /* the peer's first SETTINGS were there */
  bool peer_leaves;                 /* it sent a GOAWAY */
  bool draining, last_said;
  bool refilling, stalling;
  bool whyed;   /* why is known */
  bool deaf;    /* nothing more is read */
  bool gave_up; /* by http2_give_up */
  bool told;
  Http2Why why;
  uint64_t sent_seen;
  int depth; /* of our functions that call handlers */
  bool dead;
};

struct Http2Stream {
  Http2Session *session;
  ListLink link;
  int32_t id;
  void *owner;
  bool owned;        /* on_request was told, and neither on_close nor http2_stream_reset came */
  bool left;         /* by http2_stream_reset */
  bool request_done; /* its last frame was there */
  bool headed, finished;
  bool full;
  size_t heads;   /* bytes of both */
  size_t untaken; /* of the body */
  Buf out;
  size_t out_at; /* sent of out */
  Http2Fields trailers;
};

/* Around all that may run a handler: the session is not gone before the last leave. */
void http2_enter(Http2Session *session);
void http2_leave(Http2Session *session);
/* Sends what nghttp2 has, as far as the socket should be filled; and ends the session that has nothing left to do. Runs
 * handlers. */
void http2_pump(Http2Session *session);
/* Soon. From anywhere. */
void http2_kick(Http2Session *session);
/* The end, for this reason unless there is one already, with a GOAWAY of this code. From anywhere. */
void http2_give_up(Http2Session *session, Http2Why why, uint32_t code);
void http2_pump_alone(Http2Session *session); /* between enter and leave */
/* The connection is of no more use: the end at once. Runs handlers. */
void http2_cut(Http2Session *session, Http2Why why);
/* The first one counts. */
void http2_set_why(Http2Session *session, Http2Why why);
/* Once. */
void http2_tell_over(Http2Session *session);
/* The answer to the PING behind the first GOAWAY, or nobody waits for it any more. */
void http2_say_last(Http2Session *session);
void http2_clock_start(Http2Session *session);
void http2_clock_stop(Http2Session *session);
/* Something may wait for the socket. */
void http2_watch_stall(Http2Session *session);
/* What the life timer waits for has changed. */
void http2_set_life(Http2Session *session);
/* false: the frame is one too many, and the session ends. */
bool http2_spend(Http2Session *session, Http2Flood flood) MUST_CHECK;

nghttp2_session *http2_engine_new(Http2Session *session);
void http2_recv_callbacks(nghttp2_session_callbacks *callbacks);
void http2_send_callbacks(nghttp2_session_callbacks *callbacks);
extern const uint8_t HTTP2_DRAIN_PING[8];

Http2Stream *http2_stream_new(Http2Session *session, int32_t id);
/* Not told. */
void http2_stream_free(Http2Stream *stream);
/* NULL: none that is known. */
Http2Stream *http2_stream_of(Http2Session *session, int32_t id);
void http2_tell_close(Http2Stream *stream, uint32_t code);
/* Owners of streams that were full. Runs handlers. */
void http2_tell_drained(Http2Session *session);
/* An answer of the session itself to a stream that has no owner. */
void http2_refuse(Http2Stream *stream, int status);

#endif
