/* The inside of a call over HTTP, shared by its parts, which stand on it as floors: rpc_http_send.c (what it sends),
 * rpc_http_recv.c (what it receives), rpc_http.c (how it begins and ends). Internal to lib/rpc. */
#ifndef SANDPLANE_LIB_RPC_RPC_HTTP_IMPL_H_
#define SANDPLANE_LIB_RPC_RPC_HTTP_IMPL_H_

#include "lib/base/arena.h"
#include "lib/rpc/rpc_call_impl.h"
#include "lib/rpc/rpc_http.h"
#include "lib/rpc/rpc_http_head.h"
#include "lib/rpc/rpc_http_text.h"
#include "lib/rpc/rpc_table.h"

/* Of each message: flags and its length. */
enum { RPC_PREFIX_LEN = 5 };

struct RpcHttp {
  Loop *loop;
  RpcTable table;
  char *web_origins;
  RpcCallOwner owner;
  List live;
  List due;        /* calls that have something to be told in a turn of their own */
  LoopTimer *kick; /* for those */
  List waiting;    /* calls whose client owes the first message */
  LoopTimer *sweep;
  LoopTimer *grace;
  bool draining, ending;
  Error why; /* of ending */
  void (*done)(void *arg);
  void *done_arg;
};

typedef struct RpcHttpWrite RpcHttpWrite;
struct RpcHttpWrite {
  RpcHttpWrite *next;
  size_t message_len, len, fed; /* len: with the prefix */
  RpcWrittenFn fn;
  void *arg;
  uint8_t data[];
};

struct RpcHttpCall {
  RpcCall call;
  RpcHttp *http;
  const RpcHttpExit *out; /* NULL: closed */
  void *out_arg;
  RpcForm form;
  bool refused; /* answered as HTTP: no handler ever has it */
  bool started; /* a handler has it, or has had */
  Arena *strings;
  const char *peer, *origin; /* origin: of a page that may read the answer; NULL: none */
  RpcMetadata *metadata;
  size_t n_metadata;
  int64_t deadline_ms; /* INT64_MAX: none */
  LoopTimer *deadline;
  ListLink due;

  /* Receiving. */
  ListLink waiting;
  int64_t owed_ms; /* when the first message is late */
  bool began;      /* some of it was there */
  bool had_message;
  bool wants; /* a message is to be told */
  bool half_closed;
  bool deaf; /* what comes is of no interest */
  int depth; /* of functions that tell messages */
  Buf in;
  size_t request_len; /* of a unary call, in `in` behind its prefix; SIZE_MAX: not there yet */
  size_t untaken;
  RpcHttpText text;

  /* Sending. */
  RpcHttpWrite *first, **last;
  RpcHttpWrite *written, **last_written; /* whose fn is to be run */
  size_t pending;
  bool headed, ended;
};

static inline RpcHttpCall *rpc_http_of(RpcCall *call) {
  return CONTAINER_OF(call, RpcHttpCall, call);
}

/* rpc_http_send.c. None runs a handler. */

/* The call is told what there is in a turn of its own. */
void rpc_http_kick(RpcHttpCall *c);
void rpc_http_write(RpcCall *call, grpc_slice message, bool last, RpcWrittenFn fn, void *arg);
void rpc_http_finish(RpcCall *call);
/* What waits, as far as the exit takes it. */
void rpc_http_feed(RpcHttpCall *c);
/* Whose messages have left; runs handlers. */
void rpc_http_tell_written(RpcHttpCall *c);
void rpc_http_drop_writes(RpcHttpCall *c);
/* Instead of a call: fields NULL: none. */
void rpc_http_answer(RpcHttpCall *c, int status, const RpcMetadata *fields, size_t n_fields);

/* rpc_http_recv.c. */

/* Must be held; runs handlers. */
void rpc_http_advance(RpcHttpCall *c);
/* The next message is to be told. */
void rpc_http_want(RpcCall *call);
/* The client has broken a rule or is late: the call ends with this. Must be held; runs handlers. */
void rpc_http_fail(RpcHttpCall *c, const Error *why);
/* A client owes the first message from now on, or does no more. */
void rpc_http_owe(RpcHttpCall *c);
void rpc_http_owe_no_more(RpcHttpCall *c);
/* For http->sweep. */
void rpc_http_sweep(void *http);
/* A unary call has its request, or its end without one: rpc_http.c gives it to its handler. */
void rpc_http_start(RpcHttpCall *c, bool has_request);

#endif
