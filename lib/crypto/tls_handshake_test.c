/* A server's handshake against a client of OpenSSL alone: when it is done, what is known then, and each way in which it
 * is not. Time stands still until the test lets it pass. */
#include "lib/crypto/tls_handshake.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/crypto/certificate.h"
#include "lib/crypto/tls.h"

#define NAME "a.test"
enum { LIMIT_MS = 700 };

typedef struct World {
  Loop *loop;
  LoopTimer *deadline; /* of the machine's clock */
  Tls *server, *client;
  int fd; /* the client's end */
  SSL *ssl;
  TlsHandshake *handshake;
  Stream *stream;
  int n_done;
  TlsOutcome outcome;
  char got[64];
  size_t n_got;
} World;

static size_t on_data(void *arg, const uint8_t *data, size_t len) {
  World *w = arg;
  assert_true(w->n_got + len < sizeof w->got);
  memcpy(w->got + w->n_got, data, len);
  w->n_got += len;
  return len;
}

static void on_end(void *arg) {}

static void on_error(void *arg, int errnum) {}

static const StreamHandlers HANDLERS = {.on_data = on_data, .on_eof = on_end, .on_error = on_error};

static void on_done(void *arg, TlsOutcome outcome) {
  World *w = arg;
  w->n_done++;
  w->outcome = outcome;
}

static void make_tls(World *w) {
  static const char *const NAMES[] = {NAME};
  Buf all[6] = {{0}};
  int64_t now = clock_wall_ms();
  CertificateTerms terms = {.common_name = "me", .now_ms = now, .not_after_ms = now + 3600000};
  assert_int_equal(certificate_make_ca(&terms, &all[0], &all[1], NULL), 0);
  assert_int_equal(certificate_make_client(buf_str(&all[0]), buf_str(&all[1]), &terms, &all[2], &all[3], NULL), 0);
  terms.dns_names = NAMES, terms.n_dns_names = 1;
  assert_int_equal(certificate_make_server(buf_str(&all[0]), buf_str(&all[1]), &terms, &all[4], &all[5], NULL), 0);
  TlsSource client = {.ca = buf_str(&all[0]), .cert = buf_str(&all[2]), .key = buf_str(&all[3])};
  TlsSource server = {.ca = buf_str(&all[0]),
                      .cert = buf_str(&all[4]),
                      .key = buf_str(&all[5]),
                      .clients = TLS_CLIENTS_REQUIRED,
                      .protocols = "\x02h2\x08http/1.1"};
  w->client = tls_new(TLS_CLIENT, &client, NULL);
  w->server = tls_new(TLS_SERVER, &server, NULL);
  assert_true(w->client && w->server);
  for (size_t i = 0; i < ARRAY_LEN(all); i++)
    buf_deinit(&all[i]);
}

static int setup(void **state) {
  int fds[2];
  World *w = calloc(1, sizeof *w);
  make_tls(w);
  w->loop = loop_new();
  loop_hold_time(w->loop);
  w->deadline = loop_timer_new(w->loop, test_on_limit, "a handshake");
  loop_timer_hold_not(w->deadline);
  assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
  w->fd = fds[0];
  w->ssl = tls_connection(w->client, NAME, NULL);
  SSL_set_fd(w->ssl, w->fd);
  w->handshake = tls_handshake_new(w->loop, fds[1], tls_connection(w->server, NULL, NULL), LIMIT_MS, on_done, w);
  *state = w;
  return 0;
}

static int teardown(void **state) {
  World *w = *state;
  tls_handshake_free(w->handshake);
  stream_free(w->stream);
  SSL_free(w->ssl);
  close(w->fd);
  tls_free(w->client);
  tls_free(w->server);
  loop_timer_free(w->deadline);
  loop_free(w->loop);
  free(w);
  return 0;
}

static void stop(void *arg) {
  loop_stop(arg);
}

static void turn(World *w) {
  loop_post(w->loop, stop, w->loop);
  loop_run(w->loop);
}

/* The client says nothing more. */
static void until_done(World *w) {
  loop_timer_start(w->deadline, 60000);
  while (w->n_done == 0)
    turn(w);
  loop_timer_stop(w->deadline);
}

static void shake_until_done(World *w) {
  loop_timer_start(w->deadline, 60000);
  while (w->n_done == 0) {
    SSL_do_handshake(w->ssl);
    ERR_clear_error();
    turn(w);
  }
  loop_timer_stop(w->deadline);
}

static void what_is_agreed_is_known(void **state) {
  World *w = *state;
  char protocol[16];
  SSL_set_alpn_protos(w->ssl, (const unsigned char *)"\x08http/1.1\x02h2", 12);
  shake_until_done(w);
  assert_int_equal(w->outcome, TLS_AGREED);
  tls_protocol(tls_handshake_ssl(w->handshake), protocol, sizeof protocol);
  assert_string_equal(protocol, "h2");
  CLEANUP(str_freep) char *subject = tls_peer_subject(tls_handshake_ssl(w->handshake));
  assert_string_equal(subject, "CN=me");
}

/* In the client's last flight, which one read takes from the socket. */
static void what_comes_with_the_handshake_is_not_lost(void **state) {
  World *w = *state;
  loop_timer_start(w->deadline, 60000);
  while (SSL_do_handshake(w->ssl) != 1) {
    ERR_clear_error();
    turn(w);
  }
  assert_int_equal(w->n_done, 0);
  assert_int_equal(SSL_write(w->ssl, "hello", 5), 5);
  until_done(w);
  assert_int_equal(w->outcome, TLS_AGREED);
  w->stream = tls_handshake_take(w->handshake, 1024, &HANDLERS, w);
  loop_timer_start(w->deadline, 60000);
  while (w->n_got < 5)
    turn(w);
  assert_memory_equal(w->got, "hello", 5);
  /* and the handshake's time counts no more */
  loop_pass_time(w->loop, (int64_t)2 * LIMIT_MS);
  assert_int_equal(w->n_done, 1);
  /* the other way as well */
  char text[8] = "";
  stream_write(w->stream, "world", 5);
  while (SSL_read(w->ssl, text, sizeof text) != 5)
    turn(w);
  assert_string_equal(text, "world");
}

static void one_that_stalls_is_given_up(void **state) {
  World *w = *state;
  SSL_do_handshake(w->ssl);
  turn(w);
  loop_pass_time(w->loop, LIMIT_MS - 1);
  assert_int_equal(w->n_done, 0);
  loop_pass_time(w->loop, 1);
  assert_int_equal(w->n_done, 1);
  assert_int_equal(w->outcome, TLS_TIMED_OUT);
}

static void who_leaves_has_gone(void **state) {
  World *w = *state;
  SSL_do_handshake(w->ssl);
  turn(w);
  shutdown(w->fd, SHUT_RDWR);
  until_done(w);
  assert_int_equal(w->outcome, TLS_BROKEN);
}

static void whom_the_server_does_not_want(void **state) {
  World *w = *state;
  SSL_set_max_proto_version(w->ssl, TLS1_1_VERSION);
  SSL_set_min_proto_version(w->ssl, TLS1_1_VERSION);
  assert_true(SSL_set_cipher_list(w->ssl, "ALL:@SECLEVEL=0"));
  shake_until_done(w);
  assert_int_equal(w->outcome, TLS_REFUSED);
  assert_contains(tls_handshake_trouble(w->handshake), "unsupported protocol");
}

static void who_speaks_no_tls(void **state) {
  static const struct {
    const char *text;
    TlsOutcome outcome;
  } ROWS[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", TLS_PLAIN_HTTP},
      {"POST /x HTTP/1.1\r\nHost: a\r\n\r\n", TLS_PLAIN_HTTP},
      {"SSH-2.0-OpenSSH_9.2\r\n", TLS_REFUSED},
  };
  World *w = *state;
  for (size_t i = 0; i < ARRAY_LEN(ROWS); i++) {
    int fds[2];
    w->n_done = 0;
    tls_handshake_free(w->handshake);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds), 0);
    w->handshake = tls_handshake_new(w->loop, fds[1], tls_connection(w->server, NULL, NULL), LIMIT_MS, on_done, w);
    assert_true(write(fds[0], ROWS[i].text, strlen(ROWS[i].text)) > 0);
    until_done(w);
    if (w->outcome != ROWS[i].outcome)
      fail_msg("%s: %d", ROWS[i].text, w->outcome);
    close(fds[0]);
  }
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(what_is_agreed_is_known),       TEST(what_comes_with_the_handshake_is_not_lost),
      TEST(one_that_stalls_is_given_up),   TEST(who_leaves_has_gone),
      TEST(whom_the_server_does_not_want), TEST(who_speaks_no_tls),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
