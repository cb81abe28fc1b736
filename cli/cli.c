/* See cli.h. */
#include "cli/cli.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/text/table.h"
#include "lib/base/str.h"

const Option GLOBAL_OPTIONS[] = {
    {"server", 's', "HOST:PORT", "router to call (SANDPLANE_SERVER; 127.0.0.1:7400)"},
    {"namespace", 'n', "NAME", "namespace (SANDPLANE_NAMESPACE; default)"},
    {"token-file", 0, "FILE", "bearer token for a router that wants one (SANDPLANE_TOKEN: the token itself)"},
    {"timeout", 0, "DURATION", "longest time of a call, for example 30s (60s; exec, cp and --watch: none)"},
    {"output", 'o', "FORMAT", "table, json or name"},
    {"help", 'h', NULL, "this text"},
    {"version", 0, NULL, "the version of sandctl"},
    {NULL, 0, NULL, NULL},
};

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
    return "try again; --server says whom to call, tools/stack status whether a local stack runs";
  case ERROR_DEADLINE_EXCEEDED:
    return "--timeout allows more time";
  case ERROR_UNAUTHENTICATED:
    return "--token-file or SANDPLANE_TOKEN says who calls";
  case ERROR_RESOURCE_EXHAUSTED:
    if (err->field[0])
      return "sandctl quotas get TENANT shows the quota";
    return "try again, or make the pool larger: sandctl pools scale NAME REPLICAS";
  case ERROR_NOT_FOUND:
    return "list, pools list, templates list and ls show what there is";
  case ERROR_UNIMPLEMENTED:
    return "is --server the router's gRPC port?";
  default:
    return NULL;
  }
}

/* The message begins with the field, or has it behind what error_prefix put there. */
static bool names_field(const Error *err) {
  const char *at = strstr(err->message, err->field);
  return at && (at == err->message || at[strlen(err->field)] == ':');
}

int cli_fail(const Cli *cli, const Error *err) {
  const char *more = hint(err);
  Error shown = *err;
  table_printable(shown.field);
  table_printable(shown.message);
  fprintf(stderr, "sandctl: ");
  if (shown.field[0] && !names_field(&shown))
    fprintf(stderr, "%s: ", shown.field);
  fprintf(stderr, "%s", shown.message[0] ? shown.message : "failed");
  if (err->kind != ERROR_UNKNOWN) /* of this machine: the message is errno's */
    fprintf(stderr, " (%s)", error_kind_name(err->kind));
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

size_t cli_metadata(const Cli *cli, RpcMetadata out[1]) {
  out[0] = cli->token;
  return cli->token.value ? 1 : 0;
}
