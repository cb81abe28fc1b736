/* One HTTP request on the sandbox's side: finds the sandbox, connects to the port, and reads the answer.
 *
 * The runtime is asked to "Connect" and, after its ACCEPT, bytes are HTTP/1.1 with the program on that port.
 * Until ACCEPT nothing of the request has left, so failures to get there are retried; afterwards nothing is. A Pod's
 * port is reached at its address, and no other way.
 *
 * A request that may be sent twice and has no body (reuse.h) goes by a connection that an earlier one has left, if
 * there is one, and leaves it for the next when its answer was exact and whole and nothing came behind it. When a kept
 * connection ends before the first byte of the answer the sandbox is looked up again and a new one is made. Any other
 * request has a connection of its own.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_EXCHANGE_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_EXCHANGE_H_

#include "lib/http/http_reader.h"
#include "services/router/http/failure.h"
#include "services/router/router.h"
#include "services/router/target.h"

typedef struct Exchange Exchange;

/* on_ready, on_drain, on_end and on_fail may free the exchange. */
typedef struct ExchangeHandlers {
  /* The program is connected: the body may flow. */
  void (*on_ready)(void *arg);
  /* The request's bytes that wait have shrunk, or are gone. */
  void (*on_drain)(void *arg);
  /* The final head; interim ones are dropped. */
  void (*on_head)(void *arg, const HttpHead *head);
  /* Of the answer; after on_switch raw bytes. */
  void (*on_body)(void *arg, const uint8_t *data, size_t len);
  void (*on_trailer)(void *arg, const HttpHeader *field);
  /* The answer is complete; after on_switch: the program closed its side. */
  void (*on_end)(void *arg);
  /* 101: from here on bytes go both ways as they are. */
  void (*on_switch)(void *arg, const HttpHead *head);
  /* It is over, at any time before on_end. why: what is known of it, for the caller. */
  void (*on_fail)(void *arg, Failure failure, const char *why);
} ExchangeHandlers;

typedef struct ExchangeRequest {
  const Buf *head; /* its bytes, copied */
  bool upgrade;
  bool is_head;
  bool reusable; /* see reuse.h */
} ExchangeRequest;

/* Whether the request may go by a connection that was kept, and leave one. */
bool exchange_may_reuse(const Router *router, const HttpHead *head);

/* Whether there may be one more; loops that ask at the same time may have one each. What an HTTP/2 connection may ask
 * at once is no bound for all of them. */
bool exchange_has_room(const Router *router);

/* No handler runs from inside any of these. */
Exchange *exchange_new(Router *router, const Target *target, const ExchangeRequest *request,
                       const ExchangeHandlers *handlers, void *arg);
void exchange_free(Exchange *exchange); /* NULL-safe; ends what is under way */
void exchange_write(Exchange *exchange, const void *data, size_t len);
size_t exchange_pending(const Exchange *exchange);
/* After on_switch: the client closed its side. */
void exchange_end(Exchange *exchange);
/* The client does not take the answer fast enough, and does again. A connection that was paused is not kept. */
void exchange_pause(Exchange *exchange);
void exchange_resume(Exchange *exchange);
/* Bytes went to the client: the exchange is not idle. */
void exchange_note(Exchange *exchange);
/* Whether the sandbox was found. Until then its namespace is no label of a metric: callers could make it up. */
bool exchange_is_found(const Exchange *exchange);

#endif
