/* sandctl: Sandplane from the command line. This file reads the global options and finds the command. */
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/base/str.h"

#define VERSION "0.1.0"
/* Of a call that does not itself wait: long enough for a busy machine. */
#define DEFAULT_TIMEOUT_MS (60 * 1000)

const Option GLOBAL_OPTIONS[] = {
    {"server", 's', "HOST:PORT", "router to call (SANDPLANE_SERVER; 127.0.0.1:7400)"},
    {"namespace", 'n', "NAME", "namespace (SANDPLANE_NAMESPACE; default)"},
    {"timeout", 0, "DURATION", "longest time of a call, for example 30s (60s; exec, cp and --watch: none)"},
    {"output", 'o', "FORMAT", "table, json or name"},
    {"help", 'h', NULL, "this text"},
    {NULL, 0, NULL, NULL},
};

const Command *const COMMAND_TABLES[] = {SANDBOX_COMMANDS,
                                         LIST_COMMANDS,
                                         EXEC_COMMANDS,
                                         FILE_COMMANDS,
                                         APPLY_COMMANDS,
                                         POOL_COMMANDS,
                                         TEMPLATE_COMMANDS,
                                         IMAGE_COMMANDS,
                                         LOGS_COMMANDS,
                                         COMPLETION_COMMANDS,
                                         NULL};

char *cli_parent(Cli *cli) {
  return arena_printf(cli->arena, "namespaces/%s", cli->ns);
}

char *cli_name(Cli *cli, const char *collection, const char *name) {
  if (str_starts_with(name, "namespaces/"))
    return arena_strdup(cli->arena, name);
  return arena_printf(cli->arena, "namespaces/%s/%s/%s", cli->ns, collection, name);
}

const char *cli_short(const char *name) {
  const char *slash = strrchr(name, '/');
  return slash ? slash + 1 : name;
}

/* What a person can do about it; NULL: the message says it all. */
static const char *hint(const Error *err) {
  switch (err->kind) {
  case ERROR_UNAVAILABLE:
    return "is the stack running (tools/stack status)? --server says where";
  case ERROR_DEADLINE_EXCEEDED:
    return "--timeout allows more time";
  case ERROR_RESOURCE_EXHAUSTED:
    return "try again, or make the pool larger: sandctl pools scale NAME REPLICAS";
  default:
    return NULL;
  }
}

int cli_fail(const Cli *cli, const Error *err) {
  const char *more = hint(err);
  fprintf(stderr, "sandctl: ");
  if (err->field[0] && !strstr(err->message, err->field))
    fprintf(stderr, "%s: ", err->field);
  fprintf(stderr, "%s (%s)", err->message[0] ? err->message : "failed", error_kind_name(err->kind));
  if (err->kind == ERROR_UNAVAILABLE && cli)
    fprintf(stderr, " from %s", cli->server);
  if (err->retry_after_ms)
    fprintf(stderr, "; may work in %u ms", err->retry_after_ms);
  fprintf(stderr, "%s%s\n", more ? "; " : "", more ? more : "");
  return EXIT_FAILED;
}

int cli_usage(const char *fmt, ...) {
  va_list ap;
  va_start(ap, fmt);
  fprintf(stderr, "sandctl: ");
  vfprintf(stderr, fmt, ap);
  fprintf(stderr, "; see sandctl --help\n");
  va_end(ap);
  return EXIT_USAGE;
}

static void print_options(const Option *options) {
  for (const Option *o = options; o->name; o++) {
    char left[64];
    snprintf(left, sizeof left, "%c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
             o->letter ? "," : " ", o->name, o->value ? " " : "", o->value ? o->value : "");
    printf("  %-30s %s\n", left, o->help);
  }
}

static void print_help(void) {
  printf("sandctl claims sandboxes, runs commands in them and lets them go.\n\nusage: sandctl COMMAND "
         "[options]\n\n");
  for (const Command *const *table = COMMAND_TABLES; *table; table++)
    for (const Command *c = *table; c->name; c++)
      printf("  %-18s %s\n", c->name, c->help);
  printf("\nOptions of every command:\n");
  print_options(GLOBAL_OPTIONS);
  printf(
      "\nsandctl COMMAND --help tells more. Exit codes: 1 failed, 2 wrong usage; exec: the command's own.\n");
}

static int print_command_help(const Command *c) {
  printf("usage: sandctl %s %s\n\n%s\n\nOptions:\n", c->name, c->usage, c->help);
  print_options(c->options);
  print_options(GLOBAL_OPTIONS);
  return 0;
}

/* The command that argv starts with, of one or two words; *ret_words says which. */
static const Command *find_command(int argc, char **argv, int *ret_words) {
  for (const Command *const *table = COMMAND_TABLES; *table; table++)
    for (const Command *c = *table; c->name; c++) {
      const char *space = strchr(c->name, ' ');
      size_t first = space ? (size_t)(space - c->name) : strlen(c->name);
      if (strlen(argv[0]) != first || strncmp(argv[0], c->name, first) != 0)
        continue;
      if (space && (argc < 2 || strcmp(argv[1], space + 1) != 0))
        continue;
      *ret_words = space ? 2 : 1;
      return c;
    }
  return NULL;
}

/* "pools" alone: what can follow it. */
static int unknown_command(const char *word) {
  char list[512] = "";
  for (const Command *const *table = COMMAND_TABLES; *table; table++)
    for (const Command *c = *table; c->name; c++) {
      size_t n = strlen(word);
      if (strncmp(c->name, word, n) == 0 && c->name[n] == ' ')
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", list[0] ? ", " : "",
                 c->name + n + 1);
    }
  if (list[0])
    return cli_usage("%s needs one of: %s", word, list);
  return cli_usage("unknown command \"%s\"", word);
}

static int configure(Cli *cli, const Args *args) {
  const char *server = args_value(args, "server"), *ns = args_value(args, "namespace");
  const char *format = args_value(args, "output"), *timeout = args_value(args, "timeout");
  if (!server)
    server = getenv("SANDPLANE_SERVER");
  if (!ns)
    ns = getenv("SANDPLANE_NAMESPACE");
  cli->server = str_empty(server) ? "127.0.0.1:7400" : server;
  cli->ns = str_empty(ns) ? "default" : ns;
  if (!str_is_dns_label(cli->ns))
    return cli_usage("--namespace: \"%s\" is no namespace", cli->ns);
  if (!str_starts_with(cli->server, "unix:") && !strchr(cli->server, ':'))
    return cli_usage("--server: \"%s\" is not HOST:PORT", cli->server);
  cli->timeout_ms = DEFAULT_TIMEOUT_MS;
  cli->timeout_given = timeout != NULL;
  if (timeout && (str_to_duration_ms(timeout, &cli->timeout_ms) < 0 || cli->timeout_ms <= 0))
    return cli_usage("--timeout: \"%s\" is no duration such as 30s", timeout);
  if (!format || !strcmp(format, "table"))
    cli->format = FORMAT_TABLE;
  else if (!strcmp(format, "json"))
    cli->format = FORMAT_JSON;
  else if (!strcmp(format, "name"))
    cli->format = FORMAT_NAME;
  else
    return cli_usage("--output: \"%s\" is none of table, json, name", format);
  return 0;
}

static int run(const Command *command, int argc, char **argv) {
  const Option *const tables[] = {command->options, GLOBAL_OPTIONS, NULL};
  Args args;
  Error err = {0};
  if (args_parse(tables, argc, argv, &args, &err) < 0)
    return cli_usage("%s: %s", command->name, err.message);
  if (args_has(&args, "help"))
    return print_command_help(command);
  Cli cli = {0};
  int code = configure(&cli, &args);
  if (code)
    return code;
  signal(SIGPIPE, SIG_IGN);
  cli.arena = arena_new();
  cli.loop = loop_new();
  cli.channel = rpc_channel_new(cli.loop, cli.server);
  code = command->run(&cli, &args);
  rpc_channel_free(cli.channel);
  loop_free(cli.loop);
  arena_free(cli.arena);
  if (fflush(stdout) != 0 && !code)
    code = EXIT_FAILED;
  return code;
}

int main(int argc, char **argv) {
  if (argc < 2) {
    print_help();
    return EXIT_USAGE;
  }
  if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h") || !strcmp(argv[1], "help")) {
    print_help();
    return 0;
  }
  if (!strcmp(argv[1], "--version")) {
    printf("sandctl " VERSION "\n");
    return 0;
  }
  if (argv[1][0] == '-')
    return cli_usage("the command comes first, options behind it");
  int words = 0;
  const Command *command = find_command(argc - 1, argv + 1, &words);
  if (!command)
    return unknown_command(argv[1]);
  return run(command, argc - 1 - words, argv + 1 + words);
}
