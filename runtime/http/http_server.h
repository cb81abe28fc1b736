/* HTTP on port 8888, as the Python SDKs of the Agent Sandbox API use it. */
#ifndef SANDPLANE_RUNTIME_HTTP_HTTP_SERVER_H_
#define SANDPLANE_RUNTIME_HTTP_HTTP_SERVER_H_

#include "runtime/runtime.h"

/* A connection; owns fd. */
void http_server_accept(Runtime *rt, int fd);

#endif
