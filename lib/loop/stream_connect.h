/* The way to a stream: a connection that is made without waiting for it. On the loop's thread. */
#ifndef SANDPLANE_LIB_LOOP_STREAM_CONNECT_H_
#define SANDPLANE_LIB_LOOP_STREAM_CONNECT_H_

#include "lib/base/address.h"
#include "lib/loop/loop.h"

typedef struct StreamConnect StreamConnect;

/* How a peer is found out that is cut off, or whose machine is: it sends no reset, so the kernel asks it. Of TCP. */
typedef struct StreamKeepalive {
  int idle_s;     /* nothing was received for so long: the first question */
  int interval_s; /* the next ones */
  int count;      /* without an answer, after which it is gone */
  int unacked_ms; /* what was sent is acknowledged within this, or it is gone */
} StreamKeepalive;

/* The host of `to` is a number; whoever has a name looks it up before. timeout_ms: then it has failed with ETIMEDOUT;
 * 0: the caller has a timer of its own. keepalive: NULL for the kernel's own, which is hours. fn runs later, once: with
 * a connected, non-blocking descriptor that it owns (Nagle's delay is off), or with -1 and an errno. */
StreamConnect *stream_connect(Loop *loop, const Address *to, int64_t timeout_ms, const StreamKeepalive *keepalive,
                              void (*fn)(void *arg, int fd, int errnum), void *arg);
/* fn will not run. NULL-safe; not after fn has run, nor in it. */
void stream_connect_free(StreamConnect *connect);

#endif
