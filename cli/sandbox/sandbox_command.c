/* create, get, update, delete. */
#include <stdio.h>
#include <string.h>

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "cli/call.h"
#include "cli/sandbox/batch.h"
#include "cli/sandbox/sandbox_print.h"
#include "cli/text/text.h"
#include "google/protobuf/empty.pb-c.h"
#include "lib/base/clock.h"

typedef Sandplane__V1__CreateSandboxRequest CreateRequest;

/* On top of the wait, for the way there and back. */
enum { WAIT_MARGIN_MS = 10000 };

static int fill_env(Cli *cli, const Args *args, CreateRequest *request, Error *err) {
  request->env = arena_alloc(cli->arena, ARGS_MAX * sizeof(Sandplane__V1__CreateSandboxRequest__EnvEntry *));
  for (int rc;; request->n_env++) {
    Sandplane__V1__CreateSandboxRequest__EnvEntry *entry = arena_alloc(cli->arena, sizeof *entry);
    sandplane__v1__create_sandbox_request__env_entry__init(entry);
    if ((rc = text_pair(cli, args, "env", request->n_env, &entry->key, &entry->value, err)) <= 0)
      return rc;
    request->env[request->n_env] = entry;
  }
}

static int fill_labels(Cli *cli, const Args *args, CreateRequest *request, Error *err) {
  request->labels = arena_alloc(cli->arena, ARGS_MAX * sizeof(Sandplane__V1__CreateSandboxRequest__LabelsEntry *));
  for (int rc;; request->n_labels++) {
    Sandplane__V1__CreateSandboxRequest__LabelsEntry *entry = arena_alloc(cli->arena, sizeof *entry);
    sandplane__v1__create_sandbox_request__labels_entry__init(entry);
    if ((rc = text_pair(cli, args, "label", request->n_labels, &entry->key, &entry->value, err)) <= 0)
      return rc;
    request->labels[request->n_labels] = entry;
  }
}

static bool priority_of(const char *text, Sandplane__V1__CreateSandboxRequest__Priority *ret_priority) {
  static const char *const WORDS[] = {"low", "normal", "high"};
  for (size_t i = 0; text && i < sizeof WORDS / sizeof WORDS[0]; i++)
    if (!strcmp(text, WORDS[i])) {
      *ret_priority = (Sandplane__V1__CreateSandboxRequest__Priority)(i + 1);
      return true;
    }
  return !text;
}

static int create(Cli *cli, const Args *args) {
  CreateRequest request = SANDPLANE__V1__CREATE_SANDBOX_REQUEST__INIT;
  const char *pool = args_value(args, "pool"), *template = args_value(args, "template");
  Error err = {0};
  if (args->n_names || args->n_command)
    return cli_usage("create takes no names: a sandbox's name is made for it");
  if (!pool == !template)
    return cli_usage("create needs one of --pool and --template (sandctl pools list shows the pools)");
  request.parent = cli_parent(cli);
  if (pool)
    request.pool = cli_name(cli, "pools", pool);
  if (template)
    request.template_ = cli_name(cli, "templates", template);
  if (args_has(args, "request-id"))
    request.request_id = (char *)args_value(args, "request-id");
  request.ttl = text_duration(cli, args, "ttl", &err);
  request.idle_timeout = text_duration(cli, args, "idle-timeout", &err);
  request.max_wait = text_duration(cli, args, "wait", &err);
  if (!priority_of(args_value(args, "priority"), &request.priority))
    return cli_usage("--priority: \"%s\" is none of low, normal, high", args_value(args, "priority"));
  if (err.kind || fill_env(cli, args, &request, &err) < 0 || fill_labels(cli, args, &request, &err) < 0)
    return cli_usage("%s", err.message);
  if (request.max_wait && !cli->timeout_given)
    cli->timeout_ms = request.max_wait->seconds * 1000 + WAIT_MARGIN_MS;
  if (args_has(args, "count"))
    return batch_create(cli, args, &request);
  if (args_has(args, "at-least"))
    return cli_usage("--at-least goes with --count");
  int64_t before = clock_mono_us();
  Sandplane__V1__Sandbox *box =
      call_unary(cli, SANDBOX_SERVICE "CreateSandbox", &request, &sandplane__v1__sandbox__descriptor, &err);
  if (!box)
    return cli_fail(cli, &err);
  int64_t took = clock_mono_us() - before;
  if (cli->format == FORMAT_TABLE)
    printf("%s  (%.1f ms)\n", cli_short(box->name), (double)took / 1000);
  else
    sandbox_print(cli, box);
  return 0;
}

static int get(Cli *cli, const Args *args) {
  if (args->n_names != 1)
    return cli_usage("get needs one NAME");
  Sandplane__V1__GetSandboxRequest request = SANDPLANE__V1__GET_SANDBOX_REQUEST__INIT;
  request.name = cli_name(cli, "sandboxes", args->names[0]);
  Error err = {0};
  Sandplane__V1__Sandbox *box =
      call_unary(cli, SANDBOX_SERVICE "GetSandbox", &request, &sandplane__v1__sandbox__descriptor, &err);
  if (!box)
    return cli_fail(cli, &err);
  sandbox_print(cli, box);
  return 0;
}

static int update(Cli *cli, const Args *args) {
  if (args->n_names != 1)
    return cli_usage("update needs one NAME");
  Error err = {0};
  Google__Protobuf__Duration *ttl = text_duration(cli, args, "ttl", &err);
  Google__Protobuf__Duration *idle = text_duration(cli, args, "idle-timeout", &err);
  if (err.kind)
    return cli_usage("%s", err.message);
  if (!ttl && !idle)
    return cli_usage("update needs --ttl or --idle-timeout");
  char *paths[2];
  Google__Protobuf__FieldMask mask = GOOGLE__PROTOBUF__FIELD_MASK__INIT;
  Google__Protobuf__Timestamp end = GOOGLE__PROTOBUF__TIMESTAMP__INIT;
  Sandplane__V1__Sandbox box = SANDPLANE__V1__SANDBOX__INIT;
  mask.paths = paths;
  box.name = cli_name(cli, "sandboxes", args->names[0]);
  if (ttl) {
    end.seconds = clock_wall_ms() / 1000 + ttl->seconds;
    box.expire_time = &end;
    paths[mask.n_paths++] = "expire_time";
  }
  if (idle) {
    box.idle_timeout = idle;
    paths[mask.n_paths++] = "idle_timeout";
  }
  Sandplane__V1__UpdateSandboxRequest request = SANDPLANE__V1__UPDATE_SANDBOX_REQUEST__INIT;
  request.sandbox = &box;
  request.update_mask = &mask;
  Sandplane__V1__Sandbox *now =
      call_unary(cli, SANDBOX_SERVICE "UpdateSandbox", &request, &sandplane__v1__sandbox__descriptor, &err);
  if (!now)
    return cli_fail(cli, &err);
  sandbox_print(cli, now);
  return 0;
}

/* uid: of the claim that is meant; NULL: whoever has the name now. */
static int delete_one(Cli *cli, char *name, const char *uid) {
  Sandplane__V1__DeleteSandboxRequest request = SANDPLANE__V1__DELETE_SANDBOX_REQUEST__INIT;
  request.name = name;
  if (uid)
    request.uid = (char *)uid;
  Error err = {0};
  if (!call_unary(cli, SANDBOX_SERVICE "DeleteSandbox", &request, &google__protobuf__empty__descriptor, &err))
    return cli_fail(cli, &err);
  printf("%s\n", cli->format == FORMAT_TABLE ? cli_short(name) : name);
  return 0;
}

typedef struct DeleteAll {
  Cli *cli;
  int code;
} DeleteAll;

static void on_listed(void *arg, const void *item) {
  DeleteAll *all = arg;
  const Sandplane__V1__Sandbox *box = item;
  if (box->state != SANDPLANE__V1__SANDBOX__STATE__RELEASING && delete_one(all->cli, box->name, box->uid))
    all->code = EXIT_FAILED;
}

static int delete_all(Cli *cli, const Args *args) {
  Sandplane__V1__ListSandboxesRequest request = SANDPLANE__V1__LIST_SANDBOXES_REQUEST__INIT;
  Error err = {0};
  request.parent = cli_parent(cli);
  if (args_has(args, "selector"))
    request.label_selector = (char *)args_value(args, "selector");
  DeleteAll all = {.cli = cli};
  if (call_pages(cli, SANDBOX_SERVICE "ListSandboxes", &request.base,
                 &sandplane__v1__list_sandboxes_response__descriptor, on_listed, &all, &err) < 0)
    return cli_fail(cli, &err);
  return all.code;
}

static int delete (Cli *cli, const Args *args) {
  bool all = args_has(args, "all") || args_has(args, "selector");
  if (all == (args->n_names > 0))
    return cli_usage("delete needs NAMEs, or --selector, or --all");
  if (all)
    return delete_all(cli, args);
  if (args_has(args, "uid") && args->n_names != 1)
    return cli_usage("--uid belongs to one NAME");
  int code = 0;
  for (size_t i = 0; i < args->n_names; i++)
    if (delete_one(cli, cli_name(cli, "sandboxes", args->names[i]), args_value(args, "uid")))
      code = EXIT_FAILED;
  return code;
}

static const Option CREATE[] = {
    {"pool", 'p', "POOL", "warm pool to take it from"},
    {"template", 0, "TEMPLATE", "or: template to take it from, warm if there is one"},
    {"ttl", 0, "DURATION", "ends this long after now"},
    {"idle-timeout", 0, "DURATION", "ends this long after it was last used"},
    {"env", 'e', "NAME=VALUE", "environment of its commands; may be repeated"},
    {"label", 'l', "KEY=VALUE", "may be repeated"},
    {"wait", 'w', "DURATION", "longest wait when the pool is empty; 0s: none (60s)"},
    {"priority", 0, "LEVEL", "low, normal or high: place among your own waiting claims"},
    {"request-id", 0, "ID", "the same id again gives the same sandbox"},
    {"count", 'n', "N", "so many of a pool at once, all or none"},
    {"at-least", 0, "N", "with --count: as many as are ready, but not fewer"},
    {NULL, 0, NULL, NULL},
};
static const Option UPDATE[] = {
    {"ttl", 0, "DURATION", "ends this long after now"},
    {"idle-timeout", 0, "DURATION", "ends this long after it was last used"},
    {NULL, 0, NULL, NULL},
};
static const Option DELETE[] = {
    {"all", 0, NULL, "all claimed sandboxes of the namespace"},
    {"selector", 0, "LABELS", "claimed ones with these labels, as for list"},
    {"uid", 0, "UID", "only the claim of this uid: not another that has the name by now"},
    {NULL, 0, NULL, NULL},
};
static const Option NONE[] = {{NULL, 0, NULL, NULL}};

const Command SANDBOX_COMMANDS[] = {
    {"create", "--pool POOL | --template TEMPLATE [options]", "Claims a sandbox, or several, and prints the name.",
     CREATE, create},
    {"get", "NAME", "Shows a sandbox with its conditions.", NONE, get, "list"},
    {"update", "NAME [--ttl DURATION] [--idle-timeout DURATION]", "Lengthens or shortens a sandbox's life.", UPDATE,
     update, "list"},
    {"delete", "NAME... [--uid UID] | --selector LABELS | --all", "Gives sandboxes back; they are destroyed.", DELETE,
     delete, "list"},
    {NULL, NULL, NULL, NULL, NULL},
};
