/* See watch.h. */
#include "cli/sandbox/watch.h"

#include <unistd.h>

#include "cli/call.h"
#include "lib/base/str.h"

/* Between two tries after the connection was lost. */
enum { RETRY_US = 500000 };

typedef struct Watch {
  int (*fn)(void *arg, const Sandplane__V1__WatchSandboxesResponse *event);
  void *arg;
  char *token; /* of the last event */
} Watch;

static int on_event(void *arg, const void *message) {
  Watch *watch = arg;
  const Sandplane__V1__WatchSandboxesResponse *event = message;
  str_freep(&watch->token);
  watch->token = str_dup(event->resume_token);
  return watch->fn(watch->arg, event);
}

int watch_run(Cli *cli, Sandplane__V1__WatchSandboxesRequest *request,
              int (*fn)(void *arg, const Sandplane__V1__WatchSandboxesResponse *event), void *arg, Error *err) {
  Watch watch = {.fn = fn, .arg = arg};
  if (!cli->timeout_given)
    cli->timeout_ms = INT64_MAX;
  int rc;
  for (;;) {
    request->resume_token = watch.token ? watch.token : (char *)"";
    char *sent = watch.token;
    watch.token = NULL;
    *err = (Error){0};
    rc = call_stream(cli, SANDBOX_SERVICE "WatchSandboxes", request,
                     &sandplane__v1__watch_sandboxes_response__descriptor, on_event, &watch, err);
    if (!watch.token)
      watch.token = sent;
    else
      str_freep(&sent);
    bool lost = rc == 0 || (rc < 0 && err->kind == ERROR_UNAVAILABLE);
    bool expired = rc < 0 && err->kind == ERROR_OUT_OF_RANGE;
    if (!watch.token || (!lost && !expired))
      break;
    if (expired)
      str_freep(&watch.token);
    usleep(RETRY_US);
  }
  str_freep(&watch.token);
  if (rc == 0)
    rc = error_set(err, ERROR_UNAVAILABLE, "the stream ended before its first event");
  return rc;
}
