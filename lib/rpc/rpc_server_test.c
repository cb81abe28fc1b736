/* What surrounds the calls: health, reflection, reconnecting, balancing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "api/sandplane/v1/descriptors.h"
#include "grpc/health/v1/health.pb-c.h"
#include "grpc/reflection/v1/reflection.pb-c.h"
#include "lib/base/compiler.h"
#include "lib/rpc/rpc_fixture.h"
#include "lib/rpc/rpc_pb.h"

static void who(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  rpc_call_reply(call, service, strlen(service));
}

static const RpcMethod METHODS[] = {
    {"/test.Who/Who", RPC_UNARY, who},
    {"/sandplane.v1.SandboxService/GetSandbox", RPC_UNARY, who},
};

static RpcServerConfig config_for(const char *name) {
  return (RpcServerConfig){.methods = METHODS,
                           .n_methods = ARRAY_LEN(METHODS),
                           .service = (void *)name,
                           .descriptors = SANDPLANE_V1_DESCRIPTORS,
                           .descriptors_len = SANDPLANE_V1_DESCRIPTORS_len};
}

/* ---- Channels ---- */

static void test_round_robin(void **state) {
  Fixture a, b;
  fixture_start(&a, config_for("a"));
  RpcServerConfig config = config_for("b");
  config.address = "127.0.0.1:0";
  Error err;
  b = (Fixture){.loop = a.loop, .limit = a.limit, .server = fixture_server_new(a.loop, &config, &err)};
  char targets[64];
  snprintf(targets, sizeof targets, "127.0.0.1:%d,localhost:%d", fixture_server_port(a.server),
           fixture_server_port(b.server));
  rpc_channel_free(a.channel);
  a.channel = rpc_channel_new(a.loop, targets);
  bool seen_a = false, seen_b = false;
  for (int i = 0; i < 1000 && !(seen_a && seen_b); i++) {
    Answer answer;
    fixture_unary(&a, "/test.Who/Who", "", 0, &answer);
    assert_int_equal(answer.status.kind, ERROR_NONE);
    seen_a |= !strcmp(answer.text, "a");
    seen_b |= !strcmp(answer.text, "b");
  }
  assert_true(seen_a && seen_b);
  /* One of them goes: the other one serves all. */
  fixture_stop_server(&b);
  bool only_a = false;
  for (int i = 0; i < 1000 && !only_a; i++) {
    Answer answer[2];
    fixture_unary(&a, "/test.Who/Who", "", 0, &answer[0]);
    fixture_unary(&a, "/test.Who/Who", "", 0, &answer[1]);
    only_a = !strcmp(answer[0].text, "a") && !strcmp(answer[1].text, "a");
  }
  assert_true(only_a);
  fixture_stop(&a);
}

typedef struct Ended {
  bool done;
  Error status;
} Ended;

static void on_message(RpcClientCall *call, void *arg, const uint8_t *data, size_t len) {}

static void on_ended(RpcClientCall *call, void *arg, const Error *status, const uint8_t *details, size_t len) {
  *(Ended *)arg = (Ended){.done = true, .status = *status};
}

static void test_wait_for_ready_and_reconnect(void **state) {
  static const RpcClientHandlers handlers = {.on_message = on_message, .on_done = on_ended};
  Fixture f;
  fixture_start(&f, config_for("first"));
  char address[32];
  snprintf(address, sizeof address, "127.0.0.1:%d", fixture_server_port(f.server));
  for (int round = 0; round < 2; round++) {
    fixture_stop_server(&f);
    Answer a;
    fixture_unary(&f, "/test.Who/Who", "", 0, &a);
    assert_int_equal(a.status.kind, ERROR_UNAVAILABLE);
    Ended ended = {.done = false};
    RpcClientCall *call = rpc_client_call(f.channel, "/test.Who/Who", 15000, true, NULL, 0, &handlers, &ended);
    rpc_client_write(call, (const uint8_t *)"", 0);
    rpc_client_half_close(call);
    rpc_client_read(call);
    RpcServerConfig config = config_for("again");
    config.address = address;
    Error err = {.kind = ERROR_NONE};
    f.server = fixture_server_new(f.loop, &config, &err);
    if (!f.server)
      fail_msg("%s", err.message);
    f.drained = false;
    fixture_wait(&f, &ended.done);
    assert_int_equal(ended.status.kind, ERROR_NONE);
  }
  fixture_stop(&f);
}

/* ---- Health ---- */

static int check_health(Fixture *f, const char *service, ErrorKind expected) {
  Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
  request.service = (char *)service;
  size_t len;
  uint8_t *data = rpc_pb_pack(&request.base, &len);
  Answer a;
  fixture_unary(f, "/grpc.health.v1.Health/Check", data, len, &a);
  free(data);
  assert_int_equal(a.status.kind, expected);
  if (expected != ERROR_NONE)
    return -1;
  Grpc__Health__V1__HealthCheckResponse *response =
      grpc__health__v1__health_check_response__unpack(NULL, a.len, (uint8_t *)a.text);
  int status = response->status;
  grpc__health__v1__health_check_response__free_unpacked(response, NULL);
  return status;
}

static void test_health_check(void **state) {
  Fixture f;
  fixture_start(&f, config_for("x"));
  assert_int_equal(check_health(&f, "", ERROR_NONE), 2);
  fixture_server_set_serving(f.server, true);
  assert_int_equal(check_health(&f, "", ERROR_NONE), 1);
  assert_int_equal(check_health(&f, "test.Who", ERROR_NONE), 1);
  assert_int_equal(check_health(&f, "grpc.health.v1.Health", ERROR_NONE), 1);
  check_health(&f, "test.Nobody", ERROR_NOT_FOUND);
  fixture_server_set_serving(f.server, false);
  assert_int_equal(check_health(&f, "test.Who", ERROR_NONE), 2);
  fixture_stop(&f);
}

typedef struct Watch {
  RpcClientCall *call;
  bool got, done;
  int status;
  Error end;
} Watch;

static void watch_message(RpcClientCall *call, void *arg, const uint8_t *data, size_t len) {
  Watch *w = arg;
  Grpc__Health__V1__HealthCheckResponse *response = grpc__health__v1__health_check_response__unpack(NULL, len, data);
  w->status = response->status;
  w->got = true;
  grpc__health__v1__health_check_response__free_unpacked(response, NULL);
  rpc_client_read(call);
}

static void watch_done(RpcClientCall *call, void *arg, const Error *status, const uint8_t *details, size_t len) {
  ((Watch *)arg)->done = true;
  ((Watch *)arg)->end = *status;
}

static void watch_start(Watch *w, Fixture *f, const char *service) {
  static const RpcClientHandlers handlers = {.on_message = watch_message, .on_done = watch_done};
  Grpc__Health__V1__HealthCheckRequest request = GRPC__HEALTH__V1__HEALTH_CHECK_REQUEST__INIT;
  request.service = (char *)service;
  size_t len;
  uint8_t *data = rpc_pb_pack(&request.base, &len);
  *w = (Watch){.call =
                   rpc_client_call(f->channel, "/grpc.health.v1.Health/Watch", INT64_MAX, true, NULL, 0, &handlers, w)};
  rpc_client_write(w->call, data, len);
  rpc_client_half_close(w->call);
  rpc_client_read(w->call);
  free(data);
}

static void watch_expect(Watch *w, Fixture *f, int status) {
  fixture_wait(f, &w->got);
  w->got = false;
  assert_int_equal(w->status, status);
}

static void test_health_watch(void **state) {
  Fixture f;
  Watch all, unknown, cancelled;
  fixture_start(&f, config_for("x"));
  watch_start(&all, &f, "");
  watch_start(&unknown, &f, "test.Nobody");
  watch_start(&cancelled, &f, "test.Who");
  watch_expect(&all, &f, 2);
  watch_expect(&unknown, &f, 3);
  watch_expect(&cancelled, &f, 2);
  rpc_client_cancel(cancelled.call);
  fixture_wait(&f, &cancelled.done);
  fixture_server_set_serving(f.server, true);
  watch_expect(&all, &f, 1);
  /* A drain tells watchers and does not wait for them. */
  fixture_stop_server(&f);
  fixture_wait(&f, &all.done);
  fixture_wait(&f, &unknown.done);
  assert_int_equal(all.end.kind, ERROR_UNAVAILABLE);
  assert_false(unknown.got);
  fixture_stop(&f);
}

/* ---- Reflection ---- */

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;

typedef struct Reflected {
  bool got, done;
  Response *response;
} Reflected;

static void reflected(RpcClientCall *call, void *arg, const uint8_t *data, size_t len) {
  Reflected *r = arg;
  r->response = grpc__reflection__v1__server_reflection_response__unpack(NULL, len, data);
  r->got = true;
}

static void reflection_done(RpcClientCall *call, void *arg, const Error *status, const uint8_t *details, size_t len) {
  ((Reflected *)arg)->done = true;
}

/* The caller frees the answer. */
static Response *reflect(Fixture *f, const char *version, Request request) {
  static const RpcClientHandlers handlers = {.on_message = reflected, .on_done = reflection_done};
  Reflected r = {.got = false};
  char path[100];
  snprintf(path, sizeof path, "/grpc.reflection.%s.ServerReflection/ServerReflectionInfo", version);
  size_t len;
  uint8_t *data = rpc_pb_pack(&request.base, &len);
  RpcClientCall *call = rpc_client_call(f->channel, path, 10000, true, NULL, 0, &handlers, &r);
  rpc_client_write(call, data, len);
  rpc_client_half_close(call);
  rpc_client_read(call);
  free(data);
  fixture_wait(f, &r.got);
  fixture_wait(f, &r.done);
  assert_non_null(r.response);
  return r.response;
}

#define ASK(kind, member, ...)                                                                                \
  ((Request){.base = PROTOBUF_C_MESSAGE_INIT(&grpc__reflection__v1__server_reflection_request__descriptor),   \
             .host = (char *)"",                                                                              \
             .message_request_case = GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##kind, \
             .member = __VA_ARGS__})

static void expect_files(Fixture *f, const char *version, Request request, const char *first, size_t n) {
  Response *r = reflect(f, version, request);
  assert_non_null(r->file_descriptor_response);
  assert_int_equal(r->file_descriptor_response->n_file_descriptor_proto, n);
  const ProtobufCBinaryData *file = &r->file_descriptor_response->file_descriptor_proto[0];
  assert_int_equal(file->data[1], strlen(first));
  assert_memory_equal(file->data + 2, first, strlen(first));
  grpc__reflection__v1__server_reflection_response__free_unpacked(r, NULL);
}

static void expect_error(Fixture *f, Request request, ErrorKind kind) {
  Response *r = reflect(f, "v1", request);
  assert_non_null(r->error_response);
  assert_int_equal(r->error_response->error_code, kind);
  grpc__reflection__v1__server_reflection_response__free_unpacked(r, NULL);
}

static void test_reflection(void **state) {
  static const char *const symbols[] = {
      "sandplane.v1.SandboxService",
      "sandplane.v1.SandboxService.Exec",
  };
  Fixture f;
  fixture_start(&f, config_for("x"));
  Response *r = reflect(&f, "v1", ASK(LIST_SERVICES, list_services, (char *)""));
  assert_int_equal(r->list_services_response->n_service, 5);
  assert_string_equal(r->list_services_response->service[0]->name, "test.Who");
  assert_string_equal(r->list_services_response->service[1]->name, "sandplane.v1.SandboxService");
  grpc__reflection__v1__server_reflection_response__free_unpacked(r, NULL);

  /* sandbox_service, empty, sandbox, duration, field_mask, timestamp */
  const char *file = "api/sandplane/v1/sandbox_service.proto";
  expect_files(&f, "v1", ASK(FILE_BY_FILENAME, file_by_filename, (char *)file), file, 6);
  for (size_t i = 0; i < ARRAY_LEN(symbols); i++) {
    expect_files(&f, "v1alpha", ASK(FILE_CONTAINING_SYMBOL, file_containing_symbol, (char *)symbols[i]), file, 6);
  }
  static const char *const in_sandbox[] = {
      "sandplane.v1.Sandbox",
      "sandplane.v1.Sandbox.State",
      "sandplane.v1.Sandbox.CLAIMED",
      "sandplane.v1.Sandbox.labels",
      "sandplane.v1.ExecStreamRequest.request",
  };
  for (size_t i = 0; i < ARRAY_LEN(in_sandbox); i++) {
    expect_files(&f, "v1", ASK(FILE_CONTAINING_SYMBOL, file_containing_symbol, (char *)in_sandbox[i]),
                 "api/sandplane/v1/sandbox.proto", 4);
  }
  expect_error(&f, ASK(FILE_BY_FILENAME, file_by_filename, (char *)"no.proto"), ERROR_NOT_FOUND);
  expect_error(&f, ASK(FILE_CONTAINING_SYMBOL, file_containing_symbol, (char *)"sandplane.v1"), ERROR_NOT_FOUND);
  expect_error(&f, ASK(ALL_EXTENSION_NUMBERS_OF_TYPE, all_extension_numbers_of_type, (char *)"x.Y"), ERROR_NOT_FOUND);
  expect_error(&f, ASK(_NOT_SET, list_services, NULL), ERROR_INVALID_ARGUMENT);
  Grpc__Reflection__V1__ExtensionRequest extension = GRPC__REFLECTION__V1__EXTENSION_REQUEST__INIT;
  extension.containing_type = (char *)"sandplane.v1.Sandbox";
  expect_error(&f, ASK(FILE_CONTAINING_EXTENSION, file_containing_extension, &extension), ERROR_NOT_FOUND);
  r = reflect(&f, "v1",
              ASK(ALL_EXTENSION_NUMBERS_OF_TYPE, all_extension_numbers_of_type, (char *)"sandplane.v1.Sandbox"));
  assert_non_null(r->all_extension_numbers_response);
  assert_string_equal(r->all_extension_numbers_response->base_type_name, "sandplane.v1.Sandbox");
  grpc__reflection__v1__server_reflection_response__free_unpacked(r, NULL);
  fixture_stop(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_round_robin),  cmocka_unit_test(test_wait_for_ready_and_reconnect),
      cmocka_unit_test(test_health_check), cmocka_unit_test(test_health_watch),
      cmocka_unit_test(test_reflection),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
