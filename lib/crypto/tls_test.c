/* Two sides over memory: what is shown, who is trusted, and what loading again changes. */
#include "lib/crypto/tls.h"

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/base/test.h"
#include "lib/crypto/certificate.h"

#define NAME "a.test"

typedef struct Pair {
  Buf cert, key;
} Pair;

typedef struct World {
  Pair ca, other_ca, first, second;
  char dir[64], cert_path[80], key_path[80];
} World;

static Pair make_ca(void) {
  Pair p = {BUF_INIT(0), BUF_INIT(0)};
  int64_t now = clock_wall_ms();
  CertificateTerms terms = {.common_name = "a CA", .now_ms = now, .not_after_ms = now + 3600000};
  assert_int_equal(certificate_make_ca(&terms, &p.cert, &p.key, NULL), 0);
  return p;
}

static Pair make_server(const Pair *ca) {
  static const char *const NAMES[] = {NAME}, *const IPS[] = {"10.0.0.7"};
  Pair p = {BUF_INIT(0), BUF_INIT(0)};
  int64_t now = clock_wall_ms();
  CertificateTerms terms = {.common_name = NAME,
                            .now_ms = now,
                            .not_after_ms = now + 3600000,
                            .dns_names = NAMES,
                            .n_dns_names = 1,
                            .ips = IPS,
                            .n_ips = 1};
  assert_int_equal(certificate_make_server(buf_str(&ca->cert), buf_str(&ca->key), &terms, &p.cert, &p.key, NULL), 0);
  return p;
}

static int setup(void **state) {
  World *w = calloc(1, sizeof *w);
  w->ca = make_ca();
  w->other_ca = make_ca();
  w->first = make_server(&w->ca);
  w->second = make_server(&w->ca);
  test_folder(w->dir);
  snprintf(w->cert_path, sizeof w->cert_path, "%s/cert.pem", w->dir);
  snprintf(w->key_path, sizeof w->key_path, "%s/key.pem", w->dir);
  test_write_file(w->dir, "cert.pem", buf_str(&w->first.cert));
  test_write_file(w->dir, "key.pem", buf_str(&w->first.key));
  *state = w;
  return 0;
}

static int teardown(void **state) {
  World *w = *state;
  Pair *const ALL[] = {&w->ca, &w->other_ca, &w->first, &w->second};
  for (size_t i = 0; i < ARRAY_LEN(ALL); i++) {
    buf_deinit(&ALL[i]->cert);
    buf_deinit(&ALL[i]->key);
  }
  unlink(w->cert_path);
  unlink(w->key_path);
  rmdir(w->dir);
  free(w);
  return 0;
}

static TlsSource text_of(const Pair *p) {
  return (TlsSource){.cert = buf_str(&p->cert), .key = buf_str(&p->key), .protocols = "\x08http/1.1"};
}

static TlsSource files_of(const World *w) {
  return (TlsSource){.files = true, .flags = "--x-", .cert = w->cert_path, .key = w->key_path};
}

static Tls *must(TlsSide side, TlsSource source) {
  Error err = {0};
  Tls *tls = tls_new(side, &source, &err);
  if (!tls)
    fail_msg("%s", err.message);
  return tls;
}

static Tls *trusting(const Pair *ca) {
  return must(TLS_CLIENT, (TlsSource){.ca = buf_str(&ca->cert)});
}

/* Both ends of one connection. */
typedef struct Wire {
  SSL *client, *server;
} Wire;

static Wire join(Tls *client, Tls *server, const char *name) {
  Wire w = {tls_connection(client, name, NULL), tls_connection(server, NULL, NULL)};
  BIO *a, *b;
  assert_true(w.client && w.server);
  assert_int_equal(BIO_new_bio_pair(&a, 1 << 16, &b, 1 << 16), 1);
  SSL_set_bio(w.client, a, a);
  SSL_set_bio(w.server, b, b);
  return w;
}

static void part(Wire w) {
  SSL_free(w.client);
  SSL_free(w.server);
}

/* The handshake to its end; NULL, or why the client gave up. */
static const char *shake(Wire w) {
  for (int i = 0; i < 10; i++) {
    int n = SSL_do_handshake(w.client);
    if (n != 1 && SSL_get_error(w.client, n) != SSL_ERROR_WANT_READ)
      return tls_trouble(w.client);
    if (SSL_do_handshake(w.server) == 1 && n == 1)
      return NULL;
  }
  fail_msg("no end of the handshake");
  return NULL;
}

static void assert_serial(Wire w, const Pair *expected) {
  BIO *bio = BIO_new_mem_buf(expected->cert.data, (int)expected->cert.len);
  X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL), *seen = SSL_get1_peer_certificate(w.client);
  assert_int_equal(X509_cmp(cert, seen), 0);
  X509_free(cert);
  X509_free(seen);
  BIO_free(bio);
}

static void names_and_authorities_are_checked(void **state) {
  const World *w = *state;
  Tls *server = must(TLS_SERVER, text_of(&w->first)), *client = trusting(&w->ca), *stranger = trusting(&w->other_ca);
  const struct {
    Tls *client;
    const char *name, *why;
  } CASES[] = {{client, NAME, NULL},
               {client, "10.0.0.7", NULL},
               {client, "b.test", "ostname mismatch"},
               {client, "10.0.0.8", "IP address mismatch"},
               {stranger, NAME, "unable to get local issuer certificate"}};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    Wire wire = join(CASES[i].client, server, CASES[i].name);
    const char *why = shake(wire);
    if (CASES[i].why ? !why || !strstr(why, CASES[i].why) : why != NULL)
      fail_msg("%s: %s", CASES[i].name, why ? why : "let in");
    part(wire);
  }
  Error err;
  char long_name[400] = "";
  memset(long_name, 'a', sizeof long_name - 1);
  assert_null(tls_connection(client, long_name, &err));
  assert_contains(err.message, "cannot be a name in a certificate");
  tls_free(server);
  tls_free(client);
  tls_free(stranger);
}

static void a_server_says_what_it_speaks(void **state) {
  const World *w = *state;
  Tls *server = must(TLS_SERVER, text_of(&w->first)), *client = trusting(&w->ca);
  const struct { const char *asked, *got; } CASES[] = {{"\x02h2\x08http/1.1", "http/1.1"}, {"\x02h2", ""}};
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    Wire wire = join(client, server, NAME);
    const unsigned char *got;
    unsigned len;
    SSL_set_alpn_protos(wire.client, (const unsigned char *)CASES[i].asked, (unsigned)strlen(CASES[i].asked));
    assert_null(shake(wire));
    SSL_get0_alpn_selected(wire.client, &got, &len);
    assert_int_equal(len, strlen(CASES[i].got));
    assert_memory_equal(got, CASES[i].got, len);
    part(wire);
  }
  tls_free(server);
  tls_free(client);
}

static void a_changed_certificate_is_loaded(void **state) {
  World *w = *state;
  Error err;
  Tls *server = must(TLS_SERVER, files_of(w)), *client = trusting(&w->ca);
  Wire before = join(client, server, NAME);
  assert_null(shake(before));
  test_write_file(w->dir, "cert.pem", buf_str(&w->second.cert));
  test_write_file(w->dir, "key.pem", buf_str(&w->second.key));
  TlsSource source = files_of(w);
  assert_ok(tls_load(server, &source, &err), &err);
  Wire after = join(client, server, NAME);
  assert_null(shake(after));
  assert_serial(after, &w->second);
  /* the one that was open goes on as it is */
  char text[8] = "";
  assert_int_equal(SSL_write(before.server, "hello", 5), 5);
  assert_int_equal(SSL_read(before.client, text, sizeof text), 5);
  assert_string_equal(text, "hello");
  assert_serial(before, &w->first);
  part(before);
  part(after);
  tls_free(server);
  tls_free(client);
}

/* Each is told in one line that names the file, and the server goes on as it was. */
static void what_cannot_be_used_changes_nothing(void **state) {
  World *w = *state;
  Tls *server = must(TLS_SERVER, files_of(w)), *client = trusting(&w->ca);
  CLEANUP(str_freep)
  char *damaged =
      str_printf("%s-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", buf_str(&w->first.cert));
  const char *cert = buf_str(&w->first.cert), *key = buf_str(&w->first.key);
  const struct {
    const char *cert, *key, *what, *why; /* NULL: no such file */
  } CASES[] = {
      {cert, buf_str(&w->second.key), w->key_path, "key values mismatch"},
      {NULL, key, w->cert_path, "No such file or directory"},
      {cert, NULL, w->key_path, "No such file or directory"},
      {"", key, w->cert_path, "no start line"},
      {cert, "", w->key_path, "the key cannot be read"},
      {key, key, w->cert_path, "no start line"},
      {damaged, key, w->cert_path, "the certificate or its chain cannot be read"},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    TlsSource source = files_of(w);
    Error err;
    unlink(w->cert_path);
    unlink(w->key_path);
    if (CASES[i].cert)
      test_write_file(w->dir, "cert.pem", CASES[i].cert);
    if (CASES[i].key)
      test_write_file(w->dir, "key.pem", CASES[i].key);
    assert_int_equal(tls_load(server, &source, &err), -1);
    assert_int_equal(err.kind, ERROR_INVALID_ARGUMENT);
    CLEANUP(str_freep)
    char *begin = str_printf("--x-%s-file: %s: ", CASES[i].what == w->cert_path ? "cert" : "key", CASES[i].what);
    if (!str_starts_with(err.message, begin) || !strstr(err.message, CASES[i].why) || strchr(err.message, '\n'))
      fail_msg("case %zu: %s", i, err.message);
    Wire wire = join(client, server, NAME);
    assert_null(shake(wire));
    assert_serial(wire, &w->first);
    part(wire);
  }
  tls_free(server);
  tls_free(client);
}

static void a_key_with_a_pass_phrase_is_refused(void **state) {
  const World *w = *state;
  BIO *in = BIO_new_mem_buf(w->first.key.data, (int)w->first.key.len), *out = BIO_new(BIO_s_mem());
  EVP_PKEY *key = PEM_read_bio_PrivateKey(in, NULL, NULL, NULL);
  char *data;
  Error err;
  assert_int_equal(PEM_write_bio_PKCS8PrivateKey(out, key, EVP_aes_128_cbc(), "pass", 4, NULL, NULL), 1);
  assert_int_equal(BIO_write(out, "", 1), 1);
  assert_true(BIO_get_mem_data(out, &data) > 0);
  TlsSource source = {.cert = buf_str(&w->first.cert), .key = data};
  assert_null(tls_new(TLS_SERVER, &source, &err));
  assert_true(str_starts_with(err.message, "the key cannot be read"));
  EVP_PKEY_free(key);
  BIO_free(in);
  BIO_free(out);
}

/* The server's side wants one here; whose it is, it does not ask. */
static int anyone(int ok, X509_STORE_CTX *ctx) {
  return 1;
}

static void a_client_shows_its_certificate_or_none(void **state) {
  const World *w = *state;
  Tls *server = must(TLS_SERVER, text_of(&w->first));
  const Pair *own = &w->second;
  Tls *with =
      must(TLS_CLIENT, (TlsSource){.ca = buf_str(&w->ca.cert), .cert = buf_str(&own->cert), .key = buf_str(&own->key)});
  Tls *without = must(TLS_CLIENT, (TlsSource){.ca = buf_str(&w->ca.cert), .cert = "", .key = ""});
  for (int i = 0; i < 2; i++) {
    Wire wire = join(i ? with : without, server, NAME);
    SSL_set_verify(wire.server, SSL_VERIFY_PEER, anyone);
    assert_null(shake(wire));
    X509 *shown = SSL_get1_peer_certificate(wire.server);
    assert_int_equal(shown != NULL, i);
    X509_free(shown);
    part(wire);
  }
  tls_free(server);
  tls_free(with);
  tls_free(without);
}

/* The handshake to its end as the server sees it; NULL, or why it refused. */
static const char *serve(Wire w) {
  for (int i = 0; i < 10; i++) {
    int client = SSL_do_handshake(w.client), server = SSL_do_handshake(w.server);
    if (client == 1 && server == 1)
      return NULL;
    if (server != 1 && SSL_get_error(w.server, server) != SSL_ERROR_WANT_READ)
      return tls_trouble(w.server);
  }
  fail_msg("no end of the handshake");
  return NULL;
}

static void old_versions_are_refused(void **state) {
  const World *w = *state;
  TlsSource source = text_of(&w->first);
  Tls *usual = must(TLS_SERVER, source), *client = trusting(&w->ca);
  source.min_version = TLS_VERSION_1_3;
  Tls *strict = must(TLS_SERVER, source);
  const struct {
    Tls *server;
    int version;
    bool let_in;
  } CASES[] = {
      {usual, TLS1_1_VERSION, false},  {usual, TLS1_2_VERSION, true},   {usual, TLS1_3_VERSION, true},
      {strict, TLS1_1_VERSION, false}, {strict, TLS1_2_VERSION, false}, {strict, TLS1_3_VERSION, true},
  };
  for (size_t i = 0; i < ARRAY_LEN(CASES); i++) {
    Wire wire = join(client, CASES[i].server, NAME);
    assert_true(SSL_set_cipher_list(wire.client, "ALL:@SECLEVEL=0"));
    assert_true(SSL_set_min_proto_version(wire.client, CASES[i].version));
    assert_true(SSL_set_max_proto_version(wire.client, CASES[i].version));
    const char *why = serve(wire);
    if (CASES[i].let_in ? why != NULL : !why || !strstr(why, "unsupported protocol"))
      fail_msg("case %zu: %s", i, why ? why : "let in");
    part(wire);
  }
  tls_free(usual);
  tls_free(strict);
  tls_free(client);
}

static void suites_are_chosen(void **state) {
  const World *w = *state;
  Error err;
  TlsSource source = text_of(&w->first);
  source.suites = "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384";
  Tls *server = must(TLS_SERVER, source), *client = trusting(&w->ca);
  for (int i = 0; i < 2; i++) {
    Wire wire = join(client, server, NAME);
    SSL_set_max_proto_version(wire.client, TLS1_2_VERSION);
    if (i)
      assert_true(SSL_set_cipher_list(wire.client, "ECDHE-ECDSA-AES128-GCM-SHA256"));
    const char *why = serve(wire);
    if (i)
      assert_contains(why, "no shared cipher");
    else
      assert_string_equal(SSL_get_cipher(wire.server), "ECDHE-ECDSA-AES256-GCM-SHA384");
    part(wire);
  }
  source.flags = "--tls-";
  source.suites = "TLS_AES_128_GCM_SHA256";
  assert_null(tls_new(TLS_SERVER, &source, &err));
  assert_string_equal(err.message, "--tls-cipher-suites: none of these is of TLS 1.2, which is allowed");
  source.suites = "RC9";
  assert_null(tls_new(TLS_SERVER, &source, &err));
  assert_string_equal(err.message, "--tls-cipher-suites: 'RC9' is no cipher suite that is known here");
  source.suites = "TLS_AES_128_GCM_SHA256";
  source.min_version = TLS_VERSION_1_3;
  tls_free(must(TLS_SERVER, source));
  tls_free(server);
  tls_free(client);
}

static Pair make_client(const Pair *ca, const char *name) {
  Pair p = {BUF_INIT(0), BUF_INIT(0)};
  int64_t now = clock_wall_ms();
  CertificateTerms terms = {.common_name = name, .now_ms = now, .not_after_ms = now + 3600000};
  assert_int_equal(certificate_make_client(buf_str(&ca->cert), buf_str(&ca->key), &terms, &p.cert, &p.key, NULL), 0);
  return p;
}

static void clients_are_asked_who_they_are(void **state) {
  const World *w = *state;
  Pair known = make_client(&w->ca, "Agent, 7"), stranger = make_client(&w->other_ca, "eve");
  const struct {
    TlsClients clients;
    const Pair *shown;
    const char *subject, *why;
  } CASES[] = {
      {TLS_CLIENTS_NOT_ASKED, NULL, NULL, NULL},
      {TLS_CLIENTS_NOT_ASKED, &stranger, NULL, NULL},
      {TLS_CLIENTS_OPTIONAL, NULL, NULL, NULL},
      {TLS_CLIENTS_OPTIONAL, &known, "CN=Agent\\, 7", NULL},
      {TLS_CLIENTS_OPTIONAL, &stranger, NULL, "unable to get local issuer certificate"},
      /* a server's is none for a client */
      {TLS_CLIENTS_OPTIONAL, &w->first, NULL, "unsuitable certificate purpose"},
      {TLS_CLIENTS_REQUIRED, NULL, NULL, "peer did not return a certificate"},
      {TLS_CLIENTS_REQUIRED, &known, "CN=Agent\\, 7", NULL},
      {TLS_CLIENTS_REQUIRED, &stranger, NULL, "unable to get local issuer certificate"},
  };
  for (size_t i = 0; i < 2 * ARRAY_LEN(CASES); i++) {
    TlsSource source = text_of(&w->first), own = {.ca = buf_str(&w->ca.cert)};
    const Pair *shown = CASES[i / 2].shown;
    source.ca = buf_str(&w->ca.cert);
    source.clients = CASES[i / 2].clients;
    if (shown)
      own.cert = buf_str(&shown->cert), own.key = buf_str(&shown->key);
    Tls *server = must(TLS_SERVER, source), *client = must(TLS_CLIENT, own);
    Wire wire = join(client, server, NAME);
    SSL_set_max_proto_version(wire.client, i % 2 ? TLS1_2_VERSION : TLS1_3_VERSION);
    const char *why = serve(wire), *wanted = CASES[i / 2].why;
    if (wanted ? !why || !strstr(why, wanted) : why != NULL)
      fail_msg("case %zu: %s", i / 2, why ? why : "let in");
    CLEANUP(str_freep) char *subject = tls_peer_subject(wire.server);
    if (!str_equal(subject, CASES[i / 2].subject))
      fail_msg("case %zu: %s", i / 2, subject ? subject : "nobody");
    part(wire);
    tls_free(server);
    tls_free(client);
  }
  Pair *const ALL[] = {&known, &stranger};
  for (size_t i = 0; i < ARRAY_LEN(ALL); i++) {
    buf_deinit(&ALL[i]->cert);
    buf_deinit(&ALL[i]->key);
  }
}

static void a_server_needs_authorities_to_ask(void **state) {
  const World *w = *state;
  Error err;
  TlsSource source = files_of(w);
  source.clients = TLS_CLIENTS_REQUIRED;
  source.ca = w->key_path;
  assert_null(tls_new(TLS_SERVER, &source, &err));
  CLEANUP(str_freep) char *begin = str_printf("--x-client-ca-file: %s: the authorities cannot be read", w->key_path);
  assert_true(str_starts_with(err.message, begin));
}

static void the_end_of_a_certificate_is_told(void **state) {
  const World *w = *state;
  int64_t wanted;
  Tls *server = must(TLS_SERVER, text_of(&w->first)), *client = trusting(&w->ca);
  assert_int_equal(certificate_expiry(buf_str(&w->first.cert), &wanted, NULL), 0);
  assert_int_equal(tls_expiry_ms(server), wanted);
  assert_int_equal(tls_expiry_ms(client), -1);
  tls_free(server);
  tls_free(client);
}

typedef struct Crowd {
  Tls *client, *server;
} Crowd;

static void *connect_often(void *arg) {
  Crowd *c = arg;
  for (int i = 0; i < 50; i++) {
    Wire wire = join(c->client, c->server, NAME);
    assert_null(shake(wire));
    part(wire);
  }
  return NULL;
}

/* What is wrong here tsan tells. */
static void threads_connect_while_one_loads(void **state) {
  const World *w = *state;
  Error err;
  Crowd crowd = {trusting(&w->ca), must(TLS_SERVER, text_of(&w->first))};
  pthread_t threads[2];
  for (size_t i = 0; i < ARRAY_LEN(threads); i++)
    assert_int_equal(pthread_create(&threads[i], NULL, connect_often, &crowd), 0);
  for (int i = 0; i < 50; i++) {
    TlsSource source = text_of(i % 2 ? &w->first : &w->second);
    assert_ok(tls_load(crowd.server, &source, &err), &err);
  }
  for (size_t i = 0; i < ARRAY_LEN(threads); i++)
    assert_int_equal(pthread_join(threads[i], NULL), 0);
  tls_free(crowd.client);
  tls_free(crowd.server);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      TEST(names_and_authorities_are_checked),
      TEST(a_server_says_what_it_speaks),
      TEST(a_changed_certificate_is_loaded),
      TEST(what_cannot_be_used_changes_nothing),
      TEST(a_key_with_a_pass_phrase_is_refused),
      TEST(a_client_shows_its_certificate_or_none),
      TEST(old_versions_are_refused),
      TEST(suites_are_chosen),
      TEST(clients_are_asked_who_they_are),
      TEST(a_server_needs_authorities_to_ask),
      TEST(the_end_of_a_certificate_is_told),
      TEST(threads_connect_while_one_loads),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
