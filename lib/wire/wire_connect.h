/* Opens the way to a runtime: the one place where the host touches a name that a sandbox can change.
 *
 * The folder of a Unix route is writable from inside the sandbox. What stands there may be a symbolic link to
 * anything on the host, so the last component is never followed, and nothing but a socket is connected to:
 * the name is resolved once (O_PATH), looked at, and connected to through the descriptor.
 */
#ifndef SANDPLANE_LIB_WIRE_WIRE_CONNECT_H_
#define SANDPLANE_LIB_WIRE_WIRE_CONNECT_H_

#include "lib/base/compiler.h"
#include "lib/base/error.h"

/* route: "unix:/path" or "tcp:host:port" with a numeric host ("tcp:[v6]:port"). A non-blocking, close-on-exec
 * socket, connected or, for tcp, on its way; the caller closes it. -1: UNAVAILABLE when nobody answers,
 * INTERNAL for a route that is none. */
int wire_connect(const char *route, Error *err) MUST_CHECK;

#endif
