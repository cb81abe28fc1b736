/* See call.h. What methods do with a call. */
#include "runtime/call/call.h"

#include <protobuf-c/protobuf-c.h>
#include <stdlib.h>

#include "api/sandplane/internal/v1/runtime.pb-c.h"
#include "lib/base/alloc.h"
#include "runtime/call/call_state.h"

void call_end_method(Call *c) {
  if (c->method && c->method->on_end)
    c->method->on_end(c);
  c->method = NULL;
}

void call_free(Call *c) {
  call_end_method(c);
  stream_free(c->stream);
  loop_timer_free(c->timer);
  free(c);
}

Runtime *call_runtime(const Call *c) {
  return c->rt;
}
uint32_t call_port(const Call *c) {
  return c->port;
}
const char *call_traceparent(const Call *c) {
  return c->traceparent;
}
void call_set_data(Call *c, void *data) {
  c->data = data;
}
void *call_data(const Call *c) {
  return c->data;
}
size_t call_pending(const Call *c) {
  return stream_pending(c->stream);
}

void call_send(Call *c, WireType type, const void *payload, size_t len) {
  uint8_t header[WIRE_HEADER_LEN];
  if (c->finished)
    return;
  if (len > WIRE_MAX_PAYLOAD)
    abort(); /* no method makes such a message */
  wire_header(header, type, len);
  stream_queue(c->stream, header, sizeof header);
  stream_queue(c->stream, payload, len);
}

void call_send_message(Call *c, const ProtobufCMessage *message) {
  size_t len = protobuf_c_message_get_packed_size(message);
  uint8_t *bytes = xmalloc(len + 1);
  protobuf_c_message_pack(message, bytes);
  call_send(c, WIRE_MESSAGE, bytes, len);
  free(bytes);
}

void call_pause(Call *c, bool pause) {
  if (c->finished || c->paused == pause)
    return;
  c->paused = pause;
  if (pause) {
    stream_pause(c->stream);
    loop_timer_start(c->timer, LOOK_MS);
  } else {
    loop_timer_stop(c->timer);
    stream_resume(c->stream);
  }
}

void call_finish(Call *c, const Error *err) {
  if (c->finished)
    return;
  Sandplane__Internal__V1__RuntimeStatus s = SANDPLANE__INTERNAL__V1__RUNTIME_STATUS__INIT;
  s.code = err ? (int32_t)err->kind : 0;
  s.message = err ? (char *)err->message : "";
  s.field = err ? (char *)err->field : "";
  uint8_t bytes[1024];
  size_t len = sandplane__internal__v1__runtime_status__pack(&s, bytes);
  call_send(c, WIRE_STATUS, bytes, len);
  c->finished = true;
  c->half_closed = true;
  stream_pause(c->stream);
}

Stream *call_detach(Call *c) {
  Stream *stream = c->stream;
  c->stream = NULL;
  call_free(c);
  return stream;
}
