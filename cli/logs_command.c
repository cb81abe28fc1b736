/* logs: what the services of the local stack wrote about a sandbox, in order of time.
 *
 * Reads the log folder of the stack on this machine, not the API: it also works when the stack is down. A
 * sandbox's commands write to their callers and to nobody else, so their output is not here. */
#include <dirent.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/base/str.h"

/* Lines kept: about 100 MB of a stack's logs. What is beyond is not shown. */
enum { LINES_MAX = 500000 };

typedef struct Line {
  char *time, *text;
} Line;

typedef struct Lines {
  Line *line;
  size_t n, cap;
  const char *sandbox; /* NULL: all */
} Lines;

static int by_time(const void *a, const void *b) {
  return strcmp(((const Line *)a)->time, ((const Line *)b)->time);
}

/* One event, as "time level service event key=value". NULL: no event of ours. */
static char *readable(const json_t *event, const char *raw) {
  const char *known[] = {"time", "level", "service", "event"};
  char *out = NULL;
  for (size_t i = 0; i < ARRAY_LEN(known); i++) {
    const char *value = json_string_value(json_object_get(event, known[i]));
    if (!value) {
      str_freep(&out);
      return str_dup(raw);
    }
    CLEANUP(str_freep) char *before = out;
    out = before ? str_printf("%s %s", before, value) : str_dup(value);
  }
  const char *key;
  json_t *value;
  json_object_foreach((json_t *)event, key, value) {
    if (!strcmp(key, known[0]) || !strcmp(key, known[1]) || !strcmp(key, known[2]) || !strcmp(key, known[3]))
      continue;
    CLEANUP(str_freep) char *before = out;
    char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);
    out = str_printf("%s %s=%s", before, key, text ? text : "?");
    free(text);
  }
  return out;
}

static void add(Lines *lines, const char *raw, bool as_json) {
  if (lines->sandbox && !strstr(raw, lines->sandbox))
    return;
  json_t *event = json_loads(raw, 0, NULL);
  const char *time = json_string_value(json_object_get(event, "time"));
  if (time && lines->n < LINES_MAX) {
    if (lines->n == lines->cap) {
      lines->cap = lines->cap ? lines->cap * 2 : 1024;
      lines->line = realloc(lines->line, lines->cap * sizeof *lines->line);
      if (!lines->line)
        abort();
    }
    lines->line[lines->n++] =
        (Line){.time = str_dup(time), .text = as_json ? str_dup(raw) : readable(event, raw)};
  }
  json_decref(event);
}

static void read_file(Lines *lines, const char *path, bool as_json) {
  FILE *f = fopen(path, "re");
  char *raw = NULL;
  size_t size = 0;
  if (!f)
    return; /* rotated away a moment ago */
  for (ssize_t n; (n = getline(&raw, &size, f)) > 0;) {
    if (raw[n - 1] == '\n')
      raw[n - 1] = 0;
    add(lines, raw, as_json);
  }
  free(raw);
  fclose(f);
}

/* A service's folder: "current" and older files "@...". */
static void read_service(Lines *lines, const char *folder, bool as_json) {
  DIR *dir = opendir(folder);
  if (!dir)
    return;
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (strcmp(entry->d_name, "current") != 0 && entry->d_name[0] != '@')
      continue;
    CLEANUP(str_freep) char *path = str_printf("%s/%s", folder, entry->d_name);
    read_file(lines, path, as_json);
  }
  closedir(dir);
}

static int logs(Cli *cli, const Args *args) {
  if (args->n_names > 1)
    return cli_usage("logs takes one NAME, or none for everything");
  const char *data = args_value(args, "data"), *service = args_value(args, "service");
  if (!data)
    data = getenv("SANDPLANE_DATA");
  CLEANUP(str_freep) char *root = str_printf("%s/log", str_empty(data) ? "/var/lib/sandplane" : data);
  DIR *dir = opendir(root);
  if (!dir) {
    Error err = {0};
    error_set(&err, ERROR_NOT_FOUND, "%s: %s; --data says where the stack keeps its data", root,
              strerror(errno));
    return cli_fail(cli, &err);
  }
  Lines lines = {.sandbox = args->n_names ? cli_short(args->names[0]) : NULL};
  for (struct dirent *entry; (entry = readdir(dir));) {
    if (entry->d_name[0] == '.' || (service && !str_starts_with(entry->d_name, service)))
      continue;
    CLEANUP(str_freep) char *folder = str_printf("%s/%s", root, entry->d_name);
    read_service(&lines, folder, cli->format == FORMAT_JSON);
  }
  closedir(dir);
  if (lines.n)
    qsort(lines.line, lines.n, sizeof *lines.line, by_time);
  for (size_t i = 0; i < lines.n; i++) {
    puts(lines.line[i].text);
    free(lines.line[i].time);
    free(lines.line[i].text);
  }
  free(lines.line);
  return 0;
}

static const Option LOGS[] = {
    {"service", 0, "NAME", "only claims, pools, router or reconciler"},
    {"data", 0, "FOLDER", "data of the local stack (SANDPLANE_DATA; /var/lib/sandplane)"},
    {NULL, 0, NULL, NULL},
};

const Command LOGS_COMMANDS[] = {
    {"logs", "[NAME] [--service NAME]",
     "Shows what the local stack's services logged, of one sandbox or all.", LOGS, logs},
    {NULL, NULL, NULL, NULL, NULL},
};
