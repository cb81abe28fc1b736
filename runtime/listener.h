/* Sockets that calls and HTTP come in by. */
#ifndef SANDPLANE_RUNTIME_LISTENER_H_
#define SANDPLANE_RUNTIME_LISTENER_H_

#include "runtime/runtime.h"

typedef struct Listener Listener;
typedef void (*ListenerFn)(Runtime *rt, int fd);

/* accept gets each new descriptor (non-blocking, close-on-exec) and owns it. NULL and err. */
Listener *listener_unix(Runtime *rt, const char *path, ListenerFn accept, Error *err);
/* An inherited, listening descriptor. */
Listener *listener_fd(Runtime *rt, int fd, ListenerFn accept, Error *err);
/* host:port with a numeric host (names cannot be looked up: the program is static) or none, which is all of IPv4. */
Listener *listener_tcp(Runtime *rt, const char *address, ListenerFn accept, Error *err);
void listener_free(Listener *l); /* NULL-safe */

#endif
