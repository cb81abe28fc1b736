/* Certificates made here, judged by OpenSSL's own verification. */
#include "lib/crypto/certificate.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "lib/base/str.h"
#include "lib/base/test.h"

#define NOW INT64_C(1767225600000) /* 2026-01-01T00:00:00Z */
#define HOUR INT64_C(3600000)
#define YEAR (INT64_C(365) * 24 * HOUR)
#define NAME "hook.system.svc"

typedef struct Pair {
  Buf cert, key;
} Pair;

typedef struct World {
  Pair ca, server;
} World;

static const char *const DNS[] = {NAME, "hook.system.svc.cluster.local"};
static const char *const IPS[] = {"10.0.0.7", "fd00::7"};

static const CertificateTerms CA_TERMS = {.common_name = "a CA", .now_ms = NOW, .not_after_ms = NOW + 10 * YEAR};
static const CertificateTerms SERVER_TERMS = {.common_name = NAME,
                                              .now_ms = NOW,
                                              .not_after_ms = NOW + YEAR,
                                              .dns_names = DNS,
                                              .n_dns_names = ARRAY_LEN(DNS),
                                              .ips = IPS,
                                              .n_ips = ARRAY_LEN(IPS)};

static void pair_deinit(Pair *p) {
  buf_deinit(&p->cert);
  buf_deinit(&p->key);
}

static Pair make_ca(const CertificateTerms *terms) {
  Pair p = {BUF_INIT(0), BUF_INIT(0)};
  Error err;
  if (certificate_make_ca(terms, &p.cert, &p.key, &err))
    fail_msg("%s", err.message);
  return p;
}

static Pair make_server(const Pair *ca, const CertificateTerms *terms) {
  Pair p = {BUF_INIT(0), BUF_INIT(0)};
  Error err;
  if (certificate_make_server(buf_str(&ca->cert), buf_str(&ca->key), terms, &p.cert, &p.key, &err))
    fail_msg("%s", err.message);
  return p;
}

static int setup(void **s) {
  World *w = calloc(1, sizeof *w);
  w->ca = make_ca(&CA_TERMS);
  w->server = make_server(&w->ca, &SERVER_TERMS);
  *s = w;
  return 0;
}

static int teardown(void **s) {
  World *w = *s;
  pair_deinit(&w->ca);
  pair_deinit(&w->server);
  free(w);
  return 0;
}

static X509 *parse(const Buf *pem) {
  BIO *bio = BIO_new_mem_buf(pem->data, (int)pem->len);
  X509 *cert = PEM_read_bio_X509(bio, NULL, NULL, NULL);
  assert_non_null(cert);
  BIO_free(bio);
  return cert;
}

static void test_signed_as_x509(void **s) {
  const World *w = *s;
  X509 *ca = parse(&w->ca.cert), *server = parse(&w->server.cert);
  EVP_PKEY *key = X509_get_pubkey(ca);
  assert_int_equal(X509_verify(ca, key), 1);
  assert_int_equal(X509_verify(server, key), 1);
  assert_int_equal(X509_check_issued(ca, server), X509_V_OK);
  assert_int_equal(EVP_PKEY_get_bits(key), 256);
  assert_true(EVP_PKEY_is_a(key, "EC"));
  assert_true(X509_check_ca(ca) == 1 && X509_get_pathlen(ca) == 0);
  assert_int_equal(X509_check_ca(server), 0);
  assert_int_equal(X509_get_key_usage(ca), KU_KEY_CERT_SIGN | KU_CRL_SIGN);
  assert_int_equal(X509_get_key_usage(server), KU_DIGITAL_SIGNATURE);
  assert_int_equal(X509_get_extended_key_usage(server), XKU_SSL_SERVER);
  assert_int_equal(X509_get_version(server), X509_VERSION_3);
  for (size_t i = 0; i < ARRAY_LEN(DNS); i++)
    assert_int_equal(X509_check_host(server, DNS[i], 0, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT, NULL), 1);
  for (size_t i = 0; i < ARRAY_LEN(IPS); i++)
    assert_int_equal(X509_check_ip_asc(server, IPS[i], 0), 1);
  assert_int_equal(X509_check_host(server, "other.svc", 0, 0, NULL), 0);
  assert_int_equal(X509_check_ip_asc(server, "10.0.0.8", 0), 0);
  time_t before = (NOW - HOUR) / 1000, at_start = before - 1;
  assert_int_equal(X509_cmp_time(X509_get0_notBefore(server), &before), -1);
  assert_int_equal(X509_cmp_time(X509_get0_notBefore(server), &at_start), 1);
  EVP_PKEY_free(key);
  X509_free(ca);
  X509_free(server);
}

static void test_serials_differ(void **s) {
  const World *w = *s;
  Pair other = make_server(&w->ca, &SERVER_TERMS);
  X509 *a = parse(&w->server.cert), *b = parse(&other.cert);
  assert_int_not_equal(ASN1_INTEGER_cmp(X509_get0_serialNumber(a), X509_get0_serialNumber(b)), 0);
  assert_string_not_equal(buf_str(&other.key), buf_str(&w->server.key));
  X509_free(a);
  X509_free(b);
  pair_deinit(&other);
}

static void test_expiry(void **s) {
  const World *w = *s;
  int64_t ms;
  Error err;
  assert_ok(certificate_expiry(buf_str(&w->server.cert), &ms, &err), &err);
  assert_int_equal(ms, NOW + YEAR);
  assert_ok(certificate_expiry(buf_str(&w->ca.cert), &ms, &err), &err);
  assert_int_equal(ms, NOW + 10 * YEAR);
  assert_int_equal(certificate_expiry("", &ms, &err), -1);
  assert_int_equal(certificate_expiry("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", &ms, &err), -1);
  assert_int_equal(certificate_expiry(buf_str(&w->server.key), &ms, &err), -1);
}

static int check(const Pair *ca, const Pair *server, const char *name, int64_t now, Error *err) {
  return certificate_check(buf_str(&ca->cert), buf_str(&server->cert), buf_str(&server->key), name, now, err);
}

static void assert_bad(int result, const Error *err, const char *part) {
  assert_int_equal(result, -1);
  if (!strstr(err->message, part))
    fail_msg("'%s' lacks '%s'", err->message, part);
}

static void test_check(void **s) {
  const World *w = *s;
  Error err;
  for (size_t i = 0; i < ARRAY_LEN(DNS); i++)
    assert_ok(check(&w->ca, &w->server, DNS[i], NOW, &err), &err);
  assert_ok(check(&w->ca, &w->server, NAME, NOW - HOUR, &err), &err);
  assert_ok(check(&w->ca, &w->server, NAME, NOW + YEAR - 1000, &err), &err);
  assert_bad(check(&w->ca, &w->server, "other.svc", NOW, &err), &err, "hostname");
  assert_bad(check(&w->ca, &w->server, "", NOW, &err), &err, "no name");
  assert_bad(check(&w->ca, &w->server, NAME, NOW + YEAR + 1000, &err), &err, "expired");
  assert_bad(check(&w->ca, &w->server, NAME, NOW - HOUR - 1000, &err), &err, "not yet valid");
}

static void test_check_of_another_ca(void **s) {
  const World *w = *s;
  Error err;
  Pair same_name = make_ca(&CA_TERMS);
  CertificateTerms terms = CA_TERMS;
  terms.common_name = "another CA";
  Pair other = make_ca(&terms);
  assert_int_equal(check(&same_name, &w->server, NAME, NOW, &err), -1);
  assert_bad(check(&other, &w->server, NAME, NOW, &err), &err, "issuer");
  /* a bundle, as while a CA is replaced */
  Pair bundle = {BUF_INIT(0), BUF_INIT(0)};
  assert_int_equal(buf_append(&bundle.cert, other.cert.data, other.cert.len), 0);
  assert_int_equal(buf_append(&bundle.cert, w->ca.cert.data, w->ca.cert.len), 0);
  assert_ok(check(&bundle, &w->server, NAME, NOW, &err), &err);
  pair_deinit(&same_name);
  pair_deinit(&other);
  pair_deinit(&bundle);
}

static void test_check_of_the_key(void **s) {
  const World *w = *s;
  Error err;
  const char *ca = buf_str(&w->ca.cert), *cert = buf_str(&w->server.cert);
  assert_bad(certificate_check(ca, cert, buf_str(&w->ca.key), NAME, NOW, &err), &err, "not the certificate's");
  assert_bad(certificate_check(ca, cert, "", NAME, NOW, &err), &err, "key");
  assert_bad(certificate_check("", cert, buf_str(&w->server.key), NAME, NOW, &err), &err, "CA's");
  assert_bad(certificate_check(ca, "x", buf_str(&w->server.key), NAME, NOW, &err), &err, "certificate");
}

/* A CA's certificate is none for a server, and a server's cannot sign. */
static void test_roles(void **s) {
  const World *w = *s;
  Error err;
  assert_int_equal(check(&w->ca, &w->ca, NAME, NOW, &err), -1);
  Pair child = make_server(&w->server, &SERVER_TERMS);
  assert_int_equal(check(&w->server, &child, NAME, NOW, &err), -1);
  Buf chain = BUF_INIT(0);
  assert_int_equal(buf_append(&chain, child.cert.data, child.cert.len), 0);
  assert_int_equal(buf_append(&chain, w->server.cert.data, w->server.cert.len), 0);
  assert_int_equal(certificate_check(buf_str(&w->ca.cert), buf_str(&chain), buf_str(&child.key), NAME, NOW, &err), -1);
  pair_deinit(&child);
  buf_deinit(&chain);
}

/* The name only in the subject, as clients no longer accept it. */
static void test_common_name_is_no_name(void **s) {
  const World *w = *s;
  Error err;
  CertificateTerms terms = SERVER_TERMS;
  terms.common_name = "only.in.subject";
  terms.n_ips = 0;
  Pair p = make_server(&w->ca, &terms);
  assert_bad(check(&w->ca, &p, "only.in.subject", NOW, &err), &err, "hostname");
  terms.ips = IPS;
  terms.n_ips = 1;
  terms.n_dns_names = 0;
  Pair ip_only = make_server(&w->ca, &terms);
  assert_bad(check(&w->ca, &ip_only, "only.in.subject", NOW, &err), &err, "hostname");
  pair_deinit(&p);
  pair_deinit(&ip_only);
}

static void assert_no_server(const World *w, CertificateTerms terms, const char *part) {
  Pair p = {BUF_INIT(0), BUF_INIT(0)};
  Error err;
  const char *ca = buf_str(&w->ca.cert), *ca_key = buf_str(&w->ca.key);
  assert_bad(certificate_make_server(ca, ca_key, &terms, &p.cert, &p.key, &err), &err, part);
  assert_true(p.cert.len == 0 && p.key.len == 0);
  pair_deinit(&p);
}

static void test_bad_terms(void **s) {
  const World *w = *s;
  static const char *const BAD_DNS[] = {"a,IP:1.2.3.4"}, *const BAD_IP[] = {"1.2.3"};
  CertificateTerms t = SERVER_TERMS;
  t.dns_names = BAD_DNS, t.n_dns_names = 1;
  assert_no_server(w, t, "not a DNS name");
  t = SERVER_TERMS, t.ips = BAD_IP, t.n_ips = 1;
  assert_no_server(w, t, "not an IP address");
  t = SERVER_TERMS, t.n_dns_names = 0, t.n_ips = 0;
  assert_no_server(w, t, "needs a name");
  t = SERVER_TERMS, t.not_after_ms = NOW;
  assert_no_server(w, t, "end before now");
  t = SERVER_TERMS, t.not_after_ms = INT64_MAX;
  assert_no_server(w, t, "never");
  t = SERVER_TERMS, t.common_name = "";
  assert_no_server(w, t, "common name");
  t = SERVER_TERMS, t.common_name = "a-name-of-more-than-sixty-four-bytes.a-name-of-more-than-sixty-four-bytes";
  assert_no_server(w, t, "common name");
  Pair p = {BUF_INIT(0), BUF_INIT(0)};
  Error err;
  const char *ca = buf_str(&w->ca.cert), *other_key = buf_str(&w->server.key);
  assert_int_equal(certificate_make_server(ca, other_key, &SERVER_TERMS, &p.cert, &p.key, &err), -1);
  assert_int_equal(certificate_make_server("", buf_str(&w->ca.key), &SERVER_TERMS, &p.cert, &p.key, &err), -1);
}

/* An encrypted key fails at once: nobody is there to type. */
static void test_no_pass_phrase_is_asked_for(void **s) {
  const World *w = *s;
  EVP_PKEY *key = EVP_EC_gen("P-256");
  BIO *bio = BIO_new(BIO_s_mem());
  assert_int_equal(PEM_write_bio_PKCS8PrivateKey(bio, key, EVP_aes_128_cbc(), "secret", 6, NULL, NULL), 1);
  assert_int_equal(BIO_write(bio, "", 1), 1);
  char *pem;
  BIO_get_mem_data(bio, &pem);
  Error err;
  assert_bad(certificate_check(buf_str(&w->ca.cert), buf_str(&w->server.cert), pem, NAME, NOW, &err), &err, "key");
  BIO_free(bio);
  EVP_PKEY_free(key);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test(test_signed_as_x509),
      cmocka_unit_test(test_serials_differ),
      cmocka_unit_test(test_expiry),
      cmocka_unit_test(test_check),
      cmocka_unit_test(test_check_of_another_ca),
      cmocka_unit_test(test_check_of_the_key),
      cmocka_unit_test(test_roles),
      cmocka_unit_test(test_common_name_is_no_name),
      cmocka_unit_test(test_bad_terms),
      cmocka_unit_test(test_no_pass_phrase_is_asked_for),
  };
  return cmocka_run_group_tests(tests, setup, teardown);
}
