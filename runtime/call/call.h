/* One call over the runtime's wire protocol (api/sandplane/internal/v1/runtime.proto), one connection. */
#ifndef SANDPLANE_RUNTIME_CALL_CALL_H_
#define SANDPLANE_RUNTIME_CALL_CALL_H_

#include <stdint.h>

#include "lib/loop/stream.h"
#include "lib/wire/wire.h"
#include "runtime/runtime.h"

typedef struct Call Call;
struct ProtobufCMessageDescriptor;

/* A method. Each callback may end the call with call_finish; none runs after that but on_end. */
typedef struct CallMethod {
  const char *name;
  /* Of its messages, whose strings are checked before on_message; NULL: it takes none. */
  const struct ProtobufCMessageDescriptor *request;
  /* The call was let in. Optional. */
  void (*on_open)(Call *call);
  /* One message of the caller; not run any more once its reading is paused. */
  void (*on_message)(Call *call, const uint8_t *data, size_t len);
  void (*on_half_close)(Call *call);
  /* What was sent has left, after call_pending was above STREAM_HIGH. Optional. */
  void (*on_drained)(Call *call);
  /* The call is over, finished or cancelled: free call_data. Always runs once. Optional. */
  void (*on_end)(Call *call);
  /* It sends ACCEPT itself, when there is more to say by it than that the call was let in. */
  bool accepts;
} CallMethod;

/* A method that makes output stops when STREAM_HIGH bytes wait for the peer. */

Runtime *call_runtime(const Call *call);
uint32_t call_port(const Call *call);
/* Empty: none. */
const char *call_traceparent(const Call *call);
void call_set_data(Call *call, void *data);
void *call_data(const Call *call);

void call_send(Call *call, WireType type, const void *payload, size_t len);
struct ProtobufCMessage;
void call_send_message(Call *call, const struct ProtobufCMessage *message);
size_t call_pending(const Call *call);
/* Stops reading from the caller, or goes on. */
void call_pause(Call *call, bool pause);
/* Sends the status (NULL: OK) and closes. */
void call_finish(Call *call, const Error *err);
/* Behind what was sent: gives the connection away, with what was read already, to an owner who takes it at once
 * (stream_hand_over). The call is over after it. Not from within on_open or on_message. */
Stream *call_detach(Call *call);

/* A connection from outside; owns fd. */
void call_accept(Runtime *rt, int fd);
/* The same by a port of the network, whose address may have been another's: only calls that name this sandbox are let
 * in, which ACCEPT tells the caller. */
void call_accept_by_network(Runtime *rt, Stream *stream);

#endif
