/* Where a server of the C core listens and what a channel is told to reach; and descriptors that are none. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/sandplane/v1/descriptors.h"
#include "lib/base/compiler.h"
#include "lib/rpc/rpc_address.h"
#include "lib/rpc/rpc_fixture.h"

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

/* ---- Addresses ---- */

static void expect_no_server(Loop *loop, const char *address, ErrorKind kind, const char *text) {
  RpcServerConfig config = config_for("x");
  config.address = address;
  Error err = {.kind = ERROR_NONE};
  assert_null(rpc_server_new(loop, &config, &err));
  assert_int_equal(err.kind, kind);
  if (!strstr(err.message, text))
    fail_msg("%s", err.message);
}

static void test_bad_addresses(void **state) {
  Loop *loop = loop_new();
  expect_no_server(loop, "", ERROR_INVALID_ARGUMENT, "is not an address (host:port or unix:/path)");
  expect_no_server(loop, "127.0.0.1", ERROR_INVALID_ARGUMENT, "is not an address (host:port or unix:/path)");
  expect_no_server(loop, "127.0.0.1:http", ERROR_INVALID_ARGUMENT, "is not an address (host:port or unix:/path)");
  expect_no_server(loop, "127.0.0.1:65536", ERROR_INVALID_ARGUMENT, "is not an address (host:port or unix:/path)");
  expect_no_server(loop, "no host:1", ERROR_INVALID_ARGUMENT, "is not an address");
  expect_no_server(loop, "a..b:1", ERROR_INVALID_ARGUMENT, "cannot resolve");
  expect_no_server(loop, "192.0.2.1:1", ERROR_FAILED_PRECONDITION, "Cannot assign requested address");
  expect_no_server(loop, "unix:", ERROR_INVALID_ARGUMENT, "the path must be absolute");
  expect_no_server(loop, "unix:/no/such/dir/socket", ERROR_FAILED_PRECONDITION, "No such file or directory");
  loop_free(loop);
}

static void test_port_in_use(void **state) {
  Fixture f;
  fixture_start(&f, config_for("first"));
  static const char *const forms[] = {"127.0.0.1:%d", "localhost:%d", ":%d"};
  for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
    char address[32];
    snprintf(address, sizeof address, forms[i], fixture_server_port(f.server));
    expect_no_server(f.loop, address, ERROR_ALREADY_EXISTS, "Address already in use");
  }
  fixture_stop(&f);
}

static void test_listening_forms(void **state) {
  static const char *const forms[] = {"localhost:0", ":0", "127.0.0.1:0"};
  for (size_t i = 0; i < ARRAY_LEN(forms); i++) {
    Fixture f;
    Answer a;
    RpcServerConfig config = config_for("any");
    config.address = forms[i];
    fixture_start(&f, config);
    fixture_unary(&f, "/test.Who/Who", "", 0, &a);
    assert_string_equal(a.text, "any");
    fixture_stop(&f);
  }
}

static void test_unix_socket(void **state) {
  char dir[64];
  char address[80];
  test_folder(dir);
  snprintf(address, sizeof address, "unix:%s/s", dir);
  Fixture f;
  Answer a;
  RpcServerConfig config = config_for("unix");
  config.address = address;
  fixture_start(&f, config);
  assert_int_equal(fixture_server_port(f.server), 0);
  expect_no_server(f.loop, address, ERROR_ALREADY_EXISTS, "Address already in use");
  rpc_channel_free(f.channel);
  f.channel = rpc_channel_new(f.loop, address);
  fixture_unary(&f, "/test.Who/Who", "", 0, &a);
  assert_string_equal(a.text, "unix");
  fixture_stop(&f);
  unlink(address + 5);
  rmdir(dir);
}

static void expect_target(const char *targets, const char *expected) {
  char *target = rpc_address_target(targets);
  assert_string_equal(target, expected);
  free(target);
}

static void test_targets(void **state) {
  expect_target("10.0.0.1:7401", "ipv4:10.0.0.1:7401");
  expect_target("localhost:7401,:7402", "ipv4:127.0.0.1:7401,127.0.0.1:7402");
  expect_target("[::1]:7401", "ipv6:[::1]:7401");
  expect_target("10.0.0.1:1,[::1]:2", "ipv6:[::ffff:10.0.0.1]:1,[::1]:2");
  expect_target("claims.sandplane:7401", "dns:///claims.sandplane:7401");
  expect_target("unix:/run/x", "unix:/run/x");
}

static void test_bad_descriptors(void **state) {
  Loop *loop = loop_new();
  RpcServerConfig config = config_for("x");
  config.address = "127.0.0.1:0";
  config.descriptors_len -= 1;
  Error err;
  assert_null(rpc_server_new(loop, &config, &err));
  assert_int_equal(err.kind, ERROR_INTERNAL);
  loop_free(loop);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_bad_addresses), cmocka_unit_test(test_port_in_use), cmocka_unit_test(test_listening_forms),
      cmocka_unit_test(test_unix_socket),   cmocka_unit_test(test_targets),     cmocka_unit_test(test_bad_descriptors),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
