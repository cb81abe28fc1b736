/* See runtime_open.h. */
#include "services/router/grpc/runtime_open.h"

#include <stdlib.h>

#include "api/sandplane/internal/v1/runtime.pb-c.h"
#include "lib/base/arena.h"
#include "services/router/dial.h"

DEFINE_CLEANUP(Arena *, arena_freep, arena_free)

typedef Sandplane__Internal__V1__RuntimeOpen Open;
typedef Sandplane__Internal__V1__RuntimeBind Bind;
typedef Sandplane__Internal__V1__RuntimeBind__EnvEntry EnvEntry;
typedef Sandplane__Internal__V1__RuntimeStatus Status;

static void fill_bind(Arena *arena, Bind *bind, const SandboxRecord *record) {
  bind->n_env = record->n_env;
  bind->env = arena_alloc(arena, record->n_env * sizeof(EnvEntry *));
  for (size_t i = 0; i < record->n_env; i++) {
    EnvEntry *entry = arena_alloc(arena, sizeof *entry);
    sandplane__internal__v1__runtime_bind__env_entry__init(entry);
    entry->key = (char *)record->env[i].key;
    entry->value = (char *)record->env[i].value;
    bind->env[i] = entry;
  }
}

static void address(Open *open, const char *method, const SandboxRecord *record) {
  open->method = (char *)method;
  open->claim_uid = (char *)record->uid;
  if (dial_is_pod(record->route))
    open->sandbox = (char *)record->id;
}

static int append(Buf *out, const Open *open) {
  size_t len = sandplane__internal__v1__runtime_open__get_packed_size(open);
  uint8_t *to = len <= WIRE_MAX_PAYLOAD ? buf_reserve(out, WIRE_HEADER_LEN + len) : NULL;
  if (!to)
    return -1;
  wire_header(to, WIRE_OPEN, len);
  sandplane__internal__v1__runtime_open__pack(open, to + WIRE_HEADER_LEN);
  out->len += WIRE_HEADER_LEN + len;
  return 0;
}

int runtime_open(Buf *out, const char *method, const SandboxRecord *record, uint16_t port, int64_t timeout_ms,
                 const char *traceparent) {
  CLEANUP(arena_freep) Arena *arena = arena_new();
  Open open = SANDPLANE__INTERNAL__V1__RUNTIME_OPEN__INIT;
  Bind bind = SANDPLANE__INTERNAL__V1__RUNTIME_BIND__INIT;
  fill_bind(arena, &bind, record);
  address(&open, method, record);
  open.bind = &bind;
  open.port = port;
  open.timeout_ms = timeout_ms;
  if (traceparent)
    open.traceparent = (char *)traceparent;
  return append(out, &open);
}

int runtime_open_bare(Buf *out, const char *method, const SandboxRecord *record, uint16_t port) {
  Open open = SANDPLANE__INTERNAL__V1__RUNTIME_OPEN__INIT;
  address(&open, method, record);
  open.port = port;
  return append(out, &open);
}

void runtime_status(const WireFrame *frame, Error *ret_status) {
  Status *status = sandplane__internal__v1__runtime_status__unpack(NULL, frame->len, frame->payload);
  *ret_status = (Error){0};
  if (!status || status->code < ERROR_NONE || status->code > ERROR_UNAUTHENTICATED)
    error_set(ret_status, ERROR_INTERNAL, "the sandbox's runtime sent a malformed status");
  else if (status->code == ERROR_INVALID_ARGUMENT && *status->field)
    error_field(ret_status, status->field, "%s", status->message);
  else if (status->code != ERROR_NONE)
    error_set(ret_status, (ErrorKind)status->code, "%s", status->message);
  sandplane__internal__v1__runtime_status__free_unpacked(status, NULL);
}

RuntimeAnswer runtime_first_answer(const uint8_t *data, size_t len, size_t *ret_used, Error *ret_status) {
  WireFrame frame;
  int rc = wire_parse(data, len, &frame, ret_used, ret_status);
  if (rc == WIRE_MORE)
    return RUNTIME_MORE;
  if (rc == 0 && frame.type == WIRE_ACCEPT)
    return RUNTIME_ACCEPTED;
  if (rc != 0 || frame.type != WIRE_STATUS)
    return RUNTIME_STRANGER;
  runtime_status(&frame, ret_status);
  return RUNTIME_ENDED;
}
