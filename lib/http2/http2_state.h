/* The inside of an Http2Session, which its parts share, and what keeps it in order. The parts stand on it as floors,
 * and each calls those below it alone: http2_end (how it ends), http2_clock (the time), http2_send (what leaves),
 * http2_response (answers to a client), http2_recv (what the peer sends), http2_engine (nghttp2 with both),
 * http2_session (the connection). */
#ifndef SANDPLANE_LIB_HTTP2_HTTP2_STATE_H_
#define SANDPLANE_LIB_HTTP2_HTTP2_STATE_H_

#include <nghttp2/nghttp2.h>

#include "lib/base/buf.h"
#include "lib/base/list.h"
#include "lib/http2/http2_budget.h"
#include "lib/http2/http2_client_handlers.h"
#include "lib/http2/http2_fields.h"
#include "lib/http2/http2_handlers.h"
#include "lib/http2/http2_head.h"
#include "lib/loop/stream.h"

/* What the life timer waits for. */
typedef enum Http2Life {
  HTTP2_LIFE_NEW,   /* the first head; a client: the server's SETTINGS */
  HTTP2_LIFE_IDLE,  /* a stream */
  HTTP2_LIFE_HEAD,  /* the end of a head */
  HTTP2_LIFE_BUSY,  /* nothing */
  HTTP2_LIFE_ENDING /* the peer's end */
} Http2Life;

struct Http2Session {
  Loop *loop;
  Stream *stream;
  Http2Config config;
  Http2Handlers handlers; /* a client's, as far as they are the same */
  bool client;
  void (*on_response)(void *owner, const Http2Response *response); /* a client's alone, as on_change */
  void (*on_change)(void *arg);
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
  LoopTimer *ping;    /* a client's */
  bool heard, pinged; /* since that timer was started */
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
  uint64_t bodies_sent; /* bytes of answers, into the gather */
  /* When the stall timer was started: what had left, and whether windows alone were waited for. */
  uint64_t sent_seen, bodies_seen;
  bool window_seen;
  int depth; /* of our functions that call handlers */
  bool dead;
};

struct Http2Stream {
  Http2Session *session;
  ListLink link;
  int32_t id;
  const Http2Handlers *handlers; /* the session's, or those of http2_stream_give */
  void *owner;
  bool owned;        /* on_request was told, and neither on_close nor http2_stream_reset came */
  bool left;         /* by http2_stream_reset */
  bool request_done; /* the last frame of the peer was there */
  bool answered;     /* a client's: the final head was there */
  bool all_sent;     /* our last frame has left nghttp2 */
  uint64_t head_end; /* a client's: where in all that is sent its head ends; 0: it has not left nghttp2 */
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
/* It is dead: what is left of it is freed now, or by the last leave. */
void http2_bury(Http2Session *session);
/* What was submitted is sent soon. From anywhere. */
void http2_kick(Http2Session *session);
/* Of heads and of answers, as Http2Config's max_kept counts. */
size_t http2_kept(const Http2Session *session);

/* id 0: a client's, which gets one as it is submitted. */
Http2Stream *http2_stream_new(Http2Session *session, int32_t id);
/* Not told. */
void http2_stream_free(Http2Stream *stream);
/* NULL: none that is known. */
Http2Stream *http2_stream_of(Http2Session *session, int32_t id);
/* Nothing of its answer waits any more. */
void http2_stream_drop_answer(Http2Stream *stream);
void http2_stream_set_full(Http2Stream *stream, bool full);

#endif
