/* See service_settings.h. */
#include "lib/service/service_settings.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"
#include "lib/service/service.h"
#include "lib/yaml/yaml_json.h"

enum { FILE_MAX = 1 << 20 };

DEFINE_CLEANUP(FILE *, file_close, fclose)
DEFINE_CLEANUP(json_t *, json_freep, json_decref)

static int read_file(const char *path, Buf *out, Error *err) {
  FILE *opened = fopen(path, "re");
  if (!opened)
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s", strerror(errno));
  CLEANUP(file_close) FILE *file = opened;
  uint8_t *room = buf_reserve(out, FILE_MAX + 1);
  if (!room)
    abort();
  size_t n = fread(room, 1, FILE_MAX + 1, file);
  if (ferror(file))
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s", strerror(errno));
  if (n > FILE_MAX)
    return error_set(err, ERROR_INVALID_ARGUMENT, "has more than 1 MiB");
  out->len = n;
  return 0;
}

/* As the file has it, so that a version 1.3 stays one. */
static char *text_of_real(double v) {
  char *text = str_printf("%.15g", v);
  if (strtod(text, NULL) == v)
    return text;
  free(text);
  return str_printf("%.17g", v);
}

/* NULL: not one value. */
static char *text_of_scalar(const json_t *v) {
  if (json_is_string(v))
    return str_dup(json_string_value(v));
  if (json_is_boolean(v))
    return str_dup(json_is_true(v) ? "true" : "false");
  if (json_is_integer(v))
    return str_printf("%lld", (long long)json_integer_value(v));
  return json_is_real(v) ? text_of_real(json_real_value(v)) : NULL;
}

static char *text_of(const json_t *v) {
  if (!json_is_array(v))
    return text_of_scalar(v);
  CLEANUP(buf_deinit) Buf out = BUF_INIT(FILE_MAX);
  size_t i;
  json_t *item;
  json_array_foreach(v, i, item) {
    CLEANUP(str_freep) char *text = text_of_scalar(item);
    if (!text || buf_printf(&out, "%s%s", i ? "," : "", text))
      return NULL;
  }
  return str_dup(buf_str(&out));
}

static int take(ServiceSettings *s, json_t *file, Error *err) {
  const char *name;
  json_t *value;
  if (!json_is_object(file))
    return error_set(err, ERROR_INVALID_ARGUMENT, "is no mapping of names to values");
  s->values = xcalloc(json_object_size(file) + 1, sizeof *s->values);
  json_object_foreach(file, name, value) {
    if (strcmp(name, "config") == 0)
      return error_set(err, ERROR_INVALID_ARGUMENT, "config: a file names no other");
    char *text = text_of(value);
    if (!text)
      return error_set(err, ERROR_INVALID_ARGUMENT, "%s: a text, a number, true, false or a list of them is wanted",
                       name);
    s->values[s->n_values++] = (ConfigValue){str_dup(name), text};
  }
  return 0;
}

static int read_settings(ServiceSettings *s, const char *path, Error *err) {
  CLEANUP(buf_deinit) Buf text = BUF_INIT(FILE_MAX + 1);
  if (read_file(path, &text, err))
    return -1;
  CLEANUP(json_freep) json_t *file = yaml_json_load(buf_str(&text), text.len, err);
  return file ? take(s, file, err) : -1;
}

int service_settings_parse(ServiceSettings *s, const ConfigTable *table, int argc, char **argv, void *config,
                           Error *err) {
  const ServiceConfig *common = config;
  int rc = config_parse(table, argc, argv, config, err);
  if (rc != 0 || str_empty(common->config_file))
    return rc;
  const char *path = common->config_file;
  if (read_settings(s, path, err))
    return error_prefix(err, "--config: %s", path);
  CLEANUP(str_freep) char *named = str_printf("--config: %s", path);
  return config_parse_file(table, named, s->values, s->n_values, argc, argv, config, err);
}

void service_settings_deinit(ServiceSettings *s) {
  for (size_t i = 0; i < s->n_values; i++) {
    free((char *)s->values[i].name);
    free((char *)s->values[i].value);
  }
  free(s->values);
  *s = (ServiceSettings){0};
}
