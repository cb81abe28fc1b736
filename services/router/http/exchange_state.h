/* The inside of an Exchange, shared by its two halves: exchange_open.c gets to the port, exchange.c carries the request
 * and the answer. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_EXCHANGE_STATE_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_EXCHANGE_STATE_H_

#include <stdarg.h>

#include "lib/loop/stream.h"
#include "services/router/dial.h"
#include "services/router/grpc/pod_bind.h"
#include "services/router/http/exchange.h"
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
  bool upgrade, is_head_request;
  ExchangeHandlers handlers;
  void *arg;
  Stage stage;
  int64_t attempts;
  SandboxLookup *lookup;
  PodBind *bind;                   /* of a Pod whose claim has values, before dial */
  char *route;                     /* the Pod's, for dial */
  Buf inside;                      /* OPEN for the Pod's runtime, which connects from inside */
  bool asks_inside, has_no_inside; /* it is being asked; it cannot be */
  Dial *dial;
  Stream *stream;
  HttpReader *reader;
  Activity *activity;
  LoopTimer *timer;
  Buf early;       /* what waits for ACCEPT */
  int64_t last_ms; /* of the last byte either way */
  bool found;
  bool interim;    /* the head that is being read is a 1xx */
  bool headed;     /* the final head was there */
  bool refused;    /* a 101 nobody asked for */
  bool read;       /* something of the answer was there */
  Failure failure; /* of the last attempt, or of what is looked into */
  char why[320];
  int depth;
  bool dead;
};

/* Around all that may run a handler: the exchange is not freed before the last leave. */
void exchange_enter(Exchange *e);
void exchange_leave(Exchange *e);
void exchange_drop(Exchange *e);
/* The namespace as a label: "-" until the sandbox was found. */
const char *exchange_ns_label(const Exchange *e);
/* What is known of a failure, and the end with it. */
void exchange_note_args(Exchange *e, Failure failure, const char *fmt, va_list ap);
void exchange_note_failure(Exchange *e, Failure failure, const char *fmt, ...) PRINTF_LIKE(3, 4);
void exchange_fail_as_noted(Exchange *e);
void exchange_fail(Exchange *e, Failure failure, const char *fmt, ...) PRINTF_LIKE(3, 4);
/* The program is connected by e->stream. */
void exchange_accepted(Exchange *e);
extern const StreamHandlers EXCHANGE_STREAM_HANDLERS;

/* An attempt; ends with exchange_accepted or a failure. */
void exchange_open(Exchange *e);
/* In STAGE_OPENING: what the runtime says, and that it says no more. */
size_t exchange_open_data(Exchange *e, const uint8_t *data, size_t len);
void exchange_open_ended(Exchange *e, int errnum);
/* The timer, before the port is reached. */
void exchange_open_time(Exchange *e);

#endif
