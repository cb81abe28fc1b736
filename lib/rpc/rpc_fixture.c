/* Waiting turns the loop in small steps: a timer stops it so that the flag is looked at again. The limit
 * is for a broken test only; no test passes by it. */
#include "lib/rpc/rpc_fixture.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/clock.h"

enum { LIMIT_MS = 20 * 1000, STEP_MS = 1 };

static void stop(void *arg) {
  loop_stop(arg);
}

void fixture_start(Fixture *f, RpcServerConfig config) {
  *f = (Fixture){.loop = loop_new()};
  f->limit = loop_timer_new(f->loop, stop, f->loop);
  if (!config.address)
    config.address = "127.0.0.1:0";
  Error err = {.kind = ERROR_NONE};
  f->server = fixture_server_new(f->loop, &config, &err);
  if (!f->server)
    fail_msg("%s", err.message);
  char target[32];
  snprintf(target, sizeof target, "127.0.0.1:%d", fixture_server_port(f->server));
  f->channel = rpc_channel_new(f->loop, target);
}

static void on_drained(void *arg) {
  ((Fixture *)arg)->drained = true;
}

void fixture_stop_server(Fixture *f) {
  if (!f->server)
    return;
  fixture_server_drain(f->server, 100, on_drained, f);
  fixture_wait(f, &f->drained);
  fixture_server_free(f->server);
  f->server = NULL;
}

void fixture_stop(Fixture *f) {
  rpc_channel_free(f->channel);
  fixture_stop_server(f);
  loop_timer_free(f->limit);
  loop_free(f->loop);
}

void fixture_wait(Fixture *f, const bool *flag) {
  int64_t end = clock_mono_ms() + LIMIT_MS;
  while (!*flag) {
    if (clock_mono_ms() > end)
      fail_msg("nothing happened in %d ms", LIMIT_MS);
    loop_timer_start(f->limit, STEP_MS);
    loop_run(f->loop);
  }
}

void answer_set(void *arg, const Error *status, const uint8_t *data, size_t len) {
  Answer *answer = arg;
  answer->done = true;
  answer->status = *status;
  answer->len = len;
  if (data)
    snprintf(answer->text, sizeof answer->text, "%.*s", (int)len, (const char *)data);
}

void fixture_unary(Fixture *f, const char *path, const void *data, size_t len, Answer *ret) {
  *ret = (Answer){.done = false};
  rpc_client_unary(f->channel, path, 10000, data, len, answer_set, ret);
  fixture_wait(f, &ret->done);
}
