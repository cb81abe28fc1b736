/* See manifest_read.h. */
#include "lib/manifest/manifest_read.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/manifest/manifest.h"

Node node_root(Reader *r, const json_t *value) {
  return (Node){.reader = r, .value = value};
}

Node node_get(const Node *n, const char *name) {
  Node child = {.reader = n->reader, .value = json_object_get(n->value, name)};
  snprintf(child.path, sizeof child.path, "%s%s%s", n->path, *n->path ? "." : "", name);
  return child;
}

Node node_at(const Node *n, size_t i) {
  Node child = {.reader = n->reader, .value = json_array_get(n->value, i)};
  snprintf(child.path, sizeof child.path, "%.100s[%zu]", n->path, i);
  return child;
}

size_t node_len(const Node *n) {
  return n->reader->failed ? 0 : json_array_size(n->value);
}

static void fail(const Node *n, ErrorKind kind, const char *fmt, va_list ap) {
  if (n->reader->failed)
    return;
  n->reader->failed = true;
  char text[400];
  vsnprintf(text, sizeof text, fmt, ap);
  error_set(n->reader->err, kind, "%s%s%s", n->path, *n->path ? ": " : "", text);
  if (n->reader->err)
    snprintf(n->reader->err->field, sizeof n->reader->err->field, "%s", n->path);
}

void node_fail(const Node *n, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fail(n, ERROR_INVALID_ARGUMENT, fmt, ap);
  va_end(ap);
}

void node_unsupported(const Node *n, const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fail(n, ERROR_FAILED_PRECONDITION, fmt, ap);
  va_end(ap);
}

static const char *type_of(const json_t *v) {
  switch (json_typeof(v)) {
  case JSON_OBJECT:
    return "an object";
  case JSON_ARRAY:
    return "a list";
  case JSON_STRING:
    return "a string";
  case JSON_INTEGER:
  case JSON_REAL:
    return "a number";
  case JSON_TRUE:
  case JSON_FALSE:
    return "a boolean";
  default:
    return "null";
  }
}

char *node_string(const Node *n, const char *fallback) {
  if (node_present(n) && json_is_string(n->value))
    return str_dup(json_string_value(n->value));
  if (node_present(n))
    node_fail(n, "must be a string, not %s", type_of(n->value));
  return str_dup(fallback);
}

int64_t node_int(const Node *n, int64_t min, int64_t max, int64_t fallback) {
  if (!node_present(n))
    return fallback;
  int64_t v = json_integer_value(n->value);
  if (!json_is_integer(n->value))
    node_fail(n, "must be a whole number, not %s", type_of(n->value));
  else if (v < min || v > max)
    node_fail(n, "must be %lld to %lld", (long long)min, (long long)max);
  else
    return v;
  return fallback;
}

bool node_bool(const Node *n, bool fallback) {
  if (!node_present(n))
    return fallback;
  if (!json_is_boolean(n->value))
    node_fail(n, "must be true or false, not %s", type_of(n->value));
  return json_is_true(n->value);
}

int64_t node_quantity_milli(const Node *n) {
  int64_t milli = 0;
  char number[64];
  if (!node_present(n))
    return 0;
  const char *text = json_string_value(n->value);
  if (json_is_number(n->value)) {
    snprintf(number, sizeof number, "%.17g", json_number_value(n->value));
    text = number;
  }
  if (!text || manifest_quantity(text, &milli))
    node_fail(n, "\"%.40s\" is not a resource quantity", text ? text : type_of(n->value));
  return milli;
}

void node_want_object(const Node *n) {
  if (!node_present(n))
    node_fail(n, "is required");
  else if (!json_is_object(n->value))
    node_fail(n, "must be an object, not %s", type_of(n->value));
}

void node_want_list(const Node *n) {
  if (node_present(n) && !json_is_array(n->value))
    node_fail(n, "must be a list, not %s", type_of(n->value));
}

/* "a, b, c"; empty when they are more than help. */
static void list_names(const char *const *names, char *out, size_t size) {
  size_t len = 0;
  *out = 0;
  for (size_t i = 0; names[i]; i++) {
    len += (size_t)snprintf(out + len, size - len, "%s%s", i ? ", " : "", names[i]);
    if (len >= size) {
      *out = 0;
      return;
    }
  }
}

void node_only(const Node *n, const char *const *names) {
  if (!node_present(n) || n->reader->failed)
    return;
  if (!json_is_object(n->value))
    return node_want_object(n);
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)n->value, key, value) {
    size_t i = 0;
    while (names[i] && strcmp(names[i], key) != 0)
      i++;
    /* null says nothing: Go writes it for what is not set */
    if (names[i] || json_is_null(value))
      continue;
    Node child = node_get(n, key);
    char known[200];
    list_names(names, known, sizeof known);
    return node_fail(&child, "unknown field%s%s", *known ? "; there are " : "", known);
  }
}
