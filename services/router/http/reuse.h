/* When one connection to a program may carry more than one request. No I/O.
 *
 * Connections into sandboxes are shared by callers who do not know each other, and the programs behind them are small
 * ones that nobody has checked. So a request that a program could take for more than one, and an answer whose end the
 * router and the program could see at different places, have a connection of their own.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_HTTP_REUSE_H_
#define SANDPLANE_SERVICES_ROUTER_HTTP_REUSE_H_

#include <stdbool.h>

#include "lib/http/http_reader.h"

/* Whether a request may go by a connection that was kept, and leave one: it may be sent again (RFC 9110, 9.2.2), for a
 * kept connection may end as it is sent; and it has no body, for programs that do not read one take it for the next
 * request. */
bool reuse_suits_request(const HttpHead *request);
/* Whether the answer's head lets the connection be kept: HTTP/1.1 that does not close, with one framing that is beyond
 * doubt (RFC 9112, 6.3). Not an interim one. */
bool reuse_suits_answer(const HttpHead *answer);

#endif
