/* The server over real TLS: what a client gets, and what one that means no good cannot do. */
#include "lib/https/https_server.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/https/https_fixture.h"

static int setup(void **s) {
  *s = fixture_start(FIXTURE_CONNECTIONS);
  return 0;
}

static int setup_for_two(void **s) {
  *s = fixture_start(2);
  return 0;
}

static int teardown(void **s) {
  fixture_stop(*s);
  return 0;
}

/* After all that was done to it the server answers as ever. */
static void assert_serves(const HttpsFixture *f) {
  Client c = client_open(f, 0);
  assert_int_equal(client_ask(&c, "GET", "/text", "", NULL), 200);
  client_close(&c);
}

static void send_text(Client *c, const char *text) {
  client_send(c, text, strlen(text));
}

static void test_answers(void **s) {
  HttpsFixture *f = *s;
  Client c = client_open(f, 0);
  Buf body = BUF_INIT(0);
  assert_int_equal(client_ask(&c, "POST", "/echo?timeout=30s", "hello", &body), 200);
  assert_string_equal(buf_str(&body), "POST /echo timeout=30s text/x:hello");
  body.len = 0;
  assert_int_equal(client_ask(&c, "POST", "/echo", "", &body), 200);
  assert_string_equal(buf_str(&body), "POST /echo - text/x:");
  assert_int_equal(client_ask(&c, "PUT", "/text", "x", NULL), 201);
  body.len = 0;
  assert_int_equal(client_ask(&c, "GET", "/big", "", &body), 200);
  assert_int_equal(body.len, 8 << 20);
  buf_deinit(&body);
  client_close(&c);
}

static void test_other_paths_and_methods(void **s) {
  HttpsFixture *f = *s;
  Client c = client_open(f, 0);
  assert_int_equal(client_ask(&c, "POST", "/other", "{}", NULL), 404);
  assert_int_equal(client_ask(&c, "POST", "/echo/", "{}", NULL), 404);
  assert_int_equal(client_ask(&c, "GET", "/echo", "", NULL), 405);
  Buf head = BUF_INIT(0), body = BUF_INIT(0);
  send_text(&c, "DELETE /text HTTP/1.1\r\nHost: h\r\n\r\n");
  assert_int_equal(client_read(&c, &head, NULL), 405);
  assert_contains(buf_str(&head), "Allow: GET, PUT\r\n");
  /* nothing of a HEAD's answer is left for the next one */
  head.len = 0;
  send_text(&c, "HEAD /text HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n");
  while (SSL_read(c.ssl, buf_reserve(&body, 1), 1) == 1)
    body.len++;
  assert_true(body.len > 4 && memcmp(body.data, "HTTP/1.1 405", 12) == 0);
  assert_memory_equal(body.data + body.len - 4, "\r\n\r\n", 4);
  client_close(&c);
  c = client_open(f, 0);
  assert_int_equal(client_ask(&c, "BREW", "/text", "", NULL), 501);
  client_close(&c);
  buf_deinit(&head);
  buf_deinit(&body);
}

static void test_body_limit(void **s) {
  HttpsFixture *f = *s;
  CLEANUP(str_freep) char *large = str_printf("%0*d", FIXTURE_MAX_BODY + 1, 0);
  large[FIXTURE_MAX_BODY] = 0;
  Client c = client_open(f, 0);
  assert_int_equal(client_ask(&c, "POST", "/echo", large, NULL), 200);
  large[FIXTURE_MAX_BODY] = 'x';
  assert_int_equal(client_ask(&c, "POST", "/echo", large, NULL), 413);
  client_close(&c);
  /* who asks first is not told to go on, and told why not when he does it all the same */
  c = client_open(f, 0);
  send_text(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 65537\r\nExpect: 100-continue\r\n\r\n");
  fixture_settle(f);
  assert_false(client_has_input(&c));
  client_send(&c, large, FIXTURE_MAX_BODY + 1);
  assert_int_equal(client_read(&c, NULL, NULL), 413);
  client_close(&c);
  /* the same question within the limit is answered, so the silence above was one */
  c = client_open(f, 0);
  send_text(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 65536\r\nExpect: 100-continue\r\n\r\n");
  fixture_settle(f);
  assert_true(client_has_input(&c));
  client_close(&c);
  /* of unknown length: refused by the length of the chunk that is too much, before any of it has come */
  c = client_open(f, 0);
  send_text(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n");
  assert_int_equal(client_read(&c, NULL, NULL), 413);
  client_wait_end(&c);
  client_close(&c);
  /* and by the sum of those before it */
  c = client_open(f, 0);
  send_text(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n10000\r\n");
  client_send(&c, large, FIXTURE_MAX_BODY);
  send_text(&c, "\r\n");
  fixture_settle(f);
  assert_false(client_has_input(&c));
  send_text(&c, "1\r\n");
  assert_int_equal(client_read(&c, NULL, NULL), 413);
  client_wait_end(&c);
  client_close(&c);
  assert_serves(f);
}

static void test_body_forms(void **s) {
  HttpsFixture *f = *s;
  Client c = client_open(f, 0);
  Buf body = BUF_INIT(0);
  send_text(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n");
  assert_int_equal(client_read(&c, NULL, &body), 200);
  assert_string_equal(buf_str(&body), "POST /echo - -:abcde");
  body.len = 0;
  send_text(&c, "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n");
  fixture_settle(f);
  assert_true(client_has_input(&c));
  send_text(&c, "ab");
  assert_int_equal(client_read(&c, NULL, &body), 200);
  assert_string_equal(buf_str(&body), "POST /echo - -:ab");
  buf_deinit(&body);
  client_close(&c);
}

static void test_bad_requests(void **s) {
  static const char *const BAD[] = {
      "nonsense\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: -1\r\n\r\n",
      "POST /echo HTTP/1.1\r\nHost: h\r\nContent-Length: x\r\n\r\n",
      "POST /echo HTTP/1.1\r\nno colon\r\n\r\n",
      "GET http://[ HTTP/1.1\r\nHost: h\r\n\r\n",
      "GET /text FTP/9\r\n\r\n",
  };
  HttpsFixture *f = *s;
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
    Client c = client_open(f, 0);
    send_text(&c, BAD[i]);
    int status = client_read(&c, NULL, NULL);
    if (status != 400)
      fail_msg("%d to %s", status, BAD[i]);
    client_close(&c);
  }
  assert_serves(f);
}

/* Time stands still: what ends this is the head's size. */
static void test_endless_head(void **s) {
  HttpsFixture *f = *s;
  Client c = client_open(f, 0);
  send_text(&c, "GET /text HTTP/1.1\r\nHost: h\r\n");
  fixture_settle(f);
  int n = 0;
  /* field by field, so that nothing is unread when the server closes: a reset would overtake the answer */
  while (!client_has_input(&c) && n++ < 4000) {
    send_text(&c, "X-Padding: 0123456789\r\n");
    fixture_settle(f);
  }
  /* evhttp counts lines without their ends: 18 and 7 bytes, then 21 each */
  assert_int_equal(n, ((16 << 10) - 18 - 7) / 21 + 1);
  assert_int_equal(client_read(&c, NULL, NULL), 400);
  client_wait_end(&c);
  client_close(&c);
  assert_serves(f);
}

/* Bytes of chance, as TLS and within TLS. */
static void test_garbage(void **s) {
  static const uint8_t CLIENT_HELLO[] = {0x16, 3, 1, 0, 0xf0, 1, 0, 0, 0xec, 3, 3};
  HttpsFixture *f = *s;
  uint64_t state = 20260505;
  char bytes[512];
  for (int i = 0; i < 100; i++) {
    for (size_t k = 0; k < sizeof bytes; k++) {
      state = state * 6364136223846793005ULL + 1442695040888963407ULL;
      bytes[k] = (char)(state >> 56);
    }
    size_t n = 1 + (size_t)bytes[0] % 255;
    int fd = client_dial(f);
    if (i % 3 == 0)
      memcpy(bytes, CLIENT_HELLO, sizeof CLIENT_HELLO); /* begins as one does */
    assert_true(send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n);
    close(fd);
    Client c = client_open(f, 0);
    if (i % 2)
      send_text(&c, "POST /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n");
    client_send(&c, bytes, n);
    client_close(&c);
  }
  assert_serves(f);
}

/* It lives until the last millisecond of ms, and not longer. */
static void assert_ends_after(HttpsFixture *f, Client *c, int64_t ms) {
  fixture_pass_time(f, ms - 1);
  assert_false(client_ended(c));
  fixture_pass_time(f, 1);
  assert_true(client_ended(c));
}

static void test_silence_ends(void **s) {
  HttpsFixture *f = *s;
  int fd = client_dial(f);
  char byte;
  /* the server accepts in turn, so it has accepted the silent one when it serves another */
  assert_serves(f);
  fixture_pass_time(f, FIXTURE_REQUEST_MS - 1);
  assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
  assert_int_equal(errno, EAGAIN);
  fixture_pass_time(f, 1);
  assert_int_equal(recv(fd, &byte, 1, 0), 0);
  close(fd);
  Client c = client_open(f, 0);
  assert_ends_after(f, &c, FIXTURE_REQUEST_MS);
  client_close(&c);
  c = client_open(f, 0);
  send_text(&c, "POST /echo HTTP/1.1\r\nContent-Length: 9\r\n\r\nab");
  assert_ends_after(f, &c, FIXTURE_REQUEST_MS);
  client_close(&c);
}

/* A byte now and then is no excuse. */
static void test_slow_senders_end(void **s) {
  static const char *const STARTS[] = {"GET /text HTTP/1.1\r\nX: ",
                                       "POST /echo HTTP/1.1\r\nContent-Length: 999\r\n\r\n"};
  enum { STEP_MS = 50 };
  HttpsFixture *f = *s;
  for (size_t i = 0; i < ARRAY_LEN(STARTS); i++) {
    Client c = client_open(f, 0);
    send_text(&c, STARTS[i]);
    for (int ms = 0; ms < FIXTURE_REQUEST_MS - STEP_MS; ms += STEP_MS) {
      fixture_pass_time(f, STEP_MS);
      send_text(&c, "x");
    }
    assert_ends_after(f, &c, STEP_MS);
    client_close(&c);
  }
}

/* The idle pause is longer than a request may take, and each request starts anew. */
static void test_kept_connections(void **s) {
  HttpsFixture *f = *s;
  Client c = client_open(f, 0);
  for (int i = 0; i < 3; i++) {
    assert_int_equal(client_ask(&c, "GET", "/text", "", NULL), 200);
    fixture_pass_time(f, FIXTURE_IDLE_MS - 1);
  }
  assert_int_equal(client_ask(&c, "GET", "/text", "", NULL), 200);
  assert_ends_after(f, &c, FIXTURE_IDLE_MS);
  client_close(&c);
  c = client_open(f, 0);
  assert_int_equal(client_ask(&c, "GET", "/text", "", NULL), 200);
  send_text(&c, "GET");
  assert_ends_after(f, &c, FIXTURE_REQUEST_MS);
  client_close(&c);
}

/* Places are two: who takes none of an answer, or says nothing, must give his back. */
static void test_places_come_back(void **s) {
  HttpsFixture *f = *s;
  Client slow = client_open(f, 0), silent = client_open(f, 0);
  send_text(&slow, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
  int fd = client_dial(f);
  /* what a handshake is answered by would be here by then, if there were a place */
  static const uint8_t ALERT_WANTED[] = {0x17, 3, 3, 0, 1, 0};
  assert_int_equal(send(fd, ALERT_WANTED, sizeof ALERT_WANTED, MSG_NOSIGNAL), sizeof ALERT_WANTED);
  char byte;
  fixture_pass_time(f, FIXTURE_REQUEST_MS - 1);
  assert_int_equal(recv(fd, &byte, 1, MSG_DONTWAIT), -1);
  assert_int_equal(errno, EAGAIN);
  fixture_pass_time(f, 1);
  /* it was let in, and out again, as it says no hello */
  while (recv(fd, &byte, 1, 0) == 1)
    ;
  close(fd);
  Client third = client_open(f, 0), fourth = client_open(f, 0);
  assert_int_equal(client_ask(&third, "GET", "/text", "", NULL), 200);
  assert_int_equal(client_ask(&fourth, "GET", "/text", "", NULL), 200);
  /* time stands still: the place is given at once */
  client_close(&third);
  Client fifth = client_open(f, 0);
  client_close(&fourth);
  client_close(&fifth);
  client_close(&slow);
  client_close(&silent);
}

typedef struct Rotation {
  HttpsServer *server;
  const char *cert, *key;
  int result;
  Error err;
} Rotation;

static void rotate(void *arg) {
  Rotation *r = arg;
  r->result = https_server_set_certificate(r->server, r->cert, r->key, &r->err);
}

static void test_rotation(void **s) {
  HttpsFixture *f = *s;
  Client old = client_open(f, 0);
  CLEANUP(str_freep) char *first = client_serial(&old);
  assert_int_equal(client_ask(&old, "GET", "/text", "", NULL), 200);
  Rotation r = {f->server, buf_str(&f->second.cert), buf_str(&f->second.key)};
  fixture_on_loop(f, rotate, &r);
  assert_int_equal(r.result, 0);
  Client new = client_open(f, 0);
  CLEANUP(str_freep) char *second = client_serial(&new);
  assert_string_not_equal(second, first);
  assert_int_equal(client_ask(&old, "GET", "/text", "", NULL), 200);
  assert_int_equal(client_ask(&new, "GET", "/text", "", NULL), 200);
  client_close(&old);
  client_close(&new);
  /* a pair that does not fit changes nothing */
  const char *const BAD[][2] = {{buf_str(&f->first.cert), buf_str(&f->second.key)},
                                {"", buf_str(&f->second.key)},
                                {buf_str(&f->first.cert), ""},
                                {"-----BEGIN CERTIFICATE-----\nAA\n-----END CERTIFICATE-----\n", ""}};
  for (size_t i = 0; i < ARRAY_LEN(BAD); i++) {
    Rotation bad = {f->server, BAD[i][0], BAD[i][1]};
    fixture_on_loop(f, rotate, &bad);
    assert_int_equal(bad.result, -1);
    assert_int_equal(bad.err.kind, ERROR_INVALID_ARGUMENT);
  }
  Client after = client_open(f, 0);
  CLEANUP(str_freep) char *still = client_serial(&after);
  assert_string_equal(still, second);
  client_close(&after);
}

static void test_protocols(void **s) {
  HttpsFixture *f = *s;
  static const int GOOD[] = {TLS1_2_VERSION, TLS1_3_VERSION};
  for (size_t i = 0; i < ARRAY_LEN(GOOD); i++) {
    Client c = client_open(f, GOOD[i]);
    const unsigned char *protocol;
    unsigned len;
    SSL_get0_alpn_selected(c.ssl, &protocol, &len);
    assert_int_equal(len, 8);
    assert_memory_equal(protocol, "http/1.1", 8);
    assert_int_equal(client_ask(&c, "GET", "/text", "", NULL), 200);
    client_close(&c);
  }
  Client c;
  assert_false(client_try(f, TLS1_1_VERSION, &c));
  assert_false(client_try(f, TLS1_VERSION, &c));
  assert_serves(f);
}

enum { PARALLEL = 50, EACH = 5 };

typedef struct Asker {
  HttpsFixture *f;
  int number, n_good;
  pthread_t thread;
} Asker;

static void *ask(void *arg) {
  Asker *a = arg;
  Client c;
  if (!client_try(a->f, 0, &c))
    return NULL;
  for (int i = 0; i < EACH; i++) {
    CLEANUP(str_freep) char *said = str_printf("%d-%d-%0*d", a->number, i, 1 + a->number * 600, 0);
    CLEANUP(str_freep) char *want = str_printf("POST /echo - text/x:%s", said);
    Buf body = BUF_INIT(0);
    a->n_good += client_ask(&c, "POST", "/echo", said, &body) == 200 && str_equal(buf_str(&body), want);
    buf_deinit(&body);
  }
  client_close(&c);
  return NULL;
}

static void test_parallel(void **s) {
  Asker askers[PARALLEL];
  for (int i = 0; i < PARALLEL; i++) {
    askers[i] = (Asker){.f = *s, .number = i};
    assert_int_equal(pthread_create(&askers[i].thread, NULL, ask, &askers[i]), 0);
  }
  for (int i = 0; i < PARALLEL; i++) {
    pthread_join(askers[i].thread, NULL);
    assert_int_equal(askers[i].n_good, EACH);
  }
}

/* Connections of all states are open when the server goes. */
static void test_stops_with_open_connections(void **s) {
  HttpsFixture *f = fixture_start(FIXTURE_CONNECTIONS);
  int fd = client_dial(f);
  Client idle = client_open(f, 0), reading = client_open(f, 0), writing = client_open(f, 0);
  assert_int_equal(client_ask(&idle, "GET", "/text", "", NULL), 200);
  send_text(&reading, "POST /echo HTTP/1.1\r\nContent-Length: 9\r\n\r\nab");
  send_text(&writing, "GET /big HTTP/1.1\r\nHost: h\r\n\r\n");
  assert_serves(f);
  fixture_stop(f);
  client_wait_end(&idle);
  client_close(&idle);
  client_close(&reading);
  client_close(&writing);
  close(fd);
}

static void test_bad_settings(void **s) {
  HttpsFixture *f = *s;
  Loop *loop = loop_new();
  CLEANUP(str_freep) char *taken = str_printf("127.0.0.1:%d", f->port);
  const char *const ADDRESSES[] = {"", "nowhere", "127.0.0.1:70000", "unix:/tmp/x", taken};
  Error err;
  for (size_t i = 0; i < ARRAY_LEN(ADDRESSES); i++) {
    HttpsConfig config = {.address = ADDRESSES[i],
                          .cert_pem = buf_str(&f->first.cert),
                          .key_pem = buf_str(&f->first.key),
                          .max_connections = 1};
    assert_null(https_server_new(loop, &config, &err));
    assert_int_equal(err.kind, ADDRESSES[i] == taken ? ERROR_UNAVAILABLE : ERROR_INVALID_ARGUMENT);
  }
  HttpsConfig config = {.address = "127.0.0.1:0", .cert_pem = "x", .key_pem = "y", .max_connections = 1};
  assert_null(https_server_new(loop, &config, &err));
  assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
  https_server_free(NULL);
  loop_free(loop);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(test_answers),
      TEST(test_other_paths_and_methods),
      TEST(test_body_limit),
      TEST(test_body_forms),
      TEST(test_bad_requests),
      TEST(test_endless_head),
      TEST(test_garbage),
      TEST(test_silence_ends),
      TEST(test_slow_senders_end),
      TEST(test_kept_connections),
      cmocka_unit_test_setup_teardown(test_places_come_back, setup_for_two, teardown),
      TEST(test_rotation),
      TEST(test_protocols),
      TEST(test_parallel),
      cmocka_unit_test(test_stops_with_open_connections),
      TEST(test_bad_settings),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
