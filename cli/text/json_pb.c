/* See json_pb.h. Walks protobuf-c's own descriptors, so it knows every message there is. */
#include "cli/text/json_pb.h"

#include <ctype.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"

static json_t *message_json(const ProtobufCMessage *message);

static json_t *timestamp_json(const Google__Protobuf__Timestamp *t) {
  char text[32];
  clock_format_rfc3339(t->seconds * 1000 + t->nanos / 1000000, text, sizeof text);
  return json_string(text);
}

/* With as many digits as it needs: none, 3, 6 or 9, as the JSON mapping of Protocol Buffers has it. */
static json_t *duration_json(const Google__Protobuf__Duration *d) {
  const char *sign = d->seconds < 0 || d->nanos < 0 ? "-" : "";
  long long seconds = llabs((long long)d->seconds);
  int nanos = abs(d->nanos);
  if (nanos == 0)
    return json_sprintf("%s%llds", sign, seconds);
  if (nanos % 1000000 == 0)
    return json_sprintf("%s%lld.%03ds", sign, seconds, nanos / 1000000);
  if (nanos % 1000 == 0)
    return json_sprintf("%s%lld.%06ds", sign, seconds, nanos / 1000);
  return json_sprintf("%s%lld.%09ds", sign, seconds, nanos);
}

static json_t *bytes_json(const ProtobufCBinaryData *b) {
  Buf text = {0};
  if (str_base64_encode(&text, b->data, b->len, false) < 0)
    abort();
  json_t *json = json_string(buf_str(&text));
  buf_deinit(&text);
  return json;
}

static size_t width(const ProtobufCFieldDescriptor *field) {
  switch (field->type) {
  case PROTOBUF_C_TYPE_INT64:
  case PROTOBUF_C_TYPE_UINT64:
  case PROTOBUF_C_TYPE_SINT64:
  case PROTOBUF_C_TYPE_SFIXED64:
  case PROTOBUF_C_TYPE_FIXED64:
  case PROTOBUF_C_TYPE_DOUBLE:
    return 8;
  case PROTOBUF_C_TYPE_STRING:
  case PROTOBUF_C_TYPE_MESSAGE:
    return sizeof(void *);
  case PROTOBUF_C_TYPE_BYTES:
    return sizeof(ProtobufCBinaryData);
  default:
    return 4;
  }
}

/* NULL: at its default. */
static json_t *value_json(const ProtobufCFieldDescriptor *field, const void *at, bool keep_default) {
  int64_t number = 0;
  switch (field->type) {
  case PROTOBUF_C_TYPE_STRING: {
    const char *text = *(char *const *)at;
    return keep_default || !str_empty(text) ? json_string(text ? text : "") : NULL;
  }
  case PROTOBUF_C_TYPE_MESSAGE: {
    const ProtobufCMessage *message = *(ProtobufCMessage *const *)at;
    return message ? message_json(message) : NULL;
  }
  case PROTOBUF_C_TYPE_BYTES: {
    const ProtobufCBinaryData *data = at;
    return keep_default || data->len ? bytes_json(data) : NULL;
  }
  case PROTOBUF_C_TYPE_BOOL:
    return *(const protobuf_c_boolean *)at || keep_default ? json_boolean(*(const protobuf_c_boolean *)at) : NULL;
  case PROTOBUF_C_TYPE_ENUM: {
    int value = *(const int *)at;
    const ProtobufCEnumValue *known = protobuf_c_enum_descriptor_get_value(field->descriptor, value);
    if (!value && !keep_default)
      return NULL;
    return known ? json_string(known->name) : json_integer(value);
  }
  case PROTOBUF_C_TYPE_UINT32:
  case PROTOBUF_C_TYPE_FIXED32:
    number = *(const uint32_t *)at;
    break;
  default:
    if (width(field) == 8) {
      number = *(const int64_t *)at;
      return number || keep_default ? json_sprintf("%lld", (long long)number) : NULL;
    }
    number = *(const int32_t *)at;
  }
  return number || keep_default ? json_integer(number) : NULL;
}

/* protobuf-c does not mark the entries of maps; nothing else in the API is called ...Entry. */
static bool is_map(const ProtobufCFieldDescriptor *field) {
  if (field->type != PROTOBUF_C_TYPE_MESSAGE)
    return false;
  const ProtobufCMessageDescriptor *entry = field->descriptor;
  size_t n = strlen(entry->short_name);
  return n > 5 && !strcmp(entry->short_name + n - 5, "Entry") && entry->n_fields == 2;
}

static json_t *repeated_json(const ProtobufCFieldDescriptor *field, const void *base) {
  size_t n = *(const size_t *)((const char *)base + field->quantifier_offset);
  const char *items = *(char *const *)((const char *)base + field->offset);
  if (!n)
    return NULL;
  json_t *json = is_map(field) ? json_object() : json_array();
  for (size_t i = 0; i < n; i++) {
    const void *at = items + i * width(field);
    if (!is_map(field)) {
      json_array_append_new(json, value_json(field, at, true));
      continue;
    }
    const ProtobufCMessage *entry = *(ProtobufCMessage *const *)at;
    const ProtobufCFieldDescriptor *pair = entry->descriptor->fields;
    const char *key = *(char *const *)((const char *)entry + pair[0].offset);
    json_object_set_new(json, key, value_json(&pair[1], (const char *)entry + pair[1].offset, true));
  }
  return json;
}

static void camel(const char *name, char *out, size_t size) {
  size_t n = 0;
  for (bool up = false; *name && n + 1 < size; name++) {
    if (*name == '_')
      up = true;
    else {
      out[n++] = (char)(up ? toupper((unsigned char)*name) : *name);
      up = false;
    }
  }
  out[n] = 0;
}

static json_t *message_json(const ProtobufCMessage *message) {
  if (message->descriptor == &google__protobuf__timestamp__descriptor)
    return timestamp_json((const void *)message);
  if (message->descriptor == &google__protobuf__duration__descriptor)
    return duration_json((const void *)message);
  json_t *json = json_object();
  for (unsigned i = 0; i < message->descriptor->n_fields; i++) {
    const ProtobufCFieldDescriptor *field = &message->descriptor->fields[i];
    const char *at = (const char *)message + field->offset;
    bool one_of = field->flags & PROTOBUF_C_FIELD_FLAG_ONEOF;
    if (one_of && *(const uint32_t *)((const char *)message + field->quantifier_offset) != field->id)
      continue;
    json_t *value =
        field->label == PROTOBUF_C_LABEL_REPEATED ? repeated_json(field, message) : value_json(field, at, one_of);
    char name[64];
    camel(field->name, name, sizeof name);
    if (value)
      json_object_set_new(json, name, value);
  }
  return json;
}

char *json_pb_text(const void *message) {
  json_t *json = message_json(message);
  char *text = json_dumps(json, JSON_COMPACT);
  json_decref(json);
  if (!text)
    abort();
  return text;
}

void json_pb_print(const void *message) {
  char *text = json_pb_text(message);
  puts(text);
  free(text);
}
