/* sandctl: Sandplane from the command line. This file reads the global options and runs the command. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/help.h"
#include "lib/base/str.h"

#define VERSION "0.1.0"
/* Of a call that does not itself wait: long enough for a busy machine. */
#define DEFAULT_TIMEOUT_MS ((int64_t)60 * 1000)

static int version(void) {
  printf("sandctl " VERSION "\n");
  return 0;
}

enum { TOKEN_MAX = 512 };

static int read_token(Cli *cli, const char *path) {
  char text[TOKEN_MAX + 2] = "";
  const char *token = getenv("SANDPLANE_TOKEN");
  if (path) {
    FILE *f = fopen(path, "re");
    bool read = f && fgets(text, sizeof text, f);
    if (f)
      fclose(f);
    if (!read)
      return cli_usage("--token-file: %s cannot be read, or is empty", path);
    text[strcspn(text, "\r\n")] = 0;
    token = text;
  }
  if (!str_empty(token))
    cli->token = (RpcMetadata){"authorization", arena_printf(cli->arena, "Bearer %s", token)};
  return 0;
}

static int configure(Cli *cli, const Args *args) {
  const char *server = args_value(args, "server"), *ns = args_value(args, "namespace");
  const char *format = args_value(args, "output"), *timeout = args_value(args, "timeout");
  if (!server)
    server = getenv("SANDPLANE_SERVER");
  if (!ns)
    ns = getenv("SANDPLANE_NAMESPACE");
  cli->server = str_empty(server) ? "127.0.0.1:7400" : server;
  cli->ns_given = !str_empty(ns);
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

static int run(const Command *command, Args *args, int argc, char **argv) {
  const Option *const tables[] = {command->options, GLOBAL_OPTIONS, NULL};
  Error err = {0};
  if (args_parse(tables, argc, argv, args, &err) < 0)
    return cli_usage("%s: %s", command->name, err.message);
  if (args_has(args, "help"))
    return help_command(command);
  if (args_has(args, "version"))
    return version();
  Cli cli = {.tables = COMMAND_TABLES};
  cli.arena = arena_new();
  int code = configure(&cli, args);
  if (!code)
    code = read_token(&cli, args_value(args, "token-file"));
  if (code) {
    arena_free(cli.arena);
    return code;
  }
  signal(SIGPIPE, SIG_IGN);
  cli.loop = loop_new();
  cli.channel = rpc_channel_new(cli.loop, cli.server);
  code = command->run(&cli, args);
  rpc_channel_free(cli.channel);
  loop_free(cli.loop);
  arena_free(cli.arena);
  if (fflush(stdout) != 0 && !code)
    code = EXIT_FAILED;
  return code;
}

int main(int argc, char **argv) {
  const Option *const tables[] = {GLOBAL_OPTIONS, NULL};
  Args args = {0};
  Error err = {0};
  int leading = args_leading(tables, argc - 1, argv + 1, &args, &err);
  if (leading < 0)
    return cli_usage("%s", err.message);
  argc -= 1 + leading;
  argv += 1 + leading;
  if (args_has(&args, "version"))
    return version();
  if (argc == 0 || !strcmp(argv[0], "help")) {
    help_all();
    return argc == 0 && !args_has(&args, "help") ? EXIT_USAGE : 0;
  }
  int words = 0;
  const Command *command = help_find(argc, argv, &words);
  if (command)
    return run(command, &args, argc - words, argv + words);
  bool asked = args_has(&args, "help") || (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")));
  return asked && help_group(argv[0]) ? 0 : help_unknown(argv[0]);
}
