/* Two streams that speak TLS with each other over a socket pair: the same contract as of a plain one, and what only TLS
 * can tell. */
#include "lib/crypto/tls_stream.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/test.h"
#include "lib/crypto/certificate.h"
#include "lib/crypto/tls.h"

#define NAME "a.test"
#define MUCH ((size_t)3 << 20)

typedef struct End {
  Loop *loop;
  Stream *stream;
  size_t seen, take; /* as of stream_test.c */
  size_t shown;      /* at once, last */
  uint8_t next;      /* of what is expected: each byte is one more than the last */
  int eofs, drains, errnum;
} End;

typedef struct Pair {
  Loop *loop;
  LoopTimer *deadline;
  Tls *tls[2];
  End client, server;
} Pair;

static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  End *e = arg;
  e->shown = len;
  size_t n = e->take < len ? e->take : len;
  for (size_t i = 0; i < n; i++)
    assert_int_equal(data[i], e->next++);
  e->seen += n;
  return n;
}

static void on_eof(void *arg) {
  ((End *)arg)->eofs++;
}

static void on_drain(void *arg) {
  ((End *)arg)->drains++;
}

static void on_error(void *arg, int errnum) {
  ((End *)arg)->errnum = errnum;
}

static const StreamHandlers HANDLERS = {
    .on_data = on_data, .on_eof = on_eof, .on_drain = on_drain, .on_error = on_error};

static void on_deadline(void *arg) {
  fail_msg("nothing happened for 10 s");
}

static void stop(void *arg) {
  loop_stop(arg);
}

/* One turn, with what is due in it. */
static void turn(Pair *p) {
  loop_post(p->loop, stop, p->loop);
  loop_run(p->loop);
}

#define UNTIL(p, what)                      \
  do {                                      \
    loop_timer_start((p)->deadline, 10000); \
    while (!(what))                         \
      turn(p);                              \
    loop_timer_stop((p)->deadline);         \
  } while (0)

static void make_tls(Tls *ret[2]) {
  static const char *const NAMES[] = {NAME};
  Buf ca = BUF_INIT(0), ca_key = BUF_INIT(0), cert = BUF_INIT(0), key = BUF_INIT(0);
  int64_t now = clock_wall_ms();
  CertificateTerms terms = {.common_name = NAME, .now_ms = now, .not_after_ms = now + 3600000};
  assert_int_equal(certificate_make_ca(&terms, &ca, &ca_key, NULL), 0);
  terms.dns_names = NAMES, terms.n_dns_names = 1;
  assert_int_equal(certificate_make_server(buf_str(&ca), buf_str(&ca_key), &terms, &cert, &key, NULL), 0);
  ret[0] = tls_new(TLS_CLIENT, &(TlsSource){.ca = buf_str(&ca)}, NULL);
  ret[1] = tls_new(TLS_SERVER, &(TlsSource){.cert = buf_str(&cert), .key = buf_str(&key)}, NULL);
  assert_true(ret[0] && ret[1]);
  Buf *const ALL[] = {&ca, &ca_key, &cert, &key};
  for (size_t i = 0; i < ARRAY_LEN(ALL); i++)
    buf_deinit(ALL[i]);
}

static void make_sockets(int fds[2]) {
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  /* small, so that little of a large write leaves at once */
  for (int i = 0; i < 2; i++)
    assert_int_equal(setsockopt(fds[i], SOL_SOCKET, SO_SNDBUF, &(int){65536}, sizeof(int)), 0);
}

static Pair *start(const char *expected) {
  int fds[2];
  Pair *p = calloc(1, sizeof *p);
  assert_non_null(p);
  make_sockets(fds);
  make_tls(p->tls);
  p->loop = loop_new();
  p->deadline = loop_timer_new(p->loop, on_deadline, NULL);
  p->client = p->server = (End){.loop = p->loop, .take = SIZE_MAX};
  p->client.stream =
      tls_stream_new(p->loop, fds[0], tls_connection(p->tls[0], expected, NULL), 1 << 16, &HANDLERS, &p->client);
  p->server.stream =
      tls_stream_new(p->loop, fds[1], tls_connection(p->tls[1], NULL, NULL), 1 << 16, &HANDLERS, &p->server);
  return p;
}

static void end(Pair *p) {
  stream_free(p->client.stream);
  stream_free(p->server.stream);
  tls_free(p->tls[0]);
  tls_free(p->tls[1]);
  loop_timer_free(p->deadline);
  loop_free(p->loop);
  free(p);
}

static void send_much(End *e) {
  uint8_t *data = malloc(MUCH);
  assert_non_null(data);
  for (size_t i = 0; i < MUCH; i++)
    data[i] = (uint8_t)i;
  for (size_t at = 0; at < MUCH; at += MUCH / 8)
    stream_write(e->stream, data + at, MUCH / 8);
  free(data);
}

static void test_much_both_ways_at_once(void **state) {
  Pair *p = start(NAME);
  /* before the handshake, which it waits for */
  send_much(&p->client);
  send_much(&p->server);
  assert_true(stream_pending(p->client.stream) >= STREAM_HIGH);
  UNTIL(p, p->client.seen == MUCH && p->server.seen == MUCH);
  assert_int_equal(stream_sent(p->client.stream), MUCH);
  assert_int_equal(p->client.drains, 1);
  assert_int_equal(p->server.drains, 1);
  assert_int_equal(p->client.errnum + p->server.errnum + p->client.eofs + p->server.eofs, 0);
  end(p);
}

static void each_side_ends(bool client_first) {
  Pair *p = start(NAME);
  End *first = client_first ? &p->client : &p->server, *second = client_first ? &p->server : &p->client;
  send_much(first);
  stream_end(first->stream);
  UNTIL(p, second->eofs == 1);
  assert_int_equal(second->seen, MUCH);
  /* the other way goes on */
  send_much(second);
  stream_end(second->stream);
  UNTIL(p, first->eofs == 1);
  assert_int_equal(first->seen, MUCH);
  assert_int_equal(first->errnum + second->errnum, 0);
  end(p);
}

static void test_each_side_ends_by_itself(void **state) {
  each_side_ends(true);
  each_side_ends(false);
}

static void test_an_end_before_anything_was_said(void **state) {
  Pair *p = start(NAME);
  stream_end(p->client.stream);
  stream_end(p->server.stream);
  UNTIL(p, p->client.eofs == 1 && p->server.eofs == 1);
  end(p);
}

static void test_a_slow_reader_holds_up_the_writer(void **state) {
  Pair *p = start(NAME);
  stream_write(p->client.stream, "\0", 1);
  UNTIL(p, p->server.seen == 1);
  stream_pause(p->server.stream);
  uint8_t data[4096];
  for (size_t i = 0; i < sizeof data; i++)
    data[i] = (uint8_t)(i + 1);
  /* what the sockets hold, and what is above it */
  while (stream_pending(p->client.stream) < STREAM_HIGH)
    stream_write(p->client.stream, data, sizeof data);
  size_t all = (size_t)stream_sent(p->client.stream) + stream_pending(p->client.stream);
  for (int i = 0; i < 20; i++)
    turn(p);
  assert_int_equal(p->server.seen, 1);
  assert_true(stream_pending(p->client.stream) > STREAM_LOW);
  assert_int_equal(p->client.drains, 0);
  /* a bit at a time: what is in TLS and not in the socket is shown as well */
  for (int i = 0; i < 3; i++) {
    stream_resume(p->server.stream);
    turn(p);
    stream_pause(p->server.stream);
  }
  stream_resume(p->server.stream);
  UNTIL(p, p->server.seen == all);
  assert_int_equal(p->client.drains, 1);
  end(p);
}

static void test_what_is_not_used_is_shown_again(void **state) {
  Pair *p = start(NAME);
  p->server.take = 0;
  stream_write(p->client.stream, "\0\1\2", 3);
  UNTIL(p, p->server.shown == 3);
  p->server.take = 2;
  stream_write(p->client.stream, "\3", 1);
  stream_end(p->client.stream);
  UNTIL(p, p->server.eofs == 1);
  assert_int_equal(p->server.seen, 4);
  end(p);
}

/* Without a goodbye something may be missing. */
static void test_an_end_without_goodbye_is_an_error(void **state) {
  Pair *p = start(NAME);
  stream_write(p->client.stream, "\0", 1);
  UNTIL(p, p->server.seen == 1);
  stream_free(p->client.stream);
  p->client.stream = NULL;
  UNTIL(p, p->server.errnum);
  assert_int_equal(p->server.errnum, ECONNRESET);
  assert_int_equal(p->server.eofs, 0);
  end(p);
}

static void test_a_stranger_is_told_from_the_peer(void **state) {
  Pair *p = start("b.test");
  stream_write(p->client.stream, "secret", 6);
  UNTIL(p, p->client.errnum);
  assert_int_equal(p->client.errnum, EPROTO);
  assert_contains(stream_trouble(p->client.stream), "ostname mismatch");
  assert_int_equal(stream_sent(p->client.stream), 0);
  /* and it is told so */
  UNTIL(p, p->server.errnum);
  assert_int_equal(p->server.errnum, EPROTO);
  assert_contains(stream_trouble(p->server.stream), "alert");
  assert_int_equal(p->server.seen, 0);
  end(p);
}

static void test_who_speaks_no_tls(void **state) {
  Pair *p = start(NAME);
  int fds[2];
  make_sockets(fds);
  stream_free(p->client.stream);
  p->client = (End){.loop = p->loop};
  p->client.stream =
      tls_stream_new(p->loop, fds[0], tls_connection(p->tls[0], NAME, NULL), 1 << 16, &HANDLERS, &p->client);
  static const char ANSWER[] = "HTTP/1.1 400 Bad Request\r\n\r\n";
  assert_int_equal(write(fds[1], ANSWER, sizeof ANSWER - 1), sizeof ANSWER - 1);
  UNTIL(p, p->client.errnum);
  assert_int_equal(p->client.errnum, EPROTO);
  assert_contains(stream_trouble(p->client.stream), "TLS: ");
  close(fds[1]);
  end(p);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_much_both_ways_at_once),
      cmocka_unit_test(test_each_side_ends_by_itself),
      cmocka_unit_test(test_an_end_before_anything_was_said),
      cmocka_unit_test(test_a_slow_reader_holds_up_the_writer),
      cmocka_unit_test(test_what_is_not_used_is_shown_again),
      cmocka_unit_test(test_an_end_without_goodbye_is_an_error),
      cmocka_unit_test(test_a_stranger_is_told_from_the_peer),
      cmocka_unit_test(test_who_speaks_no_tls),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
