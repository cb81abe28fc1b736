/* Streams over loopback: both directions, back-pressure, half-close, cancellation from either side, proxies. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/compiler.h"
#include "lib/rpc/rpc_fixture.h"

enum { N_MESSAGES = 200, CHUNK = 64 << 10 };

typedef struct Service {
  int cancelled;
  bool was_cancelled;
  int ended;
  bool any_ended;
  ErrorKind last_status;
  char proxied_path[64];
  bool uploading; /* Of Upload: its first message has come. */
  /* Of Flood. */
  int left;
  size_t most_pending;
  RpcChannel *onward; /* of Proxy */
} Service;

static void finish_cancelled(RpcCall *call, void *arg) {
  Service *s = arg;
  s->cancelled++;
  s->was_cancelled = true;
  rpc_call_finish(call, NULL);
}

/* ---- Echo: one answer to each message, then an error or OK ---- */

static void echo_next(RpcCall *call, void *arg);

static void echo_message(RpcCall *call, void *arg, const uint8_t *data, size_t len) {
  if (!data) {
    rpc_call_write(call, (const uint8_t *)"end", 3, NULL, NULL);
    rpc_call_finish(call, NULL);
  } else if (len == 4 && !memcmp(data, "fail", 4)) {
    Error err;
    error_set(&err, ERROR_ABORTED, "as you wish");
    rpc_call_finish(call, &err);
  } else {
    rpc_call_write(call, data, len, echo_next, arg);
  }
}

static void echo_next(RpcCall *call, void *arg) {
  rpc_call_read(call, echo_message, arg);
}

static void echo(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  assert_null(data);
  rpc_call_on_cancel(call, finish_cancelled, service);
  echo_next(call, service);
}

/* ---- Upload: no on_cancel, so the end of the reads says how it ended ---- */

static void upload_message(RpcCall *call, void *arg, const uint8_t *data, size_t len) {
  Service *s = arg;
  if (data) {
    s->uploading = true;
    return rpc_call_read(call, upload_message, s);
  }
  s->was_cancelled = rpc_call_cancelled(call);
  rpc_call_reply(call, (const uint8_t *)"kept", 4);
}

static void upload(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  rpc_call_read(call, upload_message, service);
}

/* ---- Flood: writes as fast as the client takes it ---- */

static void flood_more(RpcCall *call, void *arg) {
  static const uint8_t zeros[CHUNK];
  Service *s = arg;
  if (s->left == 0)
    return rpc_call_finish(call, NULL);
  s->left--;
  rpc_call_write(call, zeros, CHUNK, flood_more, s);
  if (rpc_call_pending_bytes(call) > s->most_pending)
    s->most_pending = rpc_call_pending_bytes(call);
}

static void flood(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  rpc_call_on_cancel(call, finish_cancelled, service);
  flood_more(call, service);
}

/* ---- Burst: everything is queued at once and finished behind it ---- */

static void burst(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  for (int i = 0; i < N_MESSAGES; i++) {
    char text[16];
    int n = snprintf(text, sizeof text, "%d", i);
    rpc_call_write(call, (uint8_t *)text, (size_t)n, NULL, NULL);
  }
  Error err;
  error_set(&err, ERROR_OUT_OF_RANGE, "that was all");
  rpc_call_finish(call, &err);
}

/* ---- Proxy: bytes both ways through a second channel, by a wildcard row ---- */

typedef struct Proxy {
  RpcCall *in;
  RpcClientCall *out;
} Proxy;

static void proxy_in(RpcCall *call, void *arg, const uint8_t *data, size_t len) {
  Proxy *p = arg;
  if (!data)
    return rpc_client_half_close(p->out);
  rpc_client_write(p->out, data, len);
}

static void proxy_written(RpcClientCall *out, void *arg) {
  Proxy *p = arg;
  rpc_call_read(p->in, proxy_in, p);
}

static void proxy_taken(RpcCall *call, void *arg) {
  rpc_client_read(((Proxy *)arg)->out);
}

static void proxy_out(RpcClientCall *out, void *arg, const uint8_t *data, size_t len) {
  rpc_call_write(((Proxy *)arg)->in, data, len, proxy_taken, arg);
}

static void proxy_done(RpcClientCall *out, void *arg, const Error *status, const uint8_t *details, size_t len) {
  Proxy *p = arg;
  rpc_call_finish_details(p->in, status->kind == ERROR_NONE ? NULL : status, details, len);
  free(p);
}

static void proxy_cancel(RpcCall *call, void *arg) {
  rpc_client_cancel(((Proxy *)arg)->out);
}

static void proxy(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  static const RpcClientHandlers handlers = {
      .on_message = proxy_out, .on_written = proxy_written, .on_done = proxy_done};
  Service *s = service;
  char path[64];
  snprintf(path, sizeof path, "/test.Stream/%s", strrchr(rpc_call_path(call), '/') + 1);
  Proxy *p = calloc(1, sizeof *p);
  p->in = call;
  p->out = rpc_client_call(s->onward, path, rpc_call_time_left_ms(call), false, NULL, 0, &handlers, p);
  rpc_client_read(p->out);
  rpc_call_read(call, proxy_in, p);
  rpc_call_on_cancel(call, proxy_cancel, p);
}

static void field_error(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  Error err;
  error_field(&err, "name", "no good");
  rpc_call_finish(call, &err);
}

static const RpcMethod METHODS[] = {
    {"/test.Stream/Echo", RPC_STREAM, echo},     {"/test.Stream/Flood", RPC_STREAM, flood},
    {"/test.Stream/Burst", RPC_STREAM, burst},   {"/test.Stream/Field", RPC_UNARY, field_error},
    {"/test.Stream/Upload", RPC_STREAM, upload}, {"/test.Proxy/", RPC_STREAM, proxy},
};

static void on_done(void *service, const char *path, ErrorKind status, int64_t duration_us, void *observer) {
  Service *s = service;
  s->ended++;
  s->any_ended = true;
  s->last_status = status;
  /* which of the two calls of a proxied one ends last is nobody's promise */
  if (strncmp(path, "/test.Proxy/", strlen("/test.Proxy/")) == 0)
    snprintf(s->proxied_path, sizeof s->proxied_path, "%s", path);
}

static void start(Fixture *f, Service *s) {
  fixture_start(
      f, (RpcServerConfig){.methods = METHODS, .n_methods = ARRAY_LEN(METHODS), .service = s, .on_done = on_done});
  s->onward = f->channel;
}

/* ---- The client's side ---- */

typedef struct Client {
  RpcClientCall *call;
  bool keep_reading;
  int messages;
  size_t bytes;
  char last[64];
  bool got; /* a message, since it was last cleared */
  bool done;
  Error status;
} Client;

static void client_message(RpcClientCall *call, void *arg, const uint8_t *data, size_t len) {
  Client *c = arg;
  c->messages++;
  c->bytes += len;
  c->got = true;
  snprintf(c->last, sizeof c->last, "%.*s", (int)(len < sizeof c->last ? len : 0), (const char *)data);
  if (c->keep_reading)
    rpc_client_read(call);
}

static void client_done(RpcClientCall *call, void *arg, const Error *status, const uint8_t *details, size_t len) {
  Client *c = arg;
  assert_false(c->done);
  c->done = true;
  c->status = *status;
}

static void client_start(Client *c, Fixture *f, const char *path, int64_t timeout_ms) {
  static const RpcClientHandlers handlers = {.on_message = client_message, .on_done = client_done};
  *c = (Client){.keep_reading = true};
  c->call = rpc_client_call(f->channel, path, timeout_ms, true, NULL, 0, &handlers, c);
  rpc_client_read(c->call);
}

static void client_send(Client *c, const char *text) {
  rpc_client_write(c->call, (const uint8_t *)text, strlen(text));
}

static void run_echo(const char *path) {
  Service s = {0};
  Fixture f;
  Client c;
  start(&f, &s);
  client_start(&c, &f, path, 10000);
  for (int i = 0; i < N_MESSAGES; i++)
    client_send(&c, "hello");
  assert_true(rpc_client_pending_bytes(c.call) > 0);
  rpc_client_half_close(c.call);
  fixture_wait(&f, &c.done);
  assert_int_equal(c.status.kind, ERROR_NONE);
  assert_int_equal(c.messages, N_MESSAGES + 1);
  assert_string_equal(c.last, "end");
  fixture_stop(&f);
  assert_int_equal(s.cancelled, 0);
}

static void test_echo(void **state) {
  run_echo("/test.Stream/Echo");
}
static void test_proxy(void **state) {
  run_echo("/test.Proxy/Echo");
}

static void test_turn_by_turn(void **state) {
  Service s = {0};
  Fixture f;
  Client c;
  start(&f, &s);
  client_start(&c, &f, "/test.Stream/Echo", INT64_MAX);
  for (int i = 0; i < 20; i++) {
    char text[16];
    snprintf(text, sizeof text, "turn %d", i);
    c.got = false;
    client_send(&c, text);
    fixture_wait(&f, &c.got);
    assert_string_equal(c.last, text);
  }
  client_send(&c, "fail");
  fixture_wait(&f, &c.done);
  assert_int_equal(c.status.kind, ERROR_ABORTED);
  assert_string_equal(c.status.message, "as you wish");
  fixture_stop(&f);
  assert_int_equal(s.last_status, ERROR_ABORTED);
}

static void test_queued_writes_before_status(void **state) {
  Service s = {0};
  Fixture f;
  Client c;
  start(&f, &s);
  client_start(&c, &f, "/test.Stream/Burst", 10000);
  rpc_client_half_close(c.call);
  fixture_wait(&f, &c.done);
  assert_int_equal(c.status.kind, ERROR_OUT_OF_RANGE);
  /* gRPC may drop what stands before an error, but never reorders it. */
  assert_true(c.messages <= N_MESSAGES);
  if (c.messages > 0)
    assert_int_equal(strtol(c.last, NULL, 10), c.messages - 1);
  fixture_stop(&f);
}

static void test_back_pressure(void **state) {
  enum { CHUNKS = 400 };
  Service s = {.left = CHUNKS};
  Fixture f;
  Client c;
  start(&f, &s);
  client_start(&c, &f, "/test.Stream/Flood", INT64_MAX);
  c.keep_reading = false;
  fixture_wait(&f, &c.got);
  /* The client reads no more: after a while the server is stuck with most of it unsent. */
  for (int before = -1; before != s.left;) {
    before = s.left;
    for (int turn = 0; turn < 100; turn++) {
      loop_timer_start(f.limit, 1);
      loop_run(f.loop);
    }
  }
  /* how much is under way is the kernel's and gRPC's business, and more on a busy machine */
  assert_true(s.left > 0);
  assert_false(c.done);
  c.keep_reading = true;
  rpc_client_read(c.call);
  fixture_wait(&f, &c.done);
  assert_int_equal(c.status.kind, ERROR_NONE);
  assert_int_equal(c.bytes, (size_t)CHUNKS * CHUNK);
  assert_int_equal(s.most_pending, CHUNK);
  fixture_stop(&f);
}

static void test_client_cancels(void **state) {
  Service s = {.left = 100000};
  Fixture f;
  Client c;
  start(&f, &s);
  client_start(&c, &f, "/test.Stream/Flood", INT64_MAX);
  fixture_wait(&f, &c.got);
  rpc_client_cancel(c.call);
  fixture_wait(&f, &c.done);
  assert_int_equal(c.status.kind, ERROR_CANCELLED);
  fixture_wait(&f, &s.any_ended);
  assert_int_equal(s.cancelled, 1);
  assert_int_equal(s.last_status, ERROR_CANCELLED);
  fixture_stop(&f);
  assert_int_equal(s.ended, 1);
}

static void test_client_vanishes(void **state) {
  Service s = {0};
  Fixture f;
  Client c;
  start(&f, &s);
  client_start(&c, &f, "/test.Stream/Echo", INT64_MAX);
  client_send(&c, "x");
  fixture_wait(&f, &c.got);
  rpc_channel_free(f.channel);
  f.channel = NULL;
  assert_true(c.done);
  fixture_wait(&f, &s.any_ended);
  assert_int_equal(s.cancelled, 1);
  fixture_stop(&f);
}

static void test_upload_whole(void **state) {
  Service s = {0};
  Fixture f;
  Client c;
  start(&f, &s);
  client_start(&c, &f, "/test.Stream/Upload", INT64_MAX);
  client_send(&c, "x");
  rpc_client_half_close(c.call);
  fixture_wait(&f, &c.done);
  assert_int_equal(c.status.kind, ERROR_NONE);
  assert_string_equal(c.last, "kept");
  assert_false(s.was_cancelled);
  fixture_stop(&f);
}

static void test_upload_cut_short(void **state) {
  Service s = {0};
  Fixture f;
  Client c;
  start(&f, &s);
  client_start(&c, &f, "/test.Stream/Upload", INT64_MAX);
  client_send(&c, "x");
  /* a call that is cancelled on its way never begins at the server, nor ends there */
  fixture_wait(&f, &s.uploading);
  rpc_client_cancel(c.call);
  fixture_wait(&f, &s.any_ended);
  assert_true(s.was_cancelled);
  assert_int_equal(s.last_status, ERROR_CANCELLED);
  fixture_stop(&f);
}

static bool deadline_in_the_midst(int64_t timeout_ms) {
  Service s = {0};
  Fixture f;
  Client c;
  start(&f, &s);
  client_start(&c, &f, "/test.Proxy/Echo", timeout_ms);
  client_send(&c, "x");
  fixture_wait(&f, &c.done);
  assert_int_equal(c.status.kind, ERROR_DEADLINE_EXCEEDED);
  if (c.got)
    fixture_wait(&f, &s.was_cancelled);
  fixture_stop(&f);
  if (c.got)
    assert_int_equal(s.ended, 2);
  return c.got;
}

/* On a busy machine a short one is over before the call was answered from behind the proxy: then a longer one. */
static void test_deadline(void **state) {
  int64_t timeout_ms = 100;
  while (!deadline_in_the_midst(timeout_ms))
    timeout_ms *= 2;
}

static void test_cancel_through_proxy(void **state) {
  Service s = {.left = 100000};
  Fixture f;
  Client c;
  start(&f, &s);
  client_start(&c, &f, "/test.Proxy/Flood", INT64_MAX);
  fixture_wait(&f, &c.got);
  rpc_client_cancel(c.call);
  fixture_wait(&f, &s.was_cancelled);
  fixture_stop(&f);
  assert_int_equal(s.ended, 2);
}

static void test_details_through_proxy(void **state) {
  Service s = {0};
  Fixture f;
  Answer a;
  start(&f, &s);
  fixture_unary(&f, "/test.Proxy/Field", "x", 1, &a);
  assert_int_equal(a.status.kind, ERROR_INVALID_ARGUMENT);
  assert_string_equal(a.status.field, "name");
  fixture_stop(&f);
  assert_string_equal(s.proxied_path, "/test.Proxy/Field");
}

static void test_drain_cancels_the_rest(void **state) {
  Service s = {0};
  Fixture f;
  Client c;
  start(&f, &s);
  client_start(&c, &f, "/test.Stream/Echo", INT64_MAX);
  client_send(&c, "x");
  fixture_wait(&f, &c.got);
  RpcChannel *channel = f.channel;
  f.channel = NULL;
  fixture_stop_server(&f);
  assert_int_equal(s.cancelled, 1);
  fixture_wait(&f, &c.done);
  assert_int_not_equal(c.status.kind, ERROR_NONE);
  f.channel = channel;
  fixture_stop(&f);
}

static void test_unary_without_message(void **state) {
  Service s = {0};
  Fixture f;
  Client c;
  start(&f, &s);
  client_start(&c, &f, "/test.Stream/Field", 10000);
  rpc_client_half_close(c.call);
  fixture_wait(&f, &c.done);
  assert_int_equal(c.status.kind, ERROR_INVALID_ARGUMENT);
  assert_string_equal(c.status.message, "the request message is missing");
  fixture_stop(&f);
}

static void test_bad_header(void **state) {
  static const RpcClientHandlers handlers = {.on_message = client_message, .on_done = client_done};
  Service s = {0};
  Fixture f;
  Client c = {.keep_reading = true};
  start(&f, &s);
  RpcMetadata metadata = {.key = "x-name", .value = "a\nb"};
  rpc_client_call(f.channel, "/test.Stream/Echo", 10000, true, &metadata, 1, &handlers, &c);
  fixture_wait(&f, &c.done);
  assert_int_equal(c.status.kind, ERROR_INVALID_ARGUMENT);
  fixture_stop(&f);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_echo),
      cmocka_unit_test(test_proxy),
      cmocka_unit_test(test_turn_by_turn),
      cmocka_unit_test(test_queued_writes_before_status),
      cmocka_unit_test(test_back_pressure),
      cmocka_unit_test(test_client_cancels),
      cmocka_unit_test(test_client_vanishes),
      cmocka_unit_test(test_upload_whole),
      cmocka_unit_test(test_upload_cut_short),
      cmocka_unit_test(test_deadline),
      cmocka_unit_test(test_cancel_through_proxy),
      cmocka_unit_test(test_details_through_proxy),
      cmocka_unit_test(test_drain_cancels_the_rest),
      cmocka_unit_test(test_unary_without_message),
      cmocka_unit_test(test_bad_header),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
