/* The framing between router and runtime (api/sandplane/internal/v1/runtime.proto): bytes only, no I/O. */
#ifndef SANDPLANE_LIB_WIRE_WIRE_H_
#define SANDPLANE_LIB_WIRE_WIRE_H_

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

typedef enum WireType {
  WIRE_MESSAGE = 0,
  WIRE_OPEN = 1,
  WIRE_HALF_CLOSE = 2,
  WIRE_STATUS = 3,
  WIRE_ACCEPT = 4
} WireType;

enum { WIRE_HEADER_LEN = 5, WIRE_MAX_PAYLOAD = 4 << 20 };

typedef struct WireFrame {
  WireType type;
  const uint8_t *payload; /* into the buffer given to wire_parse */
  size_t len;
} WireFrame;

/* Outcome of wire_parse: the buffer does not hold a whole frame yet. */
enum { WIRE_MORE = 1 };

void wire_header(uint8_t out[WIRE_HEADER_LEN], WireType type, size_t len);
int wire_append(Buf *out, WireType type, const void *payload, size_t len) MUST_CHECK;
/* 0: *ret_frame is the first frame in data and *ret_used its whole length; WIRE_MORE; -1: not a frame. */
int wire_parse(const uint8_t *data, size_t len, WireFrame *ret_frame, size_t *ret_used, Error *err) MUST_CHECK;

#endif
