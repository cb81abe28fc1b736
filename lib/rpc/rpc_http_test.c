/* Calls over HTTP byte for byte: what comes in, and what leaves by an exit that keeps it. Time stands still. */
#include "lib/rpc/rpc_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/compiler.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/rpc/rpc_http_head.h"
#include "lib/rpc/rpc_http_text.h"

enum { MAX_MESSAGE = 1000, MAX_CALLS = 3 };

typedef struct Peer {
  Loop *loop;
  RpcHttp *http;
  RpcHttpCall *call;
  /* What left. */
  int status;
  Buf head; /* "name: value\n" */
  Buf body;
  Buf trailers;
  bool ended;
  size_t took;
  bool full;
  /* What the handlers saw. */
  RpcCall *held;
  int started, cancelled, done, written, messages, ends;
  ErrorKind done_status;
  bool drained;
} Peer;

static void keep(Buf *out, const RpcMetadata *fields, size_t n) {
  for (size_t i = 0; i < n; i++)
    assert_int_equal(buf_printf(out, "%s: %s\n", fields[i].key, fields[i].value), 0);
}

static void respond(void *arg, int status, const RpcMetadata *fields, size_t n, bool ended) {
  Peer *p = arg;
  assert_int_equal(p->status, 0);
  p->status = status;
  p->ended = ended;
  keep(&p->head, fields, n);
}

static void write_body(void *arg, const void *data, size_t len) {
  Peer *p = arg;
  assert_true(p->status && !p->ended);
  assert_int_equal(buf_append(&p->body, data, len), 0);
}

static void finish(void *arg, const RpcMetadata *trailers, size_t n) {
  Peer *p = arg;
  assert_true(p->status && !p->ended);
  p->ended = true;
  keep(&p->trailers, trailers, n);
}

static bool is_full(void *arg) {
  return ((Peer *)arg)->full;
}

static void took(void *arg, size_t len) {
  ((Peer *)arg)->took += len;
}

static const RpcHttpExit OUT = {respond, write_body, finish, is_full, took};

/* ---- The service ---- */

static void echo(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  ((Peer *)service)->started++;
  rpc_call_reply(call, data, len);
}

static void on_cancel(RpcCall *call, void *arg) {
  Peer *p = arg;
  p->cancelled++;
  p->held = NULL;
  rpc_call_finish(call, NULL);
}

static void hold(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  Peer *p = service;
  p->started++;
  p->held = call;
  rpc_call_on_cancel(call, on_cancel, p);
}

static void on_message(RpcCall *call, void *arg, const uint8_t *data, size_t len) {
  Peer *p = arg;
  if (data)
    p->messages++;
  else
    p->ends++;
}

static void fail_oddly(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  Error err;
  error_field(&err, "name", "100%% wr\xc3\xb6ng\n");
  rpc_call_finish(call, &err);
}

static void tell_binary(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  const char *value = rpc_call_metadata(call, "x-key-bin"), *bad = rpc_call_metadata(call, "x-bad-bin");
  rpc_call_reply(call, (const uint8_t *)(bad ? "" : value), bad ? 0 : strlen(value));
}

static void on_done(void *service, const char *path, ErrorKind status, int64_t duration_us, void *observer) {
  Peer *p = service;
  p->done++;
  p->done_status = status;
}

static const RpcMethod METHODS[] = {{"/t.S/Echo", RPC_UNARY, echo},
                                    {"/t.S/Hold", RPC_STREAM, hold},
                                    {"/t.S/HoldOne", RPC_UNARY, hold},
                                    {"/t.S/Fail", RPC_UNARY, fail_oddly},
                                    {"/t.S/Binary", RPC_UNARY, tell_binary}};

static void start(Peer *p, const char *origins) {
  const RpcServerConfig config = {.methods = METHODS,
                                  .n_methods = ARRAY_LEN(METHODS),
                                  .service = p,
                                  .max_message_bytes = MAX_MESSAGE,
                                  .max_calls = MAX_CALLS,
                                  .on_done = on_done};
  Error err;
  *p = (Peer){.loop = loop_new()};
  loop_hold_time(p->loop);
  p->http = rpc_http_new(p->loop, &config, origins, &err);
  assert_non_null(p->http);
}

static void pass(Peer *p, int64_t ms) {
  loop_pass_time(p->loop, ms);
}

static void stop_loop(void *arg) {
  loop_stop(arg);
}

/* What is due in a turn of its own is told. */
static void turn(Peer *p) {
  LoopTimer *timer = loop_timer_new(p->loop, stop_loop, p->loop);
  loop_timer_start(timer, 0);
  loop_run(p->loop);
  loop_timer_free(timer);
}

static void close_call(Peer *p, bool answered) {
  rpc_http_close(p->call, answered);
  p->call = NULL;
  buf_deinit(&p->head);
  buf_deinit(&p->body);
  buf_deinit(&p->trailers);
  p->status = 0;
  p->took = 0;
  p->ended = p->full = false;
}

static void stop(Peer *p) {
  if (p->call)
    close_call(p, true);
  rpc_http_free(p->http);
  loop_free(p->loop);
}

#define FIELDS(...) ((const RpcMetadata[]){__VA_ARGS__}), ARRAY_LEN(((const RpcMetadata[]){__VA_ARGS__}))
#define GRPC \
  { "content-type", "application/grpc" }
#define WEB \
  { "content-type", "application/grpc-web+proto" }

static void begin_as(Peer *p, const char *method, const char *path, bool is_http2, const RpcMetadata *fields,
                     size_t n) {
  const RpcHttpRequest request = {
      .method = method, .path = path, .fields = fields, .n_fields = n, .peer = "ipv4:10.0.0.1:5", .is_http2 = is_http2};
  p->call = rpc_http_begin(p->http, &request, &OUT, p);
}

static void begin(Peer *p, const char *path, const RpcMetadata *fields, size_t n) {
  begin_as(p, "POST", path, true, fields, n);
}

static void body(Peer *p, const void *data, size_t len) {
  rpc_http_body(p->call, data, len);
}

static void ask(Peer *p, const char *path, const void *data, size_t len) {
  begin(p, path, FIELDS(GRPC));
  body(p, data, len);
  rpc_http_end(p->call);
}

static void expect_refused(Peer *p, int status) {
  assert_int_equal(p->status, status);
  assert_true(p->ended);
  assert_int_equal(p->started, 0);
  close_call(p, true);
}

/* A status in the head, without a message before it. */
static void expect_status(Peer *p, int status, const char *message) {
  char line[32];
  snprintf(line, sizeof line, "grpc-status: %d\n", status);
  assert_int_equal(p->status, 200);
  assert_true(p->ended);
  assert_contains(buf_str(&p->head), line);
  assert_contains(buf_str(&p->head), message);
  assert_contains(buf_str(&p->head), "content-type: application/grpc\n");
  assert_int_equal(p->body.len, 0);
  close_call(p, true);
}

/* ---- Heads ---- */

static void test_content_types(void **state) {
  assert_int_equal(rpc_http_form("application/grpc"), RPC_FORM_GRPC);
  assert_int_equal(rpc_http_form("application/grpc+proto"), RPC_FORM_GRPC);
  assert_int_equal(rpc_http_form("Application/GRPC; charset=utf-8"), RPC_FORM_GRPC);
  assert_int_equal(rpc_http_form("application/grpc-web"), RPC_FORM_WEB);
  assert_int_equal(rpc_http_form("application/grpc-web+proto"), RPC_FORM_WEB);
  assert_int_equal(rpc_http_form("application/grpc-web-text"), RPC_FORM_WEB_TEXT);
  assert_int_equal(rpc_http_form("application/grpc-web-text+proto"), RPC_FORM_WEB_TEXT);
  static const char *const NONE[] = {
      "application/grpc+json", "application/grpc-web+json", "application/grpcx", "application/json", "", NULL};
  for (size_t i = 0; i < ARRAY_LEN(NONE); i++)
    assert_int_equal(rpc_http_form(NONE[i]), RPC_FORM_NONE);
}

static void expect_timeout(const char *text, int64_t expected) {
  int64_t ms = -1;
  assert_int_equal(rpc_http_timeout_ms(text, &ms), expected < 0 ? -1 : 0);
  if (expected >= 0)
    assert_int_equal(ms, expected);
}

static void test_timeouts(void **state) {
  expect_timeout("1H", 3600000);
  expect_timeout("2M", 120000);
  expect_timeout("3S", 3000);
  expect_timeout("4m", 4);
  expect_timeout("5u", 1);
  expect_timeout("1001u", 2);
  expect_timeout("6n", 1);
  expect_timeout("0n", 0);
  expect_timeout("99999999H", INT64_C(359999996400000));
  static const char *const BAD[] = {"", "1", "m", "1s", "-1m", "+1m", "1.5S", "123456789m", "1 m", " 1m", "1mm", "1m "};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    expect_timeout(BAD[i], -1);
}

static void test_refused_as_http(void **state) {
  Peer p;
  start(&p, "");
  begin(&p, "/t.S/Echo", FIELDS({"content-type", "application/json"}));
  expect_refused(&p, 415);
  begin(&p, "/t.S/Echo", NULL, 0);
  expect_refused(&p, 415);
  begin(&p, "/t.S/Echo", FIELDS({"content-type", "application/grpc+json"}));
  expect_refused(&p, 415);
  begin_as(&p, "GET", "/t.S/Echo", true, FIELDS(GRPC));
  assert_contains(buf_str(&p.head), "allow: POST\n");
  expect_refused(&p, 405);
  /* without trailers there is no way to tell the status */
  begin_as(&p, "POST", "/t.S/Echo", false, FIELDS(GRPC));
  expect_refused(&p, 415);
  stop(&p);
  assert_int_equal(p.done, 0);
}

static void test_refused_by_status(void **state) {
  Peer p;
  start(&p, "");
  begin(&p, "/t.S/Echo", FIELDS(GRPC, {"grpc-encoding", "gzip"}));
  assert_contains(buf_str(&p.head), "grpc-accept-encoding: identity\n");
  expect_status(&p, 12, "grpc-encoding");
  begin(&p, "/t.S/Echo", FIELDS(GRPC, {"grpc-timeout", "1x"}));
  expect_status(&p, 13, "grpc-timeout");
  begin(&p, "/t.S/Echo", FIELDS(GRPC, {"grpc-timeout", "0m"}));
  expect_status(&p, 4, "deadline");
  begin(&p, "/t.S/Nothing", FIELDS(GRPC));
  expect_status(&p, 12, "unknown method /t.S/Nothing");
  begin(&p, "/t.S/Echo?x", FIELDS(GRPC));
  expect_status(&p, 12, "unknown method");
  stop(&p);
  assert_int_equal(p.started, 0);
  assert_int_equal(p.done, 5);
}

static void test_takes(void **state) {
  Peer p;
  start(&p, "");
  RpcMetadata type = {"content-type", "application/grpc-anything"};
  RpcHttpRequest request = {.method = "POST", .path = "/x", .fields = &type, .n_fields = 1};
  assert_true(rpc_http_takes(p.http, &request));
  request.n_fields = 0;
  assert_false(rpc_http_takes(p.http, &request));
  request.path = "/t.S/Echo";
  assert_true(rpc_http_takes(p.http, &request));
  request.path = "/grpc.health.v1.Health/Check";
  assert_true(rpc_http_takes(p.http, &request));
  stop(&p);
}

/* ---- Messages ---- */

static void test_unary(void **state) {
  Peer p;
  start(&p, "");
  ask(&p, "/t.S/Echo", "\0\0\0\0\5hello", 10);
  assert_int_equal(p.status, 200);
  assert_string_equal(buf_str(&p.head), "content-type: application/grpc\ngrpc-accept-encoding: identity\n");
  assert_int_equal(p.body.len, 10);
  assert_memory_equal(p.body.data, "\0\0\0\0\5hello", 10);
  assert_string_equal(buf_str(&p.trailers), "grpc-status: 0\n");
  assert_int_equal(p.took, 10);
  stop(&p);
  assert_int_equal(p.done, 1);
  assert_int_equal(p.done_status, ERROR_NONE);
}

static void test_status_text(void **state) {
  Peer p;
  start(&p, "");
  ask(&p, "/t.S/Fail", "\0\0\0\0\0", 5);
  assert_contains(buf_str(&p.head), "grpc-message: name: 100%25 wr%C3%B6ng%0A\n");
  /* base64 without padding */
  assert_contains(buf_str(&p.head), "grpc-status-details-bin: CAM");
  assert_null(strchr(buf_str(&p.head), '='));
  expect_status(&p, 3, "");
  stop(&p);
}

static void test_byte_by_byte(void **state) {
  static const char MESSAGE[] = "\0\0\0\0\3abc";
  Peer p;
  start(&p, "");
  begin(&p, "/t.S/Echo", FIELDS(GRPC));
  for (size_t i = 0; i < 8; i++) {
    assert_int_equal(p.started, 0);
    body(&p, MESSAGE + i, 1);
  }
  assert_int_equal(p.started, 0);
  rpc_http_end(p.call);
  assert_int_equal(p.started, 1);
  assert_memory_equal(p.body.data, MESSAGE, 8);
  stop(&p);
}

static void test_broken_messages(void **state) {
  Peer p;
  start(&p, "");
  ask(&p, "/t.S/Echo", "\1\0\0\0\0", 5);
  expect_status(&p, 13, "compressed");
  ask(&p, "/t.S/Echo", "\2\0\0\0\0", 5);
  expect_status(&p, 13, "flags 2");
  ask(&p, "/t.S/Echo", "\0\0\0\3\351", 5);
  expect_status(&p, 8, "1001 bytes");
  ask(&p, "/t.S/Echo", "\0\377\377\377\377", 5);
  expect_status(&p, 8, "larger than 1000");
  ask(&p, "/t.S/Echo", "\0\0\0\0\4abc", 8);
  expect_status(&p, 13, "ends within a message");
  ask(&p, "/t.S/Echo", "\0\0", 2);
  expect_status(&p, 13, "ends within a message");
  ask(&p, "/t.S/Echo", "\0\0\0\0\0\0\0\0\0\0", 10);
  expect_status(&p, 13, "more than one message");
  ask(&p, "/t.S/Echo", "", 0);
  expect_status(&p, 3, "the request message is missing");
  stop(&p);
  assert_int_equal(p.started, 0);
}

/* Nothing is taken that nobody has asked for, and one message is told at a time. */
static void test_reading(void **state) {
  Peer p;
  start(&p, "");
  begin(&p, "/t.S/Hold", FIELDS(GRPC));
  assert_int_equal(p.started, 1);
  body(&p, "\0\0\0\0\1a\0\0\0\0\1b\0\0\0", 15);
  assert_int_equal(p.took, 0);
  rpc_call_read(p.held, on_message, &p);
  assert_int_equal(p.messages, 0);
  turn(&p);
  assert_int_equal(p.messages, 1);
  assert_int_equal(p.took, 6);
  rpc_call_read(p.held, on_message, &p);
  turn(&p);
  assert_int_equal(p.messages, 2);
  assert_int_equal(p.took, 12);
  /* one that is asked for must become whole */
  rpc_call_read(p.held, on_message, &p);
  turn(&p);
  assert_int_equal(p.took, 15);
  body(&p, "\0\0", 2);
  assert_int_equal(p.messages, 3);
  rpc_http_end(p.call);
  assert_int_equal(p.ends, 0);
  rpc_call_read(p.held, on_message, &p);
  turn(&p);
  assert_int_equal(p.ends, 1);
  rpc_call_finish(p.held, NULL);
  expect_status(&p, 0, "");
  stop(&p);
}

static void on_written(RpcCall *call, void *arg) {
  ((Peer *)arg)->written++;
}

static void test_back_pressure(void **state) {
  static const uint8_t DATA[MAX_MESSAGE];
  Peer p;
  start(&p, "");
  begin(&p, "/t.S/Hold", FIELDS(GRPC));
  rpc_call_write(p.held, DATA, 10, on_written, &p);
  assert_int_equal(p.written, 0);
  assert_int_equal(rpc_call_pending_bytes(p.held), 0);
  turn(&p);
  assert_int_equal(p.written, 1);
  p.full = true;
  rpc_call_write(p.held, DATA, MAX_MESSAGE, on_written, &p);
  turn(&p);
  assert_int_equal(p.written, 1);
  assert_int_equal(rpc_call_pending_bytes(p.held), MAX_MESSAGE);
  p.full = false;
  rpc_http_drained(p.call);
  assert_int_equal(p.written, 2);
  assert_int_equal(rpc_call_pending_bytes(p.held), 0);
  assert_int_equal(p.body.len, 10 + MAX_MESSAGE + 10);
  /* the status waits for what is before it */
  p.full = true;
  rpc_call_write(p.held, DATA, 1, on_written, &p);
  rpc_call_finish(p.held, NULL);
  assert_false(p.ended);
  p.full = false;
  rpc_http_drained(p.call);
  assert_true(p.ended);
  assert_int_equal(p.written, 2);
  stop(&p);
}

static void test_answer_too_large(void **state) {
  static const uint8_t DATA[MAX_MESSAGE + 1];
  Peer p;
  start(&p, "");
  begin(&p, "/t.S/Hold", FIELDS(GRPC));
  rpc_call_write(p.held, DATA, sizeof DATA, NULL, NULL);
  rpc_call_finish(p.held, NULL);
  expect_status(&p, 8, "the answer is larger than 1000 bytes");
  stop(&p);
}

static void test_binary_metadata(void **state) {
  Peer p;
  start(&p, "");
  begin(&p, "/t.S/Binary", FIELDS(GRPC, {"x-key-bin", "aGVsbG8,d29ybGQ="}, {"x-bad-bin", "!"}));
  body(&p, "\0\0\0\0\0", 5);
  rpc_http_end(p.call);
  assert_int_equal(p.body.len, 10);
  assert_memory_equal(p.body.data, "\0\0\0\0\5hello", 10);
  stop(&p);
}

/* ---- Time ---- */

static void test_first_message(void **state) {
  Peer p;
  start(&p, "");
  begin(&p, "/t.S/Hold", FIELDS(GRPC));
  rpc_call_read(p.held, on_message, &p);
  pass(&p, 9000);
  assert_int_equal(p.cancelled, 0);
  pass(&p, 2000);
  assert_int_equal(p.cancelled, 1);
  expect_status(&p, 4, "no whole message came within 10 s");
  /* one that has begun to come has longer */
  begin(&p, "/t.S/Echo", FIELDS(GRPC));
  body(&p, "\0", 1);
  pass(&p, 60000);
  assert_false(p.ended);
  pass(&p, 11000);
  expect_status(&p, 4, "no whole message came within 70 s");
  /* with it, no time is limited */
  begin(&p, "/t.S/Hold", FIELDS(GRPC));
  rpc_call_read(p.held, on_message, &p);
  body(&p, "\0\0\0\0\0", 5);
  assert_int_equal(p.messages, 1);
  pass(&p, 3600000);
  assert_non_null(p.held);
  rpc_call_finish(p.held, NULL);
  expect_status(&p, 0, "");
  stop(&p);
}

static void test_deadline(void **state) {
  Peer p;
  start(&p, "");
  begin(&p, "/t.S/Hold", FIELDS(GRPC, {"grpc-timeout", "300m"}));
  assert_int_equal(rpc_call_time_left_ms(p.held), 300);
  pass(&p, 299);
  assert_int_equal(p.cancelled, 0);
  pass(&p, 1);
  assert_int_equal(p.cancelled, 1);
  expect_status(&p, 4, "the deadline has passed");
  /* also for one that still waits for its request */
  begin(&p, "/t.S/Echo", FIELDS(GRPC, {"grpc-timeout", "1S"}));
  pass(&p, 1000);
  expect_status(&p, 4, "the deadline has passed");
  stop(&p);
}

/* ---- Ends ---- */

static void test_client_goes(void **state) {
  Peer p;
  start(&p, "");
  begin(&p, "/t.S/Hold", FIELDS(GRPC));
  rpc_call_read(p.held, on_message, &p);
  close_call(&p, false);
  assert_int_equal(p.cancelled, 1);
  assert_int_equal(p.ends, 0);
  assert_int_equal(p.done, 1);
  assert_int_equal(p.done_status, ERROR_CANCELLED);
  /* one that no handler has had never was */
  begin(&p, "/t.S/Echo", FIELDS(GRPC));
  close_call(&p, false);
  assert_int_equal(p.done, 1);
  stop(&p);
}

static void test_max_calls(void **state) {
  Peer p;
  RpcHttpCall *held[MAX_CALLS];
  start(&p, "");
  for (int i = 0; i < MAX_CALLS; i++) {
    begin(&p, "/t.S/Echo", FIELDS(GRPC));
    held[i] = p.call;
  }
  begin(&p, "/t.S/Echo", FIELDS(GRPC));
  expect_status(&p, 8, "3 calls under way");
  ask(&p, "/grpc.health.v1.Health/Check", "\0\0\0\0\0", 5);
  assert_string_equal(buf_str(&p.trailers), "grpc-status: 0\n");
  close_call(&p, true);
  for (int i = 0; i < MAX_CALLS; i++) {
    p.call = held[i];
    close_call(&p, false);
  }
  ask(&p, "/t.S/Echo", "\0\0\0\0\0", 5);
  assert_string_equal(buf_str(&p.trailers), "grpc-status: 0\n");
  stop(&p);
}

static void on_drained(void *arg) {
  ((Peer *)arg)->drained = true;
}

static void test_drain(void **state) {
  Peer p;
  start(&p, "");
  begin(&p, "/t.S/Hold", FIELDS(GRPC));
  rpc_http_drain(p.http, 5000, on_drained, &p);
  pass(&p, 4999);
  assert_int_equal(p.cancelled, 0);
  pass(&p, 1);
  assert_int_equal(p.cancelled, 1);
  assert_false(p.drained);
  expect_status(&p, 14, "the server is shutting down");
  assert_true(p.drained);
  begin(&p, "/t.S/Hold", FIELDS(GRPC));
  expect_status(&p, 14, "the server is shutting down");
  stop(&p);
}

static void test_drain_of_one_that_gathers(void **state) {
  Peer p;
  start(&p, "");
  begin(&p, "/t.S/Echo", FIELDS(GRPC));
  rpc_http_drain(p.http, 5000, on_drained, &p);
  pass(&p, 5000);
  expect_status(&p, 14, "the server is shutting down");
  assert_true(p.drained);
  stop(&p);
}

/* ---- gRPC-Web ---- */

static void test_web(void **state) {
  static const char ANSWER[] = "\0\0\0\0\2hi\200\0\0\0\20grpc-status: 0\r\n";
  Peer p;
  start(&p, "");
  begin_as(&p, "POST", "/t.S/Echo", false, FIELDS(WEB));
  body(&p, "\0\0\0\0\2hi", 7);
  rpc_http_end(p.call);
  assert_contains(buf_str(&p.head), "content-type: application/grpc-web+proto\n");
  assert_int_equal(p.body.len, sizeof ANSWER - 1);
  assert_memory_equal(p.body.data, ANSWER, sizeof ANSWER - 1);
  assert_int_equal(p.trailers.len, 0);
  close_call(&p, true);
  /* a status alone is in the body, too */
  begin_as(&p, "POST", "/t.S/No", false, FIELDS(WEB));
  assert_contains(buf_str(&p.body), "");
  assert_int_equal(p.body.data[0], 0x80);
  assert_contains((const char *)p.body.data + 5, "grpc-status: 12\r\ngrpc-message: unknown method /t.S/No\r\n");
  assert_int_equal(p.body.data[4], p.body.len - 5);
  stop(&p);
}

static void test_web_text(void **state) {
  /* each piece padded by itself, and torn */
  static const char ASKED[] = "AAAAAAI=aGk=";
  Peer p;
  start(&p, "");
  begin_as(&p, "POST", "/t.S/Echo", false, FIELDS({"content-type", "application/grpc-web-text"}));
  for (size_t i = 0; i < sizeof ASKED - 1; i++)
    body(&p, ASKED + i, 1);
  rpc_http_end(p.call);
  assert_contains(buf_str(&p.head), "content-type: application/grpc-web-text+proto\n");
  assert_string_equal(buf_str(&p.body), "AAAAAAJoaQ==gAAAABBncnBjLXN0YXR1czogMA0K");
  assert_int_equal(p.took, sizeof ASKED - 1);
  close_call(&p, true);
  begin_as(&p, "POST", "/t.S/Echo", false, FIELDS({"content-type", "application/grpc-web-text"}));
  body(&p, "!!!!", 4);
  assert_true(p.ended);
  stop(&p);
}

static void test_origins(void **state) {
  Peer p;
  start(&p, "");
  begin(&p, "/t.S/Echo", FIELDS(WEB, {"origin", "http://a.test"}));
  expect_refused(&p, 403);
  begin_as(&p, "OPTIONS", "/t.S/Echo", true,
           FIELDS({"origin", "http://a.test"}, {"access-control-request-method", "POST"}));
  assert_null(strstr(buf_str(&p.head), "access-control"));
  expect_refused(&p, 403);
  stop(&p);

  start(&p, "http://b.test:3000,https://a.test");
  begin_as(&p, "OPTIONS", "/t.S/Echo", true,
           FIELDS({"origin", "https://a.test"}, {"access-control-request-method", "POST"},
                  {"access-control-request-headers", "content-type,x-grpc-web"}));
  assert_contains(buf_str(&p.head), "access-control-allow-origin: https://a.test\n");
  assert_contains(buf_str(&p.head), "access-control-allow-methods: POST\n");
  assert_contains(buf_str(&p.head), "access-control-allow-headers: content-type,x-grpc-web\n");
  expect_refused(&p, 204);
  begin(&p, "/t.S/Echo", FIELDS(WEB, {"origin", "https://a.test"}));
  body(&p, "\0\0\0\0\0", 5);
  rpc_http_end(p.call);
  assert_contains(buf_str(&p.head), "access-control-allow-origin: https://a.test\n");
  assert_contains(buf_str(&p.head), "access-control-expose-headers: grpc-status, grpc-message");
  assert_contains(buf_str(&p.head), "vary: origin\n");
  stop(&p);
}

static void test_origin_lists(void **state) {
  assert_false(rpc_http_lists_origin("", "http://a"));
  assert_false(rpc_http_lists_origin("", "null"));
  assert_true(rpc_http_lists_origin("*", "http://a"));
  assert_true(rpc_http_lists_origin("http://b,http://a", "http://a"));
  assert_false(rpc_http_lists_origin("http://a.test", "http://a"));
  assert_false(rpc_http_lists_origin("http://a", "http://a.test"));
  assert_false(rpc_http_lists_origin("https://a", "http://a"));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_content_types),
      cmocka_unit_test(test_timeouts),
      cmocka_unit_test(test_refused_as_http),
      cmocka_unit_test(test_refused_by_status),
      cmocka_unit_test(test_takes),
      cmocka_unit_test(test_unary),
      cmocka_unit_test(test_status_text),
      cmocka_unit_test(test_byte_by_byte),
      cmocka_unit_test(test_broken_messages),
      cmocka_unit_test(test_reading),
      cmocka_unit_test(test_back_pressure),
      cmocka_unit_test(test_answer_too_large),
      cmocka_unit_test(test_binary_metadata),
      cmocka_unit_test(test_first_message),
      cmocka_unit_test(test_deadline),
      cmocka_unit_test(test_client_goes),
      cmocka_unit_test(test_max_calls),
      cmocka_unit_test(test_drain),
      cmocka_unit_test(test_drain_of_one_that_gathers),
      cmocka_unit_test(test_web),
      cmocka_unit_test(test_web_text),
      cmocka_unit_test(test_origins),
      cmocka_unit_test(test_origin_lists),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
