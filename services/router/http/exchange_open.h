/* How an exchange gets to the port: the sandbox is looked up, its runtime or its Pod's address is connected to, again
 * and again for a while. */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_EXCHANGE_OPEN_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_EXCHANGE_OPEN_H_

#include "services/router/http/exchange_state.h"

/* An attempt; ends with exchange_accepted or a failure. */
void exchange_open(Exchange *e);
/* In STAGE_OPENING: what the runtime says, and that it says no more. */
size_t exchange_open_data(Exchange *e, const uint8_t *data, size_t len);
void exchange_open_ended(Exchange *e, int errnum);
/* The timer, before the port is reached. */
void exchange_open_time(Exchange *e);

#endif
