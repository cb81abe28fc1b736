/* logs: what happened to a sandbox, as the API tells it: when it was started and claimed, its conditions and
 * its changes of state. A sandbox's commands write to their callers and to nobody else, so their output is
 * not here; what the services log about themselves is not either.
 *
 * One watch of the sandbox's pool gives both the past (its first event) and, with --follow, what comes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/call.h"
#include "cli/sandbox/sandbox_print.h"
#include "cli/sandbox/watch.h"
#include "cli/text/json_pb.h"
#include "lib/base/clock.h"

/* Of one sandbox in one event: a handful of conditions, and two more. */
enum { FACTS_MAX = 32 };
/* Outcomes of an event. */
enum { ENOUGH = 1, GONE = 2 };

typedef Sandplane__V1__Sandbox Sandbox;

typedef struct Fact {
  int64_t ms;
  const char *text;
} Fact;

typedef struct Logs {
  const Cli *cli;
  const char *name;
  bool follow;
  int64_t shown_ms; /* facts up to then are printed */
  int state;        /* of the last event; 0: there was none */
} Logs;

static void print_line(int64_t ms, const char *text) {
  char time[32];
  clock_format_rfc3339(ms, time, sizeof time);
  printf("%s  %s\n", time, text);
}

static void add(Fact *facts, size_t *n, const Google__Protobuf__Timestamp *time, const char *text) {
  if (time && *n < FACTS_MAX)
    facts[(*n)++] = (Fact){.ms = time->seconds * 1000 + time->nanos / 1000000, .text = text};
}

static int by_time(const void *a, const void *b) {
  int64_t x = ((const Fact *)a)->ms, y = ((const Fact *)b)->ms;
  return (x > y) - (x < y);
}

static const char *claim_text(Arena *arena, const Sandbox *box) {
  const Google__Protobuf__Duration *wait = box->wait_duration;
  double ms = wait ? (double)wait->seconds * 1000 + (double)wait->nanos / 1e6 : 0;
  return ms > 0 ? arena_printf(arena, "claimed after %.1f ms in the queue", ms) : "claimed";
}

static void print_new(Logs *logs, const Sandbox *box) {
  Fact facts[FACTS_MAX];
  size_t n = 0;
  Arena *arena = arena_new();
  add(facts, &n, box->create_time, arena_printf(arena, "started in pool %s", cli_short(box->pool)));
  for (size_t i = 0; i < box->n_conditions; i++) {
    const Sandplane__V1__Condition *c = box->conditions[i];
    char *text = arena_printf(arena, "condition %s=%s %s %s", c->type, c->status, c->reason, c->message);
    table_printable(text);
    add(facts, &n, c->last_transition_time, text);
  }
  add(facts, &n, box->claim_time, claim_text(arena, box));
  qsort(facts, n, sizeof *facts, by_time);
  int64_t before = logs->shown_ms;
  for (size_t i = 0; i < n; i++)
    if (facts[i].ms > before) {
      print_line(facts[i].ms, facts[i].text);
      logs->shown_ms = facts[i].ms;
    }
  if ((int)box->state != logs->state) {
    const char *text = logs->state ? "became %s" : "is %s now";
    print_line(clock_wall_ms(), arena_printf(arena, text, sandbox_state_name(box)));
    logs->state = (int)box->state;
  }
  arena_free(arena);
}

static int on_event(void *arg, const Sandplane__V1__WatchSandboxesResponse *event) {
  Logs *logs = arg;
  bool synced = event->type == SANDPLANE__V1__WATCH_SANDBOXES_RESPONSE__EVENT_TYPE__SYNCED;
  if (synced && !logs->state)
    return GONE;
  if (synced)
    return logs->follow ? 0 : ENOUGH;
  if (!event->sandbox || strcmp(event->sandbox->name, logs->name) != 0)
    return 0;
  bool gone = event->type == SANDPLANE__V1__WATCH_SANDBOXES_RESPONSE__EVENT_TYPE__DELETED;
  if (logs->cli->format == FORMAT_JSON) {
    json_pb_print(event);
    logs->state = (int)event->sandbox->state;
  } else if (gone) {
    print_line(clock_wall_ms(), "gone");
  } else {
    print_new(logs, event->sandbox);
  }
  fflush(stdout);
  return gone ? ENOUGH : 0;
}

static int logs(Cli *cli, const Args *args) {
  if (args->n_names != 1)
    return cli_usage("logs needs one NAME");
  Error err = {0};
  Sandplane__V1__GetSandboxRequest get = SANDPLANE__V1__GET_SANDBOX_REQUEST__INIT;
  get.name = cli_name(cli, "sandboxes", args->names[0]);
  Sandbox *box = call_unary(cli, SANDBOX_SERVICE "GetSandbox", &get, &sandplane__v1__sandbox__descriptor, &err);
  if (!box)
    return cli_fail(cli, &err);
  Logs state = {.cli = cli, .name = box->name, .follow = args_has(args, "follow"), .shown_ms = -1};
  Sandplane__V1__WatchSandboxesRequest request = SANDPLANE__V1__WATCH_SANDBOXES_REQUEST__INIT;
  request.parent = arena_strndup(cli->arena, box->name, (size_t)(strstr(box->name, "/sandboxes/") - box->name));
  request.pool = box->pool;
  request.show_unclaimed = true;
  int rc = watch_run(cli, &request, on_event, &state, &err);
  if (rc == GONE)
    error_set(&err, ERROR_NOT_FOUND, "sandbox %s has just ended", cli_short(box->name));
  return rc == ENOUGH ? 0 : cli_fail(cli, &err);
}

static const Option LOGS[] = {{"follow", 'f', NULL, "goes on until the sandbox is gone, or Ctrl-C"},
                              {NULL, 0, NULL, NULL}};

const Command LOGS_COMMANDS[] = {
    {"logs", "NAME [--follow]", "Shows when a sandbox started, was claimed and changed.", LOGS, logs, "list"},
    {NULL, NULL, NULL, NULL, NULL},
};
