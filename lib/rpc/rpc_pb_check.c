/* A walk over the wire format, guided by the message's descriptor, before protobuf-c sees it.
 *
 * protobuf-c turns string fields into C strings: an embedded NUL cuts the value short without a trace, and
 * what stands behind it would pass every check of the short value. The wire still has the length, so strings
 * are checked here. Also protobuf-c recurses as deep as the input says; here depth ends at MAX_DEPTH.
 *
 * Map entries are messages with the fields key and value; their strings are checked like all others.
 * Unknown fields are skipped. Groups are refused: proto3 has none.
 */
#include "lib/rpc/rpc_pb_check.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

/* The limit of protobuf's own implementations. */
enum { MAX_DEPTH = 100 };

enum { WIRE_VARINT = 0, WIRE_FIXED64 = 1, WIRE_BYTES = 2, WIRE_FIXED32 = 5 };

/* The way from the root to a field, kept as links on the stack and written out only for an error. */
typedef struct Path {
  const struct Path *parent;
  const ProtobufCFieldDescriptor *field;
  size_t index; /* of a repeated value; encoders write those of one field in one run */
  int depth;
} Path;

typedef struct Reader {
  const uint8_t *at, *end;
} Reader;

static int read_varint(Reader *r, uint64_t *ret) {
  *ret = 0;
  for (int shift = 0; shift < 64 && r->at < r->end; shift += 7) {
    uint8_t byte = *r->at++;
    *ret |= (uint64_t)(byte & 0x7f) << shift;
    if (!(byte & 0x80))
      return 0;
  }
  return -1;
}

static int skip(Reader *r, size_t n) {
  if ((size_t)(r->end - r->at) < n)
    return -1;
  r->at += n;
  return 0;
}

/* Reads a field's value; *ret_value, *ret_len are of WIRE_BYTES only. */
static int read_value(Reader *r, unsigned wire, const uint8_t **ret_value, size_t *ret_len) {
  uint64_t n;
  *ret_value = NULL;
  switch (wire) {
  case WIRE_VARINT:
    return read_varint(r, &n);
  case WIRE_FIXED64:
    return skip(r, 8);
  case WIRE_FIXED32:
    return skip(r, 4);
  case WIRE_BYTES:
    if (read_varint(r, &n) < 0 || n > (uint64_t)(r->end - r->at))
      return -1;
    *ret_value = r->at;
    *ret_len = (size_t)n;
    return skip(r, *ret_len);
  default:
    return -1;
  }
}

static size_t path_write(const Path *path, char *out, size_t size) {
  size_t n = path->parent ? path_write(path->parent, out, size) : 0;
  if (!path->field || n >= size)
    return n;
  n += (size_t)snprintf(out + n, size - n, "%s%s", n ? "." : "", path->field->name);
  if (path->field->label == PROTOBUF_C_LABEL_REPEATED && n < size) {
    n += (size_t)snprintf(out + n, size - n, "[%zu]", path->index);
  }
  return n;
}

static int bad_string(const Path *path, const uint8_t *value, size_t len, Error *err) {
  char name[sizeof err->field] = "";
  path_write(path, name, sizeof name);
  return error_field(err, name, memchr(value, 0, len) ? "%s holds a NUL character" : "%s is not valid UTF-8", name);
}

static int check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t len, const Path *parent,
                 Error *err) {
  if (parent->depth > MAX_DEPTH)
    return error_set(err, ERROR_INVALID_ARGUMENT, "the request is nested too deeply");
  if (len == 0)
    return 0; /* data may be NULL then */
  Reader r = {.at = data, .end = data + len};
  const ProtobufCFieldDescriptor *last = NULL;
  size_t index = 0;
  while (r.at < r.end) {
    uint64_t tag;
    const uint8_t *value;
    size_t value_len = 0;
    if (read_varint(&r, &tag) < 0 || tag >> 3 == 0 || tag >> 3 > UINT32_MAX ||
        read_value(&r, (unsigned)(tag & 7), &value, &value_len) < 0) {
      return error_set(err, ERROR_INVALID_ARGUMENT, "the request is not a valid %s", descriptor->name);
    }
    const ProtobufCFieldDescriptor *field = protobuf_c_message_descriptor_get_field(descriptor, (unsigned)(tag >> 3));
    if (!field || !value)
      continue;
    index = field == last ? index + 1 : 0;
    last = field;
    Path path = {.parent = parent, .field = field, .index = index, .depth = parent->depth + 1};
    if (field->type == PROTOBUF_C_TYPE_STRING) {
      if (!str_is_utf8(value, value_len))
        return bad_string(&path, value, value_len, err);
    } else if (field->type == PROTOBUF_C_TYPE_MESSAGE) {
      if (check(field->descriptor, value, value_len, &path, err) < 0)
        return -1;
    }
  }
  return 0;
}

int rpc_pb_check(const ProtobufCMessageDescriptor *descriptor, const uint8_t *data, size_t len, Error *err) {
  return check(descriptor, data, len, &(Path){.depth = 0}, err);
}
