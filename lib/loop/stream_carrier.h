/* What stands between a stream and its socket, for stream.c and what carries its bytes (lib/crypto/tls_carrier.c). */
#ifndef SANDPLANE_LIB_LOOP_STREAM_CARRIER_H_
#define SANDPLANE_LIB_LOOP_STREAM_CARRIER_H_

#include <sys/types.h>

#include "lib/loop/stream.h"

/* read and write are as recv and send; after EAGAIN *ret_on is the event (LOOP_READ, LOOP_WRITE) that may change it. */
typedef struct StreamCarrier StreamCarrier;
struct StreamCarrier {
  ssize_t (*read)(StreamCarrier *self, void *data, size_t len, int *ret_on);
  ssize_t (*write)(StreamCarrier *self, const void *data, size_t len, int *ret_on);
  /* Tells the peer the end, before the socket does. 0, or as write. */
  int (*end)(StreamCarrier *self, int *ret_on);
  /* Whether more can be read than the socket shows. */
  bool (*holds)(const StreamCarrier *self);
  const char *(*trouble)(const StreamCarrier *self);
  void (*free)(StreamCarrier *self);
};

/* Owns carrier. first: the event by which reading begins. */
Stream *stream_new_carried(Loop *loop, int fd, StreamCarrier *carrier, int first, size_t in_max,
                           const StreamHandlers *handlers, void *arg);

#endif
