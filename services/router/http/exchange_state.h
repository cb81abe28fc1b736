/* The inside of an Exchange, shared by its parts, each of which uses those behind it: exchange.c carries the request
 * and knows the time, exchange_open.c gets to the port, exchange_answer.c reads the answer, exchange_state.c is what
 * all of them stand on. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_EXCHANGE_STATE_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_EXCHANGE_STATE_H_

#include <stdarg.h>

#include "lib/loop/stream.h"
#include "services/router/dial.h"
#include "services/router/grpc/pod_bind.h"
#include "services/router/http/exchange.h"
#include "services/router/http/upstream_pool.h"
#include "services/router/sandbox_store.h"

/* Kept of what the sandbox sent and the client did not take yet, beside the client's own buffer. */
#define EXCHANGE_IN_MAX (64 << 10)

typedef enum Stage {
  STAGE_LOOKUP,
  STAGE_WAIT,
  STAGE_OPENING,
  STAGE_HTTP,
  STAGE_TUNNEL,
  STAGE_AUTOPSY, /* no answer came: had the sandbox ended? */
  STAGE_OVER
} Stage;

struct Exchange {
  Router *router;
  Target target;
  bool upgrade, is_head_request, reusable, raw;
  ExchangeHandlers handlers;
  const StreamHandlers *stream_handlers; /* of the socket, once there is one */
  void *arg;
  Stage stage;
  int64_t attempts;
  SandboxLookup *lookup;
  PodBind *bind;                   /* of a Pod whose claim has values, before dial */
  char *uid, *route;               /* as the state has them, of the last attempt */
  Buf inside;                      /* OPEN for the Pod's runtime, which connects from inside */
  bool asks_inside, has_no_inside; /* it is being asked; it cannot be */
  Dial *dial;
  Stream *stream;
  HttpReader *reader;
  Activity *activity;
  LoopTimer *timer;
  Buf early;       /* what waits for ACCEPT; by a kept connection, until it is answered */
  int64_t last_ms; /* of the last byte either way */
  bool found;
  bool interim;      /* the head that is being read is a 1xx */
  int n_interim;     /* how many of them there were */
  bool headed;       /* the final head was there */
  bool refused;      /* a 101 nobody asked for */
  bool read;         /* something of the answer was there */
  bool kept;         /* the stream has carried others before */
  bool anew;         /* not by a kept connection again: one has failed */
  bool reuse_next;   /* the final head allows it */
  bool whole;        /* the answer is */
  UpstreamWait wait; /* for the first byte of the answer, by a new connection */
  Failure failure;   /* of the last attempt, or of what is looked into */
  char why[320];
  int depth;
  bool dead;
};

/* Around all that may run a handler: the exchange is not freed before the last leave. */
void exchange_enter(Exchange *e);
void exchange_leave(Exchange *e);
/* Ends what is under way. */
void exchange_drop(Exchange *e);
/* e->stream is this socket from now on. */
void exchange_attach(Exchange *e, int fd);
/* The namespace as a label: "-" until the sandbox was found. */
const char *exchange_ns_label(const Exchange *e);
/* What is known of a failure, and the end with it. */
void exchange_note_args(Exchange *e, Failure failure, const char *fmt, va_list ap);
void exchange_note_failure(Exchange *e, Failure failure, const char *fmt, ...) PRINTF_LIKE(3, 4);
void exchange_fail_as_noted(Exchange *e);
void exchange_fail(Exchange *e, Failure failure, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* Of what the state has said last. */
ConnKey exchange_key(const Exchange *e);
/* The longest silence of what is under way, in milliseconds. */
int64_t exchange_idle_limit(const Exchange *e);
/* Starts the timer of what is under way. */
void exchange_watch(Exchange *e);

#endif
