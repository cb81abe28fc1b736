/* See rpc_writes.h. */
#include "lib/rpc/rpc_writes.h"

#include <stdlib.h>

#include "lib/base/alloc.h"
#include "lib/rpc/rpc_bytes.h"

void rpc_write_free(RpcWrite *write) {
  if (!write)
    return;
  grpc_byte_buffer_destroy(write->message);
  free(write);
}

void rpc_writes_init(RpcWrites *writes) {
  *writes = (RpcWrites){.last = &writes->first};
}

RpcWrite *rpc_writes_add(RpcWrites *writes, grpc_slice message) {
  RpcWrite *write = new0(RpcWrite);
  write->len = GRPC_SLICE_LENGTH(message);
  write->message = rpc_bytes_wrap(message);
  *writes->last = write;
  writes->last = &write->next;
  writes->bytes += write->len;
  return write;
}

static RpcWrite *take(RpcWrites *writes) {
  RpcWrite *write = writes->first;
  writes->first = write->next;
  if (!writes->first)
    writes->last = &writes->first;
  return write;
}

grpc_op rpc_writes_start(RpcWrites *writes) {
  writes->in_flight = take(writes);
  return (grpc_op){.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = writes->in_flight->message};
}

RpcWrite *rpc_writes_sent(RpcWrites *writes) {
  RpcWrite *write = writes->in_flight;
  writes->in_flight = NULL;
  if (write)
    writes->bytes -= write->len;
  return write;
}

void rpc_writes_drop(RpcWrites *writes) {
  while (writes->first) {
    RpcWrite *write = take(writes);
    writes->bytes -= write->len;
    rpc_write_free(write);
  }
}
