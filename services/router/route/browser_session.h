/* How a browser, which cannot add a header to a link, carries its credential: once in the query of a link, from then on
 * in a cookie that only requests for that sandbox have.
 *
 * The cookie's value is the credential, and is judged like one in Authorization, with each request; nothing is kept
 * here. A browser sends cookies also for pages of others: what changes something, and WebSockets, which may be read
 * from anywhere, need an Origin that is the sandbox's own or named. Sandboxes see neither the cookie nor the parameter.
 * Pure.
 */
#ifndef SANDPLANE_SERVICES_ROUTER_ROUTE_BROWSER_SESSION_H_
#define SANDPLANE_SERVICES_ROUTER_ROUTE_BROWSER_SESSION_H_

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/compiler.h"
#include "lib/base/error.h"
#include "lib/http/http_reader.h"
#include "services/router/route/routing.h"
#include "services/router/target.h"

/* As the flags have it; strings are the caller's. */
typedef struct BrowserSession {
  const char *cookie;          /* NULL or "": there are none */
  const char *query_param;     /* NULL or "": the cookie comes from elsewhere */
  const char *same_site;       /* lax, strict, none; NULL: lax */
  const char *allowed_origins; /* "https://a.example,http://localhost:3000"; NULL: none */
  bool insecure;
} BrowserSession;

/* Cookies of the name that are tried: a page can add one to its neighbour's, which is then another's and not let in. */
enum { BROWSER_SESSION_COOKIES_MAX = 4 };

/* lets_all: the authorization mode refuses nobody for want of a credential. 0 or -1, err names the flag. */
int browser_session_check(const BrowserSession *session, const Routing *routing, bool lets_all, Error *err) MUST_CHECK;
bool browser_session_is_on(const BrowserSession *session);

/* path: with its query. ret_path gets it without the parameter, ret_credential its decoded value. How often it was
 * there. */
size_t browser_session_take_query(const BrowserSession *session, const char *path, Buf *ret_path, Buf *ret_credential);
/* scheme: of the client's URL. Whether a request by cookie may do what it asks for: upgrade, or the method's. */
bool browser_session_allows(const BrowserSession *session, const HttpHead *head, bool upgrade, const char *scheme,
                            const Routed *routed);
/* Value of the Set-Cookie field for a credential that was let in. */
void browser_session_cookie(const BrowserSession *session, const Routing *routing, const Target *target,
                            const char *credential, Buf *out);

#endif
