/* See args.h. */
#include "cli/text/args.h"

#include <string.h>

static const Option *find(const Option *const *tables, const char *name, size_t len, char letter) {
  for (; *tables; tables++)
    for (const Option *o = *tables; o->name; o++)
      if (letter ? o->letter == letter : strlen(o->name) == len && !strncmp(o->name, name, len))
        return o;
  return NULL;
}

static int unknown(Error *err, const char *text) {
  return error_set(err, ERROR_INVALID_ARGUMENT,
                   "unknown option %s; what belongs to the command to run goes behind \"--\"", text);
}

static int add(Args *args, const Option *option, const char *value, Error *err) {
  if (args->n_set == ARGS_MAX)
    return error_set(err, ERROR_INVALID_ARGUMENT, "too many options");
  args->set[args->n_set].option = option;
  args->set[args->n_set++].value = value;
  return 0;
}

/* Takes the next argument when the option's value is not in the same one. Returns how many it took. */
static int take_value(Args *args, const Option *option, const char *joined, const char *next, Error *err) {
  const char *value = joined ? joined : next;
  if (!value)
    return error_set(err, ERROR_INVALID_ARGUMENT, "--%s needs a value: %s", option->name, option->value);
  if (add(args, option, value, err) < 0)
    return -1;
  return joined ? 0 : 1;
}

static int long_option(const Option *const *tables, Args *args, const char *text, const char *next, Error *err) {
  const char *equals = strchr(text, '=');
  const Option *option = find(tables, text + 2, equals ? (size_t)(equals - text - 2) : strlen(text + 2), 0);
  if (!option)
    return unknown(err, text);
  if (option->value)
    return take_value(args, option, equals ? equals + 1 : NULL, next, err);
  if (equals)
    return error_set(err, ERROR_INVALID_ARGUMENT, "--%s takes no value", option->name);
  return add(args, option, "", err);
}

static int letters(const Option *const *tables, Args *args, const char *text, const char *next, Error *err) {
  for (const char *c = text + 1; *c; c++) {
    const Option *option = find(tables, NULL, 0, *c);
    if (!option)
      return unknown(err, text);
    if (option->value)
      return take_value(args, option, c[1] ? c + 1 : NULL, next, err);
    if (add(args, option, "", err) < 0)
      return -1;
  }
  return 0;
}

/* "-" alone is a name: standard input or output. */
static bool is_option(const char *text) {
  return text[0] == '-' && text[1] && strcmp(text, "--") != 0;
}

int args_leading(const Option *const *tables, int argc, char **argv, Args *args, Error *err) {
  int i = 0;
  while (i < argc && is_option(argv[i])) {
    const char *text = argv[i], *next = i + 1 < argc ? argv[i + 1] : NULL;
    int taken = text[1] == '-' ? long_option(tables, args, text, next, err) : letters(tables, args, text, next, err);
    if (taken < 0)
      return -1;
    i += 1 + taken;
  }
  return i;
}

int args_parse(const Option *const *tables, int argc, char **argv, Args *args, Error *err) {
  for (int i = 0; i < argc;) {
    int taken = args_leading(tables, argc - i, argv + i, args, err);
    if (taken < 0)
      return -1;
    i += taken;
    if (i == argc)
      break;
    if (!strcmp(argv[i], "--")) {
      args->command = argv + i + 1;
      args->n_command = (size_t)(argc - i - 1);
      break;
    }
    if (args->n_names == ARGS_MAX)
      return error_set(err, ERROR_INVALID_ARGUMENT, "too many names");
    args->names[args->n_names++] = argv[i++];
  }
  return 0;
}

bool args_has(const Args *args, const char *name) {
  return args_value(args, name) != NULL;
}

const char *args_value(const Args *args, const char *name) {
  for (size_t i = args->n_set; i-- > 0;)
    if (!strcmp(args->set[i].option->name, name))
      return args->set[i].value;
  return NULL;
}

const char *args_nth(const Args *args, const char *name, size_t n) {
  for (size_t i = 0; i < args->n_set; i++)
    if (!strcmp(args->set[i].option->name, name) && n-- == 0)
      return args->set[i].value;
  return NULL;
}
