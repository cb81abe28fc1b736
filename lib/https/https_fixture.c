/* See https_fixture.h. */
#include "lib/https/https_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/crypto/certificate.h"

enum { BIG_BYTES = 8 << 20 };

/* ---- the server ---- */

static void on_echo(void *arg, const HttpsRequest *in, HttpsReply *out) {
  out->content_type = "text/plain";
  if (buf_printf(&out->body, "%s %s %s %s:", in->method, in->path, in->query ? in->query : "-",
                 in->content_type ? in->content_type : "-") ||
      buf_append(&out->body, in->body, in->body_len))
    abort();
}

static void on_big(void *arg, const HttpsRequest *in, HttpsReply *out) {
  uint8_t *to = buf_reserve(&out->body, BIG_BYTES);
  memset(to, 'x', BIG_BYTES);
  out->body.len = BIG_BYTES;
}

static void on_text(void *arg, const HttpsRequest *in, HttpsReply *out) {
  out->status = *in->method == 'P' ? 201 : 200;
}

static const HttpsRoute ROUTES[] = {
    {"POST", "/echo", on_echo}, {"GET", "/big", on_big}, {"GET", "/text", on_text}, {"PUT", "/text", on_text}};

static void make_certificates(HttpsFixture *f) {
  static const char *const NAMES[] = {FIXTURE_NAME};
  int64_t now = clock_wall_ms();
  CertificateTerms terms = {.common_name = FIXTURE_NAME, .now_ms = now, .not_after_ms = now + 3600000};
  Error err;
  assert_ok(certificate_make_ca(&terms, &f->ca.cert, &f->ca.key, &err), &err);
  terms.dns_names = NAMES, terms.n_dns_names = 1;
  FixturePair *const PAIRS[] = {&f->first, &f->second};
  for (size_t i = 0; i < ARRAY_LEN(PAIRS); i++)
    assert_ok(certificate_make_server(buf_str(&f->ca.cert), buf_str(&f->ca.key), &terms, &PAIRS[i]->cert,
                                      &PAIRS[i]->key, &err),
              &err);
}

static void *run(void *arg) {
  loop_run(arg);
  return NULL;
}

HttpsFixture *fixture_start(int max_connections) {
  HttpsFixture *f = calloc(1, sizeof *f);
  assert_non_null(f);
  signal(SIGPIPE, SIG_IGN);
  make_certificates(f);
  f->loop = loop_new();
  loop_hold_time(f->loop);
  HttpsConfig config = {.address = "127.0.0.1:0",
                        .cert_pem = buf_str(&f->first.cert),
                        .key_pem = buf_str(&f->first.key),
                        .routes = ROUTES,
                        .n_routes = ARRAY_LEN(ROUTES),
                        .max_body = FIXTURE_MAX_BODY,
                        .max_connections = max_connections,
                        .request_timeout_ms = FIXTURE_REQUEST_MS,
                        .idle_timeout_ms = FIXTURE_IDLE_MS};
  Error err;
  f->server = https_server_new(f->loop, &config, &err);
  if (!f->server)
    fail_msg("%s", err.message);
  f->port = https_server_port(f->server);
  assert_int_equal(pthread_create(&f->thread, NULL, run, f->loop), 0);
  return f;
}

static void stop(void *arg) {
  loop_stop(arg);
}

void fixture_stop(HttpsFixture *f) {
  loop_post(f->loop, stop, f->loop);
  pthread_join(f->thread, NULL);
  https_server_free(f->server);
  loop_free(f->loop);
  FixturePair *const PAIRS[] = {&f->ca, &f->first, &f->second};
  for (size_t i = 0; i < ARRAY_LEN(PAIRS); i++) {
    buf_deinit(&PAIRS[i]->cert);
    buf_deinit(&PAIRS[i]->key);
  }
  free(f);
}

typedef struct Errand {
  void (*fn)(void *arg);
  void *arg;
  pthread_mutex_t lock; /* guards done */
  pthread_cond_t changed;
  bool done;
} Errand;

static void run_errand(void *arg) {
  Errand *e = arg;
  e->fn(e->arg);
  pthread_mutex_lock(&e->lock);
  e->done = true;
  pthread_cond_signal(&e->changed);
  pthread_mutex_unlock(&e->lock);
}

void fixture_on_loop(HttpsFixture *f, void (*fn)(void *arg), void *arg) {
  Errand e = {.fn = fn, .arg = arg, .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER};
  loop_post(f->loop, run_errand, &e);
  pthread_mutex_lock(&e.lock);
  while (!e.done)
    pthread_cond_wait(&e.changed, &e.lock);
  pthread_mutex_unlock(&e.lock);
}

static void nothing(void *arg) {}

/* Sockets of loopback hand over at once, so what was sent is seen by the turn that runs the next errand; each further
 * turn does the work that the one before made: parse, answer, encrypt, write. */
void fixture_settle(HttpsFixture *f) {
  enum { TURNS = 8 };
  for (int i = 0; i < TURNS; i++)
    fixture_on_loop(f, nothing, NULL);
}

typedef struct Pause {
  Loop *loop;
  int64_t ms;
} Pause;

static void pass_time(void *arg) {
  const Pause *pause = arg;
  loop_pass_time(pause->loop, pause->ms);
}

void fixture_pass_time(HttpsFixture *f, int64_t ms) {
  Pause pause = {f->loop, ms};
  fixture_settle(f);
  fixture_on_loop(f, pass_time, &pause);
  fixture_settle(f);
}

/* ---- the client ---- */

int client_dial(const HttpsFixture *f) {
  int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_port = htons(f->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
  struct timeval limit = {.tv_sec = 60};
  const int on = 1;
  assert_true(fd >= 0);
  assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
  /* fixture_settle counts on it: what is sent is there, and waits for no acknowledgement */
  assert_int_equal(setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on), 0);
  assert_int_equal(connect(fd, (struct sockaddr *)&at, sizeof at), 0);
  return fd;
}

static SSL_CTX *client_context(const HttpsFixture *f, int version) {
  static const unsigned char PROTOCOLS[] = "\x02h2\x08http/1.1";
  SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
  BIO *bio = BIO_new_mem_buf(f->ca.cert.data, (int)f->ca.cert.len);
  X509 *ca = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  assert_int_equal(X509_STORE_add_cert(SSL_CTX_get_cert_store(ctx), ca), 1);
  X509_free(ca);
  BIO_free(bio);
  SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
  SSL_CTX_set_alpn_protos(ctx, PROTOCOLS, sizeof PROTOCOLS - 1);
  if (version) {
    SSL_CTX_set_security_level(ctx, 0);
    SSL_CTX_set_min_proto_version(ctx, version);
    SSL_CTX_set_max_proto_version(ctx, version);
  }
  return ctx;
}

bool client_try(const HttpsFixture *f, int version, Client *ret_client) {
  SSL_CTX *ctx = client_context(f, version);
  Client c = {.fd = client_dial(f), .ssl = SSL_new(ctx)};
  SSL_CTX_free(ctx);
  SSL_set1_host(c.ssl, FIXTURE_NAME);
  SSL_set_fd(c.ssl, c.fd);
  if (SSL_connect(c.ssl) == 1) {
    *ret_client = c;
    return true;
  }
  client_close(&c);
  return false;
}

Client client_open(const HttpsFixture *f, int version) {
  Client c;
  assert_true(client_try(f, version, &c));
  return c;
}

void client_close(Client *c) {
  SSL_free(c->ssl);
  close(c->fd);
}

void client_send(Client *c, const char *data, size_t len) {
  while (len) {
    int n = SSL_write(c->ssl, data, (int)len);
    if (n <= 0)
      return;
    data += n;
    len -= (size_t)n;
  }
}

/* One read; 0 at the end. */
static int read_some(Client *c, Buf *to) {
  uint8_t *at = buf_reserve(to, 16384);
  int n = SSL_read(c->ssl, at, 16384);
  if (n <= 0)
    return 0;
  to->len += (size_t)n;
  at[n] = 0;
  return n;
}

int client_read(Client *c, Buf *head, Buf *body) {
  Buf all = BUF_INIT(0);
  const char *end = NULL;
  int status = 0;
  while (!status) {
    while (!(end = strstr(buf_str(&all), "\r\n\r\n")) && read_some(c, &all))
      ;
    if (!end)
      break;
    status = (int)strtol(buf_str(&all) + strlen("HTTP/1.1 "), NULL, 10);
    if (status == 100) { /* the answer itself may have come with it */
      buf_consume(&all, (size_t)(end + 4 - buf_str(&all)));
      status = 0;
    }
  }
  if (end) {
    size_t head_len = (size_t)(end + 4 - buf_str(&all));
    const char *field = strcasestr(buf_str(&all), "\r\nContent-Length:");
    size_t body_len = field ? (size_t)strtoul(field + 17, NULL, 10) : 0;
    while (all.len < head_len + body_len && read_some(c, &all))
      ;
    if (all.len != head_len + body_len)
      fail_msg("%zu bytes instead of %zu", all.len, head_len + body_len);
    if (head)
      assert_int_equal(buf_append(head, all.data, head_len), 0);
    if (body)
      assert_int_equal(buf_append(body, all.data + head_len, body_len), 0);
  }
  buf_deinit(&all);
  return status;
}

int client_ask(Client *c, const char *method, const char *path, const char *body, Buf *ret_body) {
  CLEANUP(str_freep)
  char *text = str_printf("%s %s HTTP/1.1\r\nHost: h\r\nContent-Type: text/x\r\nContent-Length: %zu\r\n\r\n%s", method,
                          path, strlen(body), body);
  client_send(c, text, strlen(text));
  return client_read(c, NULL, ret_body);
}

bool client_has_input(const Client *c) {
  char byte;
  return recv(c->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) == 1;
}

bool client_ended(Client *c) {
  char bytes[16384];
  int n, flags = fcntl(c->fd, F_GETFL);
  assert_int_equal(fcntl(c->fd, F_SETFL, flags | O_NONBLOCK), 0);
  while ((n = SSL_read(c->ssl, bytes, sizeof bytes)) > 0)
    ;
  bool ended = SSL_get_error(c->ssl, n) != SSL_ERROR_WANT_READ;
  assert_int_equal(fcntl(c->fd, F_SETFL, flags), 0);
  return ended;
}

void client_wait_end(Client *c) {
  char bytes[16384];
  int n;
  errno = 0;
  while ((n = SSL_read(c->ssl, bytes, sizeof bytes)) > 0)
    ;
  if (SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ || errno == EAGAIN)
    fail_msg("the server keeps the connection");
}

char *client_serial(const Client *c) {
  X509 *cert = SSL_get1_peer_certificate(c->ssl);
  const ASN1_INTEGER *serial = X509_get0_serialNumber(cert);
  char *text = calloc(1, 2 * (size_t)ASN1_STRING_length(serial) + 1);
  str_hex(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial), text);
  X509_free(cert);
  return text;
}
