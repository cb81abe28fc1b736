/* See yaml_json.h. Scalars are typed by the rules of YAML 1.2's core schema, which is what JSON means too;
 * of YAML 1.1's, which Kubernetes' parser follows, "yes" and "no" are not honoured as booleans: they are
 * refused by the fields that want one. */
#include "lib/yaml/yaml_json.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yaml.h>

#include "lib/base/str.h"

#define DEPTH_MAX 64

typedef struct Load {
  yaml_parser_t parser;
  Error *err;
} Load;

static json_t *fail(Load *l, yaml_mark_t mark, const char *what) {
  error_set(l->err, ERROR_INVALID_ARGUMENT, "line %zu, column %zu: %s", mark.line + 1, mark.column + 1, what);
  return NULL;
}

static bool next(Load *l, yaml_event_t *e) {
  if (yaml_parser_parse(&l->parser, e))
    return true;
  fail(l, l->parser.problem_mark, l->parser.problem ? l->parser.problem : "not YAML");
  return false;
}

static bool is_number(const char *s, json_t **ret) {
  if (!(*s == '-' || *s == '+' || *s == '.' || (*s >= '0' && *s <= '9')))
    return false;
  int64_t whole;
  if (str_to_int64(s, INT64_MIN, INT64_MAX, &whole) == 0) {
    *ret = json_integer(whole);
    return true;
  }
  char *end;
  errno = 0;
  double d = strtod(s, &end);
  if (*end || end == s || errno || !isfinite(d) || strpbrk(s, "xXpPnN"))
    return false;
  *ret = json_real(d);
  return true;
}

static json_t *scalar(Load *l, const yaml_event_t *e) {
  const char *s = (const char *)e->data.scalar.value;
  size_t len = e->data.scalar.length;
  json_t *value = NULL;
  if (strlen(s) != len)
    return fail(l, e->start_mark, "a value holds a NUL byte");
  if (e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE) {
    if (!*s || strcmp(s, "~") == 0 || strcmp(s, "null") == 0)
      return json_null();
    if (strcmp(s, "true") == 0)
      return json_true();
    if (strcmp(s, "false") == 0)
      return json_false();
    if (is_number(s, &value))
      return value;
  }
  value = json_stringn(s, len);
  return value ? value : fail(l, e->start_mark, "a value is not UTF-8");
}

static json_t *node(Load *l, yaml_event_t *e, int depth);

static json_t *sequence(Load *l, int depth) {
  json_t *list = json_array();
  for (;;) {
    yaml_event_t e;
    if (!next(l, &e))
      break;
    if (e.type == YAML_SEQUENCE_END_EVENT) {
      yaml_event_delete(&e);
      return list;
    }
    json_t *item = node(l, &e, depth);
    if (!item || json_array_append_new(list, item))
      break;
  }
  json_decref(list);
  return NULL;
}

static json_t *mapping(Load *l, int depth) {
  json_t *map = json_object();
  for (;;) {
    yaml_event_t k, v;
    if (!next(l, &k))
      break;
    if (k.type == YAML_MAPPING_END_EVENT) {
      yaml_event_delete(&k);
      return map;
    }
    yaml_mark_t mark = k.start_mark;
    if (k.type != YAML_SCALAR_EVENT || k.data.scalar.tag || k.data.scalar.anchor) {
      yaml_event_delete(&k);
      fail(l, mark, "a key must be a plain string");
      break;
    }
    CLEANUP(str_freep) char *key = str_dup((const char *)k.data.scalar.value);
    yaml_event_delete(&k);
    if (json_object_get(map, key)) {
      error_set(l->err, ERROR_INVALID_ARGUMENT, "line %zu: key \"%.64s\" comes twice", mark.line + 1, key);
      break;
    }
    if (!next(l, &v))
      break;
    json_t *value = node(l, &v, depth);
    if (!value)
      break;
    if (json_object_set_new(map, key, value)) {
      fail(l, mark, "a key is not UTF-8");
      break;
    }
  }
  json_decref(map);
  return NULL;
}

/* Consumes e. */
static json_t *node(Load *l, yaml_event_t *e, int depth) {
  json_t *value;
  yaml_event_type_t type = e->type;
  bool anchored = (type == YAML_SCALAR_EVENT && e->data.scalar.anchor) ||
                  (type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.anchor) ||
                  (type == YAML_MAPPING_START_EVENT && e->data.mapping_start.anchor);
  bool tagged = (type == YAML_SCALAR_EVENT && e->data.scalar.tag) ||
                (type == YAML_SEQUENCE_START_EVENT && e->data.sequence_start.tag) ||
                (type == YAML_MAPPING_START_EVENT && e->data.mapping_start.tag);
  if (type == YAML_ALIAS_EVENT || anchored)
    value = fail(l, e->start_mark, "anchors and aliases are not allowed");
  else if (tagged)
    value = fail(l, e->start_mark, "tags are not allowed");
  else if (depth == DEPTH_MAX)
    value = fail(l, e->start_mark, "nested too deeply");
  else if (type == YAML_SCALAR_EVENT)
    value = scalar(l, e);
  else if (type == YAML_SEQUENCE_START_EVENT)
    value = sequence(l, depth + 1);
  else if (type == YAML_MAPPING_START_EVENT)
    value = mapping(l, depth + 1);
  else
    value = fail(l, e->start_mark, "a value is missing");
  yaml_event_delete(e);
  return value;
}

static bool expect(Load *l, yaml_event_type_t type, const char *what) {
  yaml_event_t e;
  if (!next(l, &e))
    return false;
  bool ok = e.type == type;
  if (!ok)
    fail(l, e.start_mark, what);
  yaml_event_delete(&e);
  return ok;
}

static json_t *document(Load *l) {
  yaml_event_t e;
  if (!expect(l, YAML_STREAM_START_EVENT, "not YAML") ||
      !expect(l, YAML_DOCUMENT_START_EVENT, "there is nothing in it") || !next(l, &e))
    return NULL;
  json_t *value = node(l, &e, 0);
  if (value && expect(l, YAML_DOCUMENT_END_EVENT, "more than one value") &&
      expect(l, YAML_STREAM_END_EVENT, "more than one document"))
    return value;
  json_decref(value);
  return NULL;
}

static int depth_of(const json_t *value) {
  int deepest = 0, n;
  size_t i;
  const char *key;
  json_t *item;
  if (json_is_array(value))
    json_array_foreach(value, i, item) deepest = (n = depth_of(item)) > deepest ? n : deepest;
  else
    json_object_foreach((json_t *)value, key, item) deepest = (n = depth_of(item)) > deepest ? n : deepest;
  return deepest + (json_is_array(value) || json_is_object(value));
}

/* JSON is YAML but for escapes of two surrogates, and characters that YAML counts as ends of lines. NULL: it is not
 * JSON, or not as here. */
static json_t *json_document(const char *text, size_t len) {
  size_t blank = 0;
  while (blank < len && strchr(" \t\r\n", text[blank]) && text[blank])
    blank++;
  if (blank == len || text[blank] != '{')
    return NULL;
  json_t *value = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
  if (value && depth_of(value) <= DEPTH_MAX)
    return value;
  json_decref(value);
  return NULL;
}

json_t *yaml_json_load(const char *text, size_t len, Error *err) {
  Load l = {.err = err};
  json_t *json = json_document(text, len);
  if (json)
    return json;
  if (!yaml_parser_initialize(&l.parser))
    abort();
  yaml_parser_set_input_string(&l.parser, (const unsigned char *)text, len);
  json_t *value = document(&l);
  yaml_parser_delete(&l.parser);
  return value;
}
