/* list, and list --watch, which goes on over a lost connection without a gap: each event has a token. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "cli/call.h"
#include "cli/json_pb.h"
#include "cli/sandbox_print.h"
#include "lib/base/str.h"

/* Between two tries after the connection was lost. */
enum { RETRY_US = 500000 };

typedef Sandplane__V1__WatchSandboxesResponse Event;

typedef struct Watch {
  Cli *cli;
  char *token; /* of the last event */
} Watch;

static char *parent_of(Cli *cli, const Args *args) {
  return args_has(args, "all-namespaces") ? arena_strdup(cli->arena, "namespaces/-") : cli_parent(cli);
}

static int on_event(void *arg, const void *message) {
  Watch *watch = arg;
  const Event *event = message;
  const ProtobufCEnumValue *type = protobuf_c_enum_descriptor_get_value(
      &sandplane__v1__watch_sandboxes_response__event_type__descriptor, event->type);
  str_freep(&watch->token);
  watch->token = str_dup(event->resume_token);
  if (watch->cli->format == FORMAT_JSON) {
    json_pb_print(event);
    fflush(stdout);
  } else if (event->sandbox && type) {
    sandbox_event(watch->cli, type->name, event->sandbox);
  }
  return 0;
}

static int watch(Cli *cli, const Args *args) {
  Sandplane__V1__WatchSandboxesRequest request = SANDPLANE__V1__WATCH_SANDBOXES_REQUEST__INIT;
  Watch state = {.cli = cli};
  request.parent = parent_of(cli, args);
  if (args_has(args, "selector"))
    request.label_selector = (char *)args_value(args, "selector");
  if (args_has(args, "pool"))
    request.pool = cli_name(cli, "pools", args_value(args, "pool"));
  request.show_unclaimed = args_has(args, "all");
  if (!cli->timeout_given)
    cli->timeout_ms = INT64_MAX;
  for (bool seen = false;;) {
    Error err = {0};
    int rc = call_stream(cli, SANDBOX_SERVICE "WatchSandboxes", &request,
                         &sandplane__v1__watch_sandboxes_response__descriptor, on_event, &state, &err);
    seen = seen || state.token;
    bool lost = seen && (rc == 0 || err.kind == ERROR_UNAVAILABLE);
    if (!lost) {
      str_freep(&state.token);
      return cli_fail(cli, &err);
    }
    if (state.token)
      request.resume_token = arena_strdup(cli->arena, state.token);
    usleep(RETRY_US);
  }
}

static int list(Cli *cli, const Args *args) {
  if (args->n_names)
    return cli_usage("list takes no names; get shows one sandbox");
  if (args_has(args, "watch"))
    return watch(cli, args);
  Sandplane__V1__ListSandboxesRequest request = SANDPLANE__V1__LIST_SANDBOXES_REQUEST__INIT;
  request.parent = parent_of(cli, args);
  if (args_has(args, "selector"))
    request.label_selector = (char *)args_value(args, "selector");
  if (args_has(args, "pool"))
    request.pool = cli_name(cli, "pools", args_value(args, "pool"));
  request.show_unclaimed = args_has(args, "all");
  Table *table = cli->format == FORMAT_TABLE ? sandbox_table() : NULL;
  Error err = {0};
  Sandplane__V1__ListSandboxesResponse *page;
  do {
    page = call_unary(cli, SANDBOX_SERVICE "ListSandboxes", &request,
                      &sandplane__v1__list_sandboxes_response__descriptor, &err);
    for (size_t i = 0; page && i < page->n_sandboxes; i++) {
      if (table)
        sandbox_row(table, page->sandboxes[i]);
      else
        sandbox_print(cli, page->sandboxes[i]);
    }
    if (page)
      request.page_token = page->next_page_token;
  } while (page && request.page_token[0]);
  if (table)
    table_print(table);
  return page ? 0 : cli_fail(cli, &err);
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
