/* Unary calls over loopback: answers, errors with details, deadlines, limits. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/compiler.h"
#include "lib/rpc/rpc_fixture.h"

typedef struct Service {
  RpcCall *held;
  int n_held;
  int wanted;
  bool enough; /* as many as wanted are held */
  bool cancelled;
  int ended;
  ErrorKind last_status;
  char begun[64];
} Service;

static void echo(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  rpc_call_reply(call, data, len);
}

static void fail_with_details(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  Error err;
  error_field(&err, "spec.replicas", "must not be negative");
  err.retry_after_ms = 1500;
  rpc_call_finish(call, &err);
}

static void on_cancel(RpcCall *call, void *arg) {
  Service *s = arg;
  s->cancelled = true;
  s->held = NULL;
  Error err;
  error_set(&err, ERROR_CANCELLED, "cancelled");
  rpc_call_finish(call, &err);
}

static void hold(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  Service *s = service;
  s->held = call;
  s->enough = ++s->n_held >= s->wanted;
  rpc_call_on_cancel(call, on_cancel, s);
}

static void inspect(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  char text[256];
  const char *agent = rpc_call_metadata(call, "user-agent");
  int n = snprintf(text, sizeof text, "%s %d %d %d %d", rpc_call_path(call),
                   !strncmp(rpc_call_peer(call), "ipv4:127.0.0.1:", 15), agent && !strncmp(agent, "grpc-c/", 7),
                   !rpc_call_metadata(call, "x-none"),
                   /* gRPC rounds timeouts up on the wire */
                   rpc_call_time_left_ms(call) > 0 && rpc_call_time_left_ms(call) <= 11000);
  rpc_call_reply(call, (const uint8_t *)text, (size_t)n);
}

static void huge(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  static uint8_t zeros[5 << 20];
  rpc_call_reply(call, zeros, sizeof zeros);
}

static const RpcMethod METHODS[] = {
    {"/test.Unary/Echo", RPC_UNARY, echo}, {"/test.Unary/Fail", RPC_UNARY, fail_with_details},
    {"/test.Unary/Hold", RPC_UNARY, hold}, {"/test.Unary/Inspect", RPC_UNARY, inspect},
    {"/test.Unary/Huge", RPC_UNARY, huge},
};

static void on_done(void *service, const char *path, ErrorKind status, int64_t duration_us, void *observer) {
  Service *s = service;
  s->ended++;
  s->last_status = status;
}

static RpcServerConfig config_for(Service *s) {
  return (RpcServerConfig){.methods = METHODS, .n_methods = ARRAY_LEN(METHODS), .service = s, .on_done = on_done};
}

static void test_echo(void **state) {
  Service s = {.ended = 0};
  Fixture f;
  Answer a;
  fixture_start(&f, config_for(&s));
  fixture_unary(&f, "/test.Unary/Echo", "hello", 5, &a);
  assert_int_equal(a.status.kind, ERROR_NONE);
  assert_string_equal(a.text, "hello");
  fixture_unary(&f, "/test.Unary/Echo", NULL, 0, &a);
  assert_int_equal(a.status.kind, ERROR_NONE);
  assert_int_equal(a.len, 0);
  fixture_stop(&f);
  assert_int_equal(s.ended, 2);
}

static void test_many_at_once(void **state) {
  enum { N = 500 };
  static Answer answers[N];
  Service s = {.ended = 0};
  Fixture f;
  fixture_start(&f, config_for(&s));
  for (int i = 0; i < N; i++) {
    char text[16];
    int n = snprintf(text, sizeof text, "%d", i);
    rpc_client_unary(f.channel, "/test.Unary/Echo", 10000, (uint8_t *)text, (size_t)n, answer_set, &answers[i]);
  }
  for (int i = 0; i < N; i++) {
    fixture_wait(&f, &answers[i].done);
    assert_int_equal(answers[i].status.kind, ERROR_NONE);
    assert_int_equal(strtol(answers[i].text, NULL, 10), i);
  }
  fixture_stop(&f);
  assert_int_equal(s.ended, N);
}

static void test_error_details(void **state) {
  Service s = {.ended = 0};
  Fixture f;
  Answer a;
  fixture_start(&f, config_for(&s));
  fixture_unary(&f, "/test.Unary/Fail", "x", 1, &a);
  assert_int_equal(a.status.kind, ERROR_INVALID_ARGUMENT);
  assert_string_equal(a.status.field, "spec.replicas");
  assert_string_equal(a.status.message, "spec.replicas: must not be negative");
  assert_int_equal(a.status.retry_after_ms, 1500);
  fixture_stop(&f);
  assert_int_equal(s.last_status, ERROR_INVALID_ARGUMENT);
}

/* What on_begin makes of a call comes with its end, for calls that have a handler. */
static void *begin_with_metadata(void *service, RpcCall *call) {
  Service *s = service;
  const char *name = rpc_call_metadata(call, "x-name");
  snprintf(s->begun, sizeof s->begun, "%s %s", rpc_call_path(call), name ? name : "");
  return s->begun;
}

static void note_observer(void *service, const char *path, ErrorKind status, int64_t duration_us, void *observer) {
  Service *s = service;
  assert_ptr_equal(observer, s->ended++ == 0 ? s->begun : NULL);
}

static void test_observer(void **state) {
  Service s = {.ended = 0};
  Fixture f;
  Answer a = {.done = false};
  RpcServerConfig config = config_for(&s);
  config.on_begin = begin_with_metadata;
  config.on_done = note_observer;
  fixture_start(&f, config);
  RpcMetadata metadata = {.key = "x-name", .value = "ours"};
  rpc_client_unary_with(f.channel, "/test.Unary/Echo", 10000, &metadata, 1, (uint8_t *)"x", 1, answer_set, &a);
  fixture_wait(&f, &a.done);
  assert_string_equal(a.text, "x");
  assert_string_equal(s.begun, "/test.Unary/Echo ours");
  fixture_unary(&f, "/test.Unary/Nothing", "x", 1, &a);
  assert_int_equal(a.status.kind, ERROR_UNIMPLEMENTED);
  fixture_stop(&f);
  assert_int_equal(s.ended, 2);
}

static void test_unknown_method(void **state) {
  Service s = {.ended = 0};
  Fixture f;
  Answer a;
  fixture_start(&f, config_for(&s));
  fixture_unary(&f, "/test.Unary/Nothing", "x", 1, &a);
  assert_int_equal(a.status.kind, ERROR_UNIMPLEMENTED);
  assert_contains(a.status.message, "/test.Unary/Nothing");
  fixture_unary(&f, "/test.Other/Echo", "x", 1, &a);
  assert_int_equal(a.status.kind, ERROR_UNIMPLEMENTED);
  fixture_stop(&f);
}

static void test_request_facts(void **state) {
  Service s = {.ended = 0};
  Fixture f;
  Answer a;
  fixture_start(&f, config_for(&s));
  fixture_unary(&f, "/test.Unary/Inspect", "x", 1, &a);
  assert_string_equal(a.text, "/test.Unary/Inspect 1 1 1 1");
  fixture_stop(&f);
}

static void test_deadline(void **state) {
  Service s = {.ended = 0};
  Fixture f;
  Answer a = {.done = false};
  fixture_start(&f, config_for(&s));
  rpc_client_unary(f.channel, "/test.Unary/Hold", 50, (uint8_t *)"x", 1, answer_set, &a);
  fixture_wait(&f, &a.done);
  assert_int_equal(a.status.kind, ERROR_DEADLINE_EXCEEDED);
  fixture_wait(&f, &s.cancelled);
  fixture_stop(&f);
  assert_int_equal(s.ended, 1);
  assert_int_equal(s.last_status, ERROR_CANCELLED);
}

static void test_cancel(void **state) {
  Service s = {.ended = 0};
  Fixture f;
  Answer a = {.done = false};
  fixture_start(&f, config_for(&s));
  RpcClientCall *call = rpc_client_unary(f.channel, "/test.Unary/Hold", INT64_MAX, (uint8_t *)"x", 1, answer_set, &a);
  fixture_wait(&f, &s.enough);
  assert_int_equal(rpc_call_time_left_ms(s.held), INT64_MAX);
  rpc_client_cancel(call);
  fixture_wait(&f, &a.done);
  assert_int_equal(a.status.kind, ERROR_CANCELLED);
  fixture_wait(&f, &s.cancelled);
  fixture_stop(&f);
}

static void test_channel_freed_with_call(void **state) {
  Service s = {.ended = 0};
  Fixture f;
  Answer a = {.done = false};
  fixture_start(&f, config_for(&s));
  rpc_client_unary(f.channel, "/test.Unary/Hold", INT64_MAX, (uint8_t *)"x", 1, answer_set, &a);
  rpc_channel_free(f.channel);
  f.channel = NULL;
  assert_true(a.done);
  assert_int_equal(a.status.kind, ERROR_CANCELLED);
  fixture_stop(&f);
}

static void test_message_limits(void **state) {
  Service s = {.ended = 0};
  Fixture f;
  Answer a;
  RpcServerConfig config = config_for(&s);
  config.max_message_bytes = 1000;
  fixture_start(&f, config);
  uint8_t data[1001] = {0};
  fixture_unary(&f, "/test.Unary/Echo", data, 1000, &a);
  assert_int_equal(a.status.kind, ERROR_NONE);
  fixture_unary(&f, "/test.Unary/Echo", data, 1001, &a);
  assert_int_equal(a.status.kind, ERROR_RESOURCE_EXHAUSTED);
  fixture_unary(&f, "/test.Unary/Huge", data, 1, &a);
  assert_int_equal(a.status.kind, ERROR_RESOURCE_EXHAUSTED);
  fixture_stop(&f);
}

static void test_max_calls(void **state) {
  enum { N = 3 };
  Service s = {.wanted = N};
  Fixture f;
  Answer held[N] = {{.done = false}}, a;
  RpcServerConfig config = config_for(&s);
  config.max_calls = N;
  fixture_start(&f, config);
  for (int i = 0; i < N; i++) {
    rpc_client_unary(f.channel, "/test.Unary/Hold", 10000, (uint8_t *)"x", 1, answer_set, &held[i]);
  }
  fixture_wait(&f, &s.enough);
  fixture_unary(&f, "/test.Unary/Echo", "x", 1, &a);
  assert_int_equal(a.status.kind, ERROR_RESOURCE_EXHAUSTED);
  assert_true(a.status.retry_after_ms > 0);
  /* Health is exempt: a busy server is not a dead one. */
  fixture_unary(&f, "/grpc.health.v1.Health/Check", "", 0, &a);
  assert_int_equal(a.status.kind, ERROR_NONE);
  fixture_stop(&f);
}

static void test_server_away(void **state) {
  Fixture f = {.loop = loop_new()};
  Answer a = {.done = false};
  f.limit = loop_timer_new(f.loop, (void (*)(void *))loop_stop, f.loop);
  f.channel = rpc_channel_new(f.loop, "127.0.0.1:1");
  rpc_client_unary(f.channel, "/test.Unary/Echo", 10000, (uint8_t *)"x", 1, answer_set, &a);
  fixture_wait(&f, &a.done);
  assert_int_equal(a.status.kind, ERROR_UNAVAILABLE);
  fixture_stop(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_echo),
      cmocka_unit_test(test_many_at_once),
      cmocka_unit_test(test_error_details),
      cmocka_unit_test(test_unknown_method),
      cmocka_unit_test(test_observer),
      cmocka_unit_test(test_request_facts),
      cmocka_unit_test(test_deadline),
      cmocka_unit_test(test_cancel),
      cmocka_unit_test(test_channel_freed_with_call),
      cmocka_unit_test(test_message_limits),
      cmocka_unit_test(test_max_calls),
      cmocka_unit_test(test_server_away),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
