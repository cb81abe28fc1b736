/* list and list --watch. */
#include <stdio.h>

#include "cli/call.h"
#include "cli/pool/collection.h"
#include "cli/sandbox/sandbox_print.h"
#include "cli/sandbox/watch.h"
#include "cli/text/json_pb.h"

static char *parent_of(Cli *cli, const Args *args) {
  return args_has(args, "all-namespaces") ? arena_strdup(cli->arena, "namespaces/-") : cli_parent(cli);
}

static int on_event(void *arg, const Sandplane__V1__WatchSandboxesResponse *event) {
  const Cli *cli = arg;
  const ProtobufCEnumValue *type = protobuf_c_enum_descriptor_get_value(
      &sandplane__v1__watch_sandboxes_response__event_type__descriptor, event->type);
  if (cli->format == FORMAT_JSON) {
    json_pb_print(event);
    fflush(stdout);
  } else if (event->sandbox && type) {
    sandbox_event(cli, type->name, event->sandbox);
  }
  return 0;
}

/* What a list and a watch ask for alike. */
#define SELECT(request, cli, args)                                        \
  do {                                                                    \
    (request)->parent = parent_of(cli, args);                             \
    if (args_has(args, "selector"))                                       \
      (request)->label_selector = (char *)args_value(args, "selector");   \
    if (args_has(args, "pool"))                                           \
      (request)->pool = cli_name(cli, "pools", args_value(args, "pool")); \
    (request)->show_unclaimed = args_has(args, "all");                    \
  } while (0)

static int watch(Cli *cli, const Args *args) {
  Sandplane__V1__WatchSandboxesRequest request = SANDPLANE__V1__WATCH_SANDBOXES_REQUEST__INIT;
  Error err;
  SELECT(&request, cli, args);
  watch_run(cli, &request, on_event, cli, &err); /* ends by failure only */
  return cli_fail(cli, &err);
}

static void show(const Cli *cli, Table *table, const void *sandbox) {
  if (table)
    sandbox_row(table, sandbox);
  else
    sandbox_print(cli, sandbox);
}

static int list(Cli *cli, const Args *args) {
  if (args->n_names)
    return cli_usage("list takes no names; get shows one sandbox");
  if (args_has(args, "watch"))
    return watch(cli, args);
  Sandplane__V1__ListSandboxesRequest request = SANDPLANE__V1__LIST_SANDBOXES_REQUEST__INIT;
  SELECT(&request, cli, args);
  return collection_list(cli, SANDBOX_SERVICE "ListSandboxes", &request.base,
                         &sandplane__v1__list_sandboxes_response__descriptor, sandbox_table, show);
}

static const Option LIST[] = {
    {"all", 'a', NULL, "also warm sandboxes that nobody holds"},
    {"all-namespaces", 'A', NULL, "of every namespace"},
    {"pool", 'p', "POOL", "only those of this pool"},
    {"selector", 'l', "LABELS", "key, !key, key=value, key!=value, with commas"},
    {"watch", 'w', NULL, "goes on with every change, until Ctrl-C"},
    {NULL, 0, NULL, NULL},
};

const Command LIST_COMMANDS[] = {
    {"list", "[options]", "Lists claimed sandboxes.", LIST, list},
    {NULL, NULL, NULL, NULL, NULL},
};
