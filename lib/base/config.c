/* See config.h. */
#include "lib/base/config.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/address.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"

static int parse_bool(const char *s, bool *ret) {
  /* those of Go's flags are among them */
  static const char *const YES[] = {"true", "1", "yes", "on", "t", "T", "True", "TRUE"}, *const NO[] = {
                                                                                             "false", "0",    "no",
                                                                                             "off",   "f",    "F",
                                                                                             "False", "FALSE"};
  for (size_t i = 0; i < ARRAY_LEN(YES); i++) {
    if (strcmp(s, YES[i]) == 0)
      return *ret = true, 0;
    if (strcmp(s, NO[i]) == 0)
      return *ret = false, 0;
  }
  return -1;
}

static bool in_range(const ConfigItem *item, int64_t v) {
  if (item->min == 0 && item->max == 0)
    return v >= 0;
  return v >= item->min && v <= item->max;
}

static int set_real(const ConfigItem *item, const char *origin, const char *value, double *field, Error *err) {
  char *end;
  double v = strtod(value, &end);
  if (end == value || *end || !isfinite(v))
    return error_field(err, item->flag, "%s: '%s' is not a number", origin, value);
  if ((item->min || item->max) && !(v >= (double)item->min && v <= (double)item->max))
    return error_field(err, item->flag, "%s: '%s' is not in the range %lld to %lld", origin, value,
                       (long long)item->min, (long long)item->max);
  if (!item->min && !item->max && v < 0)
    return error_field(err, item->flag, "%s: '%s' is negative", origin, value);
  *field = v;
  return 0;
}

/* origin: how the user knows the setting, "--flag" or the environment's name. */
static int set(const ConfigItem *item, const char *origin, const char *value, void *config, Error *err) {
  void *field = (char *)config + item->offset;
  int64_t number;
  Address address;
  Error why = {0};
  switch (item->type) {
  case CONFIG_STRING:
    *(const char **)field = value;
    return 0;
  case CONFIG_ADDRESS:
    if (*value && address_parse(value, &address, &why))
      return error_field(err, item->flag, "%s: %s", origin, why.message);
    *(const char **)field = value;
    return 0;
  case CONFIG_BOOL:
    if (parse_bool(value, field))
      return error_field(err, item->flag, "%s: '%s' is not true or false", origin, value);
    return 0;
  case CONFIG_REAL:
    return set_real(item, origin, value, field, err);
  case CONFIG_INT:
    if (str_to_int64(value, INT64_MIN, INT64_MAX, &number))
      return error_field(err, item->flag, "%s: '%s' is not a whole number", origin, value);
    break;
  case CONFIG_DURATION:
    if (str_to_duration_ms(value, &number))
      return error_field(err, item->flag, "%s: '%s' is not a duration (for example 500ms, 10s, 5m)", origin, value);
    break;
  }
  if (!in_range(item, number)) {
    const char *unit = item->type == CONFIG_DURATION ? " ms" : "";
    if (item->min == 0 && item->max == 0)
      return error_field(err, item->flag, "%s: '%s' is negative", origin, value);
    return error_field(err, item->flag, "%s: '%s' is not in the range %lld to %lld%s", origin, value,
                       (long long)item->min, (long long)item->max, unit);
  }
  *(int64_t *)field = number;
  return 0;
}

static const ConfigItem *find(const ConfigTable *table, const char *name, size_t len) {
  for (size_t i = 0; i < table->n_aliases; i++) {
    const ConfigAlias *a = &table->aliases[i];
    if (strlen(a->alias) == len && memcmp(a->alias, name, len) == 0) {
      name = a->flag;
      len = strlen(name);
      break;
    }
  }
  for (size_t i = 0; i < table->n_items; i++)
    if (strlen(table->items[i].flag) == len && memcmp(table->items[i].flag, name, len) == 0)
      return &table->items[i];
  return NULL;
}

static int parse_flag(const ConfigTable *table, char **argv, int argc, int *i, void *config, Error *err) {
  const char *arg = argv[*i];
  if (*arg != '-')
    return error_field(err, arg, "unexpected argument '%s'; see --help", arg);
  const char *name = arg + (arg[1] == '-' ? 2 : 1);
  const char *eq = strchr(name, '=');
  const ConfigItem *item = find(table, name, eq ? (size_t)(eq - name) : strlen(name));
  if (!item)
    return error_field(err, name, "unknown flag '%s'; see --help", arg);
  /* as it was written, which may be an alias */
  char origin[80];
  snprintf(origin, sizeof origin, "--%.*s", (int)strcspn(name, "="), name);
  if (eq)
    return set(item, origin, eq + 1, config, err);
  if (item->type == CONFIG_BOOL)
    return set(item, origin, "true", config, err);
  if (*i + 1 >= argc)
    return error_field(err, item->flag, "%s needs a value", origin);
  return set(item, origin, argv[++*i], config, err);
}

static int set_values(const ConfigTable *table, const char *file, const ConfigValue *values, size_t n, void *config,
                      Error *err) {
  for (size_t i = 0; i < n; i++) {
    const char *name = values[i].name;
    const ConfigItem *item = find(table, name, strlen(name));
    CLEANUP(str_freep) char *origin = str_printf("%s: %s", file, name);
    if (!item)
      return error_field(err, name, "%s: unknown setting; see --help", origin);
    for (size_t k = 0; k < i; k++)
      if (find(table, values[k].name, strlen(values[k].name)) == item)
        return error_field(err, name, "%s: means the same as %s", origin, values[k].name);
    if (set(item, origin, values[i].value, config, err))
      return -1;
  }
  return 0;
}

int config_parse(const ConfigTable *table, int argc, char **argv, void *config, Error *err) {
  return config_parse_file(table, "", NULL, 0, argc, argv, config, err);
}

int config_parse_file(const ConfigTable *table, const char *file, const ConfigValue *values, size_t n_values, int argc,
                      char **argv, void *config, Error *err) {
  for (int i = 1; i < argc; i++) {
    if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-help") == 0 || strcmp(argv[i], "-h") == 0)
      return CONFIG_HELP;
    if (strcmp(argv[i], "--version") == 0 || strcmp(argv[i], "-version") == 0)
      return CONFIG_VERSION;
  }
  for (size_t i = 0; i < table->n_items; i++)
    if (set(&table->items[i], table->items[i].flag, table->items[i].fallback, config, err))
      return -1;
  if (set_values(table, file, values, n_values, config, err))
    return -1;
  for (size_t i = 0; i < table->n_items; i++) {
    const ConfigItem *item = &table->items[i];
    const char *value = item->env ? getenv(item->env) : NULL;
    if (value && set(item, item->env, value, config, err))
      return -1;
  }
  for (int i = 1; i < argc; i++)
    if (parse_flag(table, argv, argc, &i, config, err))
      return -1;
  return 0;
}

static const char *type_name(ConfigType type) {
  static const char *const NAMES[] = {
      [CONFIG_STRING] = "STRING", [CONFIG_INT] = "NUMBER",        [CONFIG_REAL] = "NUMBER",
      [CONFIG_BOOL] = "BOOL",     [CONFIG_DURATION] = "DURATION", [CONFIG_ADDRESS] = "ADDRESS",
  };
  return NAMES[type];
}

char *config_help(const ConfigTable *table) {
  Buf out = BUF_INIT(0);
  int bad = buf_printf(&out, "usage: %s [flags]\n\n%s\n\nflags:\n", table->program, table->summary);
  for (size_t i = 0; i < table->n_items; i++) {
    const ConfigItem *item = &table->items[i];
    bad |= buf_printf(&out, "  --%s %s\n        %s", item->flag, type_name(item->type), item->help);
    if (*item->fallback)
      bad |= buf_printf(&out, " (default %s)", item->fallback);
    if (item->env)
      bad |= buf_printf(&out, " [%s]", item->env);
    for (size_t k = 0; k < table->n_aliases; k++)
      if (strcmp(table->aliases[k].flag, item->flag) == 0)
        bad |= buf_printf(&out, " (also --%s)", table->aliases[k].alias);
    bad |= buf_append_str(&out, "\n");
  }
  bad |= buf_append_str(&out, "  --help, --version\n\nA flag goes before the environment variable in "
                              "brackets, that before the default.\n");
  if (bad)
    abort();
  return (char *)out.data;
}

static int dump_string(Buf *out, const char *s) {
  int bad = buf_append_str(out, "\"");
  for (; *s; s++) {
    unsigned char c = (unsigned char)*s;
    if (c == '"' || c == '\\')
      bad |= buf_printf(out, "\\%c", c);
    else if (c < 0x20)
      bad |= buf_printf(out, "\\u%04x", c);
    else
      bad |= buf_append(out, s, 1);
  }
  return bad | buf_append_str(out, "\"");
}

char *config_dump_json(const ConfigTable *table, const void *config) {
  Buf out = BUF_INIT(0);
  int bad = buf_append_str(&out, "{");
  const char *sep = "";
  for (size_t i = 0; i < table->n_items; i++) {
    const ConfigItem *item = &table->items[i];
    const void *field = (const char *)config + item->offset;
    if (item->secret)
      continue;
    bad |= buf_printf(&out, "%s\"%s\":", sep, item->flag);
    sep = ",";
    switch (item->type) {
    case CONFIG_STRING:
    case CONFIG_ADDRESS:
      bad |= dump_string(&out, *(const char *const *)field);
      break;
    case CONFIG_BOOL:
      bad |= buf_append_str(&out, *(const bool *)field ? "true" : "false");
      break;
    case CONFIG_INT:
      bad |= buf_printf(&out, "%lld", (long long)*(const int64_t *)field);
      break;
    case CONFIG_REAL:
      bad |= buf_printf(&out, "%.17g", *(const double *)field);
      break;
    case CONFIG_DURATION:
      bad |= buf_printf(&out, "\"%lldms\"", (long long)*(const int64_t *)field);
      break;
    }
  }
  bad |= buf_append_str(&out, "}");
  if (bad)
    abort();
  return (char *)out.data;
}
