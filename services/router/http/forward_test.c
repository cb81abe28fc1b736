/* What of a head is passed on, and what never is. */
#include "services/router/http/forward.h"

#include <string.h>

#include "lib/base/test.h"

typedef struct Run {
  Buf out;
  ForwardRequest request; /* without its path: the head's */
  ForwardClient client;
  bool keep_alive;
  ForwardBody body;
} Run;

static bool on_head(void *arg, const HttpHead *head) {
  Run *r = arg;
  if (head->method) {
    if (!r->request.path)
      r->request.path = forward_path(head);
    r->request.peer = &(ForwardPeer){.ip = "192.0.2.1"};
    r->request.proto = r->request.proto ? r->request.proto : "http";
    r->request.port = 3000;
    r->body = forward_request(&r->out, head, &r->request);
  } else if (head->status == 101)
    forward_switch(&r->out, head);
  else
    r->body = forward_response(&r->out, head, r->client, &r->keep_alive);
  return false;
}

static void pass(HttpSide side, const char *text, Run *r) {
  static const HttpReaderHandlers HANDLERS = {.on_head = on_head};
  HttpReader *reader = http_reader_new(side, &HANDLERS, r);
  size_t used;
  Error err;
  assert_ok(http_reader_feed(reader, text, strlen(text), &used, &err), &err);
  http_reader_free(reader);
}

static void expect_request(const char *text, ForwardThen then, const char *want, ForwardBody body) {
  Run r = {.request.then = then};
  pass(HTTP_REQUESTS, text, &r);
  assert_string_equal(buf_str(&r.out), want);
  assert_int_equal(r.body, body);
  buf_deinit(&r.out);
}

#define TAIL "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: h:1\r\nX-Forwarded-Proto: http\r\n"

static void test_request(void **state) {
  expect_request("GET /a%2Fb/../c?x=1&y=%20 HTTP/1.1\r\nHost: h:1\r\nAccept: */*\r\nCookie: a=b\r\n\r\n",
                 FORWARD_THEN_CLOSE,
                 "GET /a%2Fb/../c?x=1&y=%20 HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nAccept: */*\r\nCookie: a=b\r\n" TAIL
                 "Connection: close\r\n\r\n",
                 FORWARD_NO_BODY);
  expect_request("GET http://h:1/?q HTTP/1.1\r\nHost: h:1\r\n\r\n", FORWARD_THEN_CLOSE,
                 "GET /?q HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n" TAIL "Connection: close\r\n\r\n", FORWARD_NO_BODY);
  /* kept: neither the client's wish nor its values */
  expect_request("GET / HTTP/1.1\r\nHost: h:1\r\nConnection: close, X-A\r\nX-A: 1\r\nKeep-Alive: timeout=9\r\n\r\n",
                 FORWARD_THEN_KEEP, "GET / HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n" TAIL "\r\n", FORWARD_NO_BODY);
}

/* What the client says of its connection counts on neither. */
static void test_request_in_tls(void **state) {
  for (int tls = 0; tls < 2; tls++) {
    Run r = {.request.proto = tls ? "https" : "http"};
    pass(HTTP_REQUESTS,
         tls ? "GET / HTTP/1.1\r\nX-Forwarded-Proto: http\r\n\r\n"
             : "GET / HTTP/1.1\r\nX-Forwarded-Proto: https\r\n\r\n",
         &r);
    assert_contains(buf_str(&r.out), tls ? "X-Forwarded-Proto: https\r\n" : "X-Forwarded-Proto: http\r\n");
    assert_lacks(buf_str(&r.out), tls ? "X-Forwarded-Proto: http\r\n" : "X-Forwarded-Proto: https\r\n");
    buf_deinit(&r.out);
  }
}

typedef struct HeadSeen {
  bool upgrades;
} HeadSeen;

static bool see_head(void *arg, const HttpHead *head) {
  ((HeadSeen *)arg)->upgrades = forward_upgrades(head);
  return false;
}

static void test_trace(void **state) {
  static const char TEXT[] = "GET / HTTP/1.1\r\nHost: h:1\r\ntraceparent: theirs\r\ntracestate: a=b\r\n\r\n";
  expect_request(TEXT, FORWARD_THEN_CLOSE,
                 "GET / HTTP/1.1\r\nHost: 127.0.0.1:3000\r\ntraceparent: theirs\r\ntracestate: a=b\r\n" TAIL
                 "Connection: close\r\n\r\n",
                 FORWARD_NO_BODY);
  Run r = {.request.traceparent = "ours"};
  pass(HTTP_REQUESTS, TEXT, &r);
  assert_string_equal(buf_str(&r.out),
                      "GET / HTTP/1.1\r\nHost: 127.0.0.1:3000\r\ntracestate: a=b\r\nTraceparent: ours\r\n" TAIL
                      "Connection: close\r\n\r\n");
  buf_deinit(&r.out);
}

static void test_what_stays_outside(void **state) {
  expect_request("POST / HTTP/1.1\r\nHost: h:1\r\nContent-Length: 3\r\nAuthorization: Bearer x\r\n"
                 "X-Sandbox-ID: a\r\nX-Sandbox-Namespace: b\r\nX-Sandbox-Port: 1\r\nX-Sandbox-Pod-IP: 10.0.0.1\r\n"
                 "X-Sandbox-Timeout: 1\r\nX-Sandbox-UID: u\r\nForwarded: for=1.2.3.4\r\nX-Forwarded-For: "
                 "1.2.3.4\r\nx-forwarded-user: "
                 "root\r\n"
                 "Connection: keep-alive, X-Mine, Content-Length\r\nX-Mine: 1\r\nKeep-Alive: 1\r\nProxy-Connection: "
                 "x\r\n"
                 "Proxy-Authorization: x\r\nTE: trailers, deflate\r\nTrailer: x\r\nUpgrade: h2c\r\nExpect: "
                 "100-continue\r\n"
                 "X-Kept: yes\r\n\r\n",
                 FORWARD_THEN_CLOSE,
                 "POST / HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nX-Kept: yes\r\n" TAIL
                 "TE: trailers\r\nContent-Length: 3\r\nConnection: close\r\n\r\n",
                 FORWARD_LENGTH);
}

/* Fields that nobody knows yet, and what becomes of an underscore behind a gateway of old. */
static void test_lookalikes_stay_outside(void **state) {
  expect_request("GET / HTTP/1.1\r\nHost: h:1\r\nX-Sandbox-Tomorrow: 1\r\nx_sandbox_id: a\r\nX-Sandbox_UID: u\r\n"
                 "X_Forwarded_For: 1.2.3.4\r\nX_forwarded-Prefix: /x\r\nX_Real_IP: 1.2.3.4\r\n"
                 "X-Sandboxes: kept\r\nX_Own: kept\r\n\r\n",
                 FORWARD_THEN_CLOSE,
                 "GET / HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nX-Sandboxes: kept\r\nX_Own: kept\r\n" TAIL
                 "Connection: close\r\n\r\n",
                 FORWARD_NO_BODY);
  assert_false(forward_allows_trailer("X_Sandbox-Anything"));
}

/* A request by path, and with the cookie that only the router is to see. */
static void test_prefix_and_cookie(void **state) {
  Run r = {.request = {.path = "/rest?q", .prefix = "/p/ns/box/3000", .proto = "https", .cookie = "sb"}};
  pass(HTTP_REQUESTS,
       "GET /p/ns/box/3000/rest?q HTTP/1.1\r\nHost: h:1\r\nCookie: a=1; sb=secret;b=2 ; SB=3\r\ncookie: sb=x\r\n\r\n",
       &r);
  assert_string_equal(buf_str(&r.out),
                      "GET /rest?q HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nCookie: a=1; b=2; SB=3\r\n"
                      "X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Host: h:1\r\nX-Forwarded-Proto: https\r\n"
                      "X-Forwarded-Prefix: /p/ns/box/3000\r\nConnection: close\r\n\r\n");
  buf_deinit(&r.out);
}

static void test_framing_is_our_own(void **state) {
  expect_request("POST / HTTP/1.1\r\nHost: h:1\r\nTransfer-Encoding: Chunked\r\nConnection: Transfer-Encoding\r\n\r\n",
                 FORWARD_THEN_CLOSE,
                 "POST / HTTP/1.1\r\nHost: 127.0.0.1:3000\r\n" TAIL
                 "Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
                 FORWARD_CHUNKED);
}

static void expect_upgrade(const char *method_and_fields, bool want) {
  Buf text = {0};
  assert_int_equal(buf_printf(&text, "GET / HTTP/1.1\r\nHost: h\r\n%s\r\n", method_and_fields), 0);
  HeadSeen seen = {false};
  HttpReader *r = http_reader_new(HTTP_REQUESTS, &(HttpReaderHandlers){.on_head = see_head}, &seen);
  size_t used;
  Error err;
  assert_ok(http_reader_feed(r, text.data, text.len, &used, &err), &err);
  assert_int_equal(seen.upgrades, want);
  http_reader_free(r);
  buf_deinit(&text);
}

static void test_which_upgrades_count(void **state) {
  expect_upgrade("Connection: Upgrade\r\nUpgrade: websocket\r\n", true);
  expect_upgrade("Connection: keep-alive, upgrade\r\nUpgrade: TCP\r\n", true);
  expect_upgrade("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAM\r\n", false);
  expect_upgrade("Connection: Upgrade\r\nUpgrade: TLS/1.2, H2C\r\n", false);
  expect_upgrade("Upgrade: websocket\r\n", false);
  expect_upgrade("Connection: Upgrade\r\n", false);
  expect_upgrade("Connection: keep-alive\r\nUpgrade-Insecure-Requests: 1\r\n", false);
  expect_upgrade("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 1\r\n", false);
}

static void test_upgrade(void **state) {
  expect_request("GET /ws HTTP/1.1\r\nHost: h:1\r\nOrigin: http://o\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                 "Sec-WebSocket-Key: k\r\n\r\n",
                 FORWARD_THEN_UPGRADE,
                 "GET /ws HTTP/1.1\r\nHost: 127.0.0.1:3000\r\nSec-WebSocket-Key: k\r\n" TAIL
                 "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
                 FORWARD_NO_BODY);
  Run r = {0};
  pass(HTTP_RESPONSES,
       "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "
       "websocket\r\nSec-WebSocket-Accept: a\r\n\r\n",
       &r);
  assert_string_equal(buf_str(&r.out), "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: a\r\n"
                                       "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
  buf_deinit(&r.out);
}

static void expect_response(const char *text, int minor, bool keep, const char *want, ForwardBody body,
                            bool want_keep) {
  Run r = {.client = {minor, keep}};
  pass(HTTP_RESPONSES, text, &r);
  assert_string_equal(buf_str(&r.out), want);
  assert_int_equal(r.body, body);
  assert_int_equal(r.keep_alive, want_keep);
  buf_deinit(&r.out);
}

static void test_response(void **state) {
  expect_response("HTTP/1.0 200 Fine\r\nServer: s\r\nContent-Length: 2\r\nConnection: close\r\nKeep-Alive: x\r\n\r\n",
                  1, true, "HTTP/1.1 200 OK\r\nServer: s\r\nContent-Length: 2\r\n\r\n", FORWARD_LENGTH, true);
  expect_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 1, false,
                  "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n", FORWARD_CHUNKED, false);
  expect_response("HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", 1, true, "HTTP/1.1 204 No Content\r\n\r\n",
                  FORWARD_NO_BODY, true);
  expect_response("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: x\r\n\r\n", 1, true,
                  "HTTP/1.1 304 Not Modified\r\nETag: x\r\nContent-Length: 5\r\n\r\n", FORWARD_NO_BODY, true);
}

static void test_response_to_an_old_client(void **state) {
  expect_response("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n", 0, true,
                  "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\n", FORWARD_LENGTH, true);
  expect_response("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 0, true,
                  "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", FORWARD_TO_CLOSE, false);
}

static void test_paths(void **state) {
  static const struct {
    const char *method, *target, *path;
  } CASES[] = {{"GET", "/", "/"},          {"GET", "/a//b/./..", "/a//b/./.."},
               {"OPTIONS", "*", "*"},      {"GET", "*", NULL},
               {"GET", "a", NULL},         {"GET", "http://x/y?z", "/y?z"},
               {"GET", "HTTPS://x", "/"},  {"GET", "http://", NULL},
               {"GET", "http:///y", NULL}, {"GET", "ftp://x/y", NULL},
               {"CONNECT", "x:1", NULL}};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    HttpHead head = {.method = CASES[i].method, .target = CASES[i].target};
    const char *got = forward_path(&head);
    if (CASES[i].path)
      assert_string_equal(got, CASES[i].path);
    else
      assert_null(got);
  }
}

static void test_errors(void **state) {
  Buf out = {0};
  forward_error(&out, &(ForwardError){.status = 502, .detail = "No."}, true, false);
  assert_string_equal(buf_str(&out), "HTTP/1.1 502 Bad Gateway\r\nContent-Type: application/json\r\n"
                                     "Content-Length: 17\r\n\r\n{\"detail\":\"No.\"}\n");
  buf_consume(&out, out.len);
  forward_error(&out, &(ForwardError){.status = 503, .detail = "a \"b\"\n", .reason = "c"}, true, false);
  assert_string_equal(buf_str(&out), "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\n"
                                     "Content-Length: 36\r\nRetry-After: 1\r\n\r\n"
                                     "{\"detail\":\"a \\\"b\\\"\\n\",\"reason\":\"c\"}\n");
  buf_consume(&out, out.len);
  forward_error(&out, &(ForwardError){.status = 405, .detail = "No.", .allow = "GET"}, false, true);
  assert_string_equal(buf_str(&out), "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/json\r\n"
                                     "Content-Length: 17\r\nAllow: GET\r\nConnection: close\r\n\r\n");
  buf_consume(&out, out.len);
  forward_error(&out, &(ForwardError){.status = 302, .detail = "x", .location = "/y", .set_cookie = "a=b"}, true, true);
  assert_string_equal(buf_str(&out), "HTTP/1.1 302 Found\r\nContent-Type: application/json\r\nContent-Length: 15\r\n"
                                     "Location: /y\r\nCache-Control: no-store\r\nSet-Cookie: a=b\r\n\r\n");
  buf_deinit(&out);
}

static void test_chunks_and_trailers(void **state) {
  Buf out = {0};
  forward_chunk(&out, (const uint8_t *)"0123456789abcdefX", 17);
  assert_string_equal(buf_str(&out), "11\r\n0123456789abcdefX\r\n");
  buf_deinit(&out);
  assert_true(forward_allows_trailer("Server-Timing"));
  static const char *const BAD[] = {"Transfer-Encoding", "content-length", "Content-Type", "Connection",
                                    "Set-Cookie",        "Host",           "Authorization"};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++)
    assert_false(forward_allows_trailer(BAD[i]));
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_request),
      cmocka_unit_test(test_request_in_tls),
      cmocka_unit_test(test_trace),
      cmocka_unit_test(test_what_stays_outside),
      cmocka_unit_test(test_lookalikes_stay_outside),
      cmocka_unit_test(test_prefix_and_cookie),
      cmocka_unit_test(test_framing_is_our_own),
      cmocka_unit_test(test_which_upgrades_count),
      cmocka_unit_test(test_upgrade),
      cmocka_unit_test(test_response),
      cmocka_unit_test(test_response_to_an_old_client),
      cmocka_unit_test(test_paths),
      cmocka_unit_test(test_errors),
      cmocka_unit_test(test_chunks_and_trailers),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
