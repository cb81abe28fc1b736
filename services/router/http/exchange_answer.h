/* The answer of an exchange as it is read, and what becomes of its connection behind it. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_EXCHANGE_ANSWER_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_EXCHANGE_ANSWER_H_

#include "services/router/http/exchange_state.h"

/* What the end of the connection means. */
typedef enum ExchangeAnswer {
  ANSWER_ENDED,       /* the handlers know, or will */
  ANSWER_BEGINS_ANEW, /* nobody has answered on a kept connection: to be opened again */
} ExchangeAnswer;

/* The program is connected by e->stream: the request leaves, and an answer is waited for. */
void exchange_accepted(Exchange *e);
/* In STAGE_HTTP: what the program says, and that it says no more; errnum 0: in order. */
size_t exchange_answer_data(Exchange *e, const uint8_t *data, size_t len);
ExchangeAnswer exchange_answer_ended(Exchange *e, int errnum) MUST_CHECK;

#endif
