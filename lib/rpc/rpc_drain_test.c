/* The end of a server under load: what its clients see. */
#include <stdio.h>
#include <string.h>

#include "lib/base/compiler.h"
#include "lib/rpc/rpc_fixture.h"

static void echo(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  rpc_call_reply(call, data, len);
}

static void on_cancel(RpcCall *call, void *arg) {
  *(int *)arg += 1;
  rpc_call_finish(call, NULL);
}

static void stay(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  rpc_call_on_cancel(call, on_cancel, service);
}

static const RpcMethod METHODS[] = {{"/test.Drain/Echo", RPC_UNARY, echo}, {"/test.Drain/Stay", RPC_STREAM, stay}};

static RpcServerConfig config_for(int *n_cancelled) {
  return (RpcServerConfig){.methods = METHODS, .n_methods = ARRAY_LEN(METHODS), .service = n_cancelled};
}

static void on_drained(void *arg) {
  ((Fixture *)arg)->drained = true;
}

/* With more time than anything takes. */
static void stop_server(Fixture *f) {
  fixture_server_drain(f->server, 20000, on_drained, f);
  fixture_wait(f, &f->drained);
  fixture_server_free(f->server);
  f->server = NULL;
}

/* ---- Clients that send their next call when the last one is answered ---- */

typedef struct Load {
  Fixture *f;
  int answered, wanted;
  bool enough; /* so many were answered */
  int lost;    /* the server took them and said nothing */
  int running;
  bool over;
} Load;

static void on_answer(void *arg, const Error *status, const uint8_t *data, size_t len);

static void ask(Load *load) {
  rpc_client_unary(load->f->channel, "/test.Drain/Echo", 10000, (const uint8_t *)"x", 1, on_answer, load);
}

static void on_answer(void *arg, const Error *status, const uint8_t *data, size_t len) {
  Load *load = arg;
  if (status->kind == ERROR_NONE)
    load->enough = ++load->answered >= load->wanted;
  else if (strstr(status->message, "gave the call up"))
    load->lost++;
  if (status->kind == ERROR_NONE)
    ask(load);
  else
    load->over = --load->running == 0;
}

static void test_no_call_is_lost(void **state) {
  enum { CLIENTS = 16, ROUNDS = 20 };
  for (int round = 0; round < ROUNDS; round++) {
    Fixture f;
    int cancelled = 0;
    fixture_start(&f, config_for(&cancelled));
    Load load = {.f = &f, .wanted = 200 + round, .running = CLIENTS};
    for (int i = 0; i < CLIENTS; i++)
      ask(&load);
    fixture_wait(&f, &load.enough);
    /* its clients have nowhere else to go, so each ends with the first call that finds no server */
    stop_server(&f);
    fixture_wait(&f, &load.over);
    assert_int_equal(load.lost, 0);
    fixture_stop(&f);
  }
}

/* What comes in the moment before GOAWAY waits, and is served. */
static void test_calls_at_the_last_moment(void **state) {
  Fixture f;
  Answer first, late = {.done = false};
  int cancelled = 0;
  fixture_start(&f, config_for(&cancelled));
  fixture_unary(&f, "/test.Drain/Echo", "a", 1, &first);
  rpc_client_unary(f.channel, "/test.Drain/Echo", 10000, (const uint8_t *)"b", 1, answer_set, &late);
  stop_server(&f);
  fixture_wait(&f, &late.done);
  assert_int_equal(late.status.kind, ERROR_NONE);
  assert_string_equal(late.text, "b");
  fixture_stop(&f);
}

typedef struct Ended {
  bool done;
  Error status;
} Ended;

static void on_message(RpcClientCall *call, void *arg, const uint8_t *data, size_t len) {}

static void on_done(RpcClientCall *call, void *arg, const Error *status, const uint8_t *details, size_t len) {
  *(Ended *)arg = (Ended){.done = true, .status = *status};
}

static void test_the_grace_ends_in_words(void **state) {
  static const RpcClientHandlers HANDLERS = {.on_message = on_message, .on_done = on_done};
  Fixture f;
  Ended ended = {.done = false};
  Answer first;
  int cancelled = 0;
  fixture_start(&f, config_for(&cancelled));
  RpcClientCall *call = rpc_client_call(f.channel, "/test.Drain/Stay", INT64_MAX, true, NULL, 0, &HANDLERS, &ended);
  rpc_client_read(call);
  /* one connection, one order: the server has the first call when it has answered the second */
  fixture_unary(&f, "/test.Drain/Echo", "a", 1, &first);
  assert_int_equal(first.status.kind, ERROR_NONE);
  fixture_stop_server(&f);
  fixture_wait(&f, &ended.done);
  assert_int_equal(ended.status.kind, ERROR_UNAVAILABLE);
  assert_string_equal(ended.status.message, "the server is shutting down");
  assert_int_equal(cancelled, 1);
  fixture_stop(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_no_call_is_lost),
      cmocka_unit_test(test_calls_at_the_last_moment),
      cmocka_unit_test(test_the_grace_ends_in_words),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
