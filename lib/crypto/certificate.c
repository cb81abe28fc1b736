/* See certificate.h. */
#include "lib/crypto/certificate.h"

#include <arpa/inet.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/base/str.h"
#include "lib/crypto/pem.h"

enum { SKEW_S = 3600, SERIAL_BYTES = 16 };
/* 9999-12-31T23:59:59Z, the last time that a certificate can say. */
#define TIME_MAX_S 253402300799

DEFINE_CLEANUP(X509 *, x509_freep, X509_free)
DEFINE_CLEANUP(EVP_PKEY *, pkey_freep, EVP_PKEY_free)
DEFINE_CLEANUP(X509_STORE *, store_freep, X509_STORE_free)
DEFINE_CLEANUP(X509_STORE_CTX *, store_ctx_freep, X509_STORE_CTX_free)

static void bio_freep(BIO **bio) {
  BIO_free(*bio);
}

static void names_freep(GENERAL_NAMES **names) {
  GENERAL_NAMES_free(*names);
}

/* OpenSSL fails here only without memory or random numbers, neither of which can be gone on without. */
static void must(bool ok) {
  if (!ok)
    abort();
}

/* ---- reading ---- */

static EVP_PKEY *read_key(const char *pem) {
  CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(pem, -1);
  must(bio);
  return pem_key(bio);
}

static STACK_OF(X509) * read_certificates(const char *pem, const char *what, Error *err) {
  CLEANUP(bio_freep) BIO *bio = BIO_new_mem_buf(pem, -1);
  must(bio);
  return pem_certificates(bio, what, err);
}

int certificate_expiry(const char *cert_pem, int64_t *ret_ms, Error *err) {
  CLEANUP(pem_certificates_freep)
  STACK_OF(X509) *list = read_certificates(cert_pem, "the certificate cannot be read", err);
  if (!list)
    return -1;
  *ret_ms = pem_end_ms(sk_X509_value(list, 0));
  return *ret_ms < 0 ? pem_fail(err, "the certificate's end is no time") : 0;
}

/* ---- making ---- */

static void add_extension(X509 *cert, X509 *issuer, int nid, const char *value) {
  X509V3_CTX ctx;
  X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
  X509_EXTENSION *extension = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
  must(extension && X509_add_ext(cert, extension, -1));
  X509_EXTENSION_free(extension);
}

static void push_name(GENERAL_NAMES *names, int type, ASN1_STRING *value) {
  GENERAL_NAME *name = GENERAL_NAME_new();
  must(name);
  GENERAL_NAME_set0_value(name, type, value);
  must(sk_GENERAL_NAME_push(names, name) > 0);
}

static int add_names(X509 *cert, const CertificateTerms *terms, Error *err) {
  CLEANUP(names_freep) GENERAL_NAMES *names = GENERAL_NAMES_new();
  must(names);
  for (size_t i = 0; i < terms->n_dns_names; i++) {
    if (!str_is_dns_subdomain(terms->dns_names[i]))
      return error_field(err, "dns_names", "'%s' is not a DNS name", terms->dns_names[i]);
    ASN1_IA5STRING *value = ASN1_IA5STRING_new();
    must(value && ASN1_STRING_set(value, terms->dns_names[i], -1));
    push_name(names, GEN_DNS, value);
  }
  for (size_t i = 0; i < terms->n_ips; i++) {
    ASN1_OCTET_STRING *value = a2i_IPADDRESS(terms->ips[i]);
    if (!value) {
      ERR_clear_error();
      return error_field(err, "ips", "'%s' is not an IP address", terms->ips[i]);
    }
    push_name(names, GEN_IPADD, value);
  }
  if (sk_GENERAL_NAME_num(names) == 0)
    return error_field(err, "dns_names", "a server certificate needs a name");
  must(X509_add1_ext_i2d(cert, NID_subject_alt_name, names, 0, 0) == 1);
  return 0;
}

/* A certificate of the terms for the key, not signed yet and without extensions. */
static X509 *draft(const CertificateTerms *terms, EVP_PKEY *key, Error *err) {
  int64_t start = terms->now_ms / 1000 - SKEW_S, end = terms->not_after_ms / 1000;
  if (start < 0 || end <= start + SKEW_S || end > TIME_MAX_S) {
    error_field(err, "not_after_ms", "the certificate would end before now, or never");
    return NULL;
  }
  CLEANUP(x509_freep) X509 *cert = X509_new();
  uint8_t serial[SERIAL_BYTES];
  random_bytes(serial, sizeof serial);
  serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, and of full length */
  BIGNUM *number = BN_bin2bn(serial, sizeof serial, NULL);
  must(cert && number && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(cert)));
  BN_free(number);
  must(X509_set_version(cert, X509_VERSION_3) && ASN1_TIME_set(X509_getm_notBefore(cert), (time_t)start) &&
       ASN1_TIME_set(X509_getm_notAfter(cert), (time_t)end) && X509_set_pubkey(cert, key));
  if (str_empty(terms->common_name) ||
      !X509_NAME_add_entry_by_NID(X509_get_subject_name(cert), NID_commonName, MBSTRING_UTF8,
                                  (const unsigned char *)terms->common_name, -1, -1, 0)) {
    pem_fail(err, "this common name cannot be in a certificate");
    return NULL;
  }
  X509 *result = cert;
  cert = NULL;
  return result;
}

static int write_pem(X509 *cert, EVP_PKEY *key, Buf *cert_pem, Buf *key_pem, Error *err) {
  CLEANUP(bio_freep) BIO *cert_bio = BIO_new(BIO_s_mem());
  /* cleared when freed */
  CLEANUP(bio_freep) BIO *key_bio = BIO_new(BIO_s_secmem());
  must(cert_bio && key_bio && PEM_write_bio_X509(cert_bio, cert) &&
       PEM_write_bio_PKCS8PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL));
  char *cert_text, *key_text;
  long cert_len = BIO_get_mem_data(cert_bio, &cert_text), key_len = BIO_get_mem_data(key_bio, &key_text);
  if (buf_append(cert_pem, cert_text, (size_t)cert_len) || buf_append(key_pem, key_text, (size_t)key_len))
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "the certificate does not fit into its buffer");
  return 0;
}

int certificate_make_ca(const CertificateTerms *terms, Buf *cert_pem, Buf *key_pem, Error *err) {
  CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
  must(key);
  CLEANUP(x509_freep) X509 *cert = draft(terms, key, err);
  if (!cert)
    return -1;
  must(X509_set_issuer_name(cert, X509_get_subject_name(cert)));
  add_extension(cert, cert, NID_basic_constraints, "critical,CA:TRUE,pathlen:0");
  add_extension(cert, cert, NID_key_usage, "critical,keyCertSign,cRLSign");
  add_extension(cert, cert, NID_subject_key_identifier, "hash");
  must(X509_sign(cert, key, EVP_sha256()) > 0);
  return write_pem(cert, key, cert_pem, key_pem, err);
}

/* usage: "serverAuth" or "clientAuth"; a client's needs no name but its common one. */
static int make_signed(const char *ca_cert_pem, const char *ca_key_pem, const CertificateTerms *terms,
                       const char *usage, Buf *cert_pem, Buf *key_pem, Error *err) {
  CLEANUP(pem_certificates_freep)
  STACK_OF(X509) *ca = read_certificates(ca_cert_pem, "the CA's certificate cannot be read", err);
  if (!ca)
    return -1;
  CLEANUP(pkey_freep) EVP_PKEY *ca_key = read_key(ca_key_pem);
  X509 *issuer = sk_X509_value(ca, 0);
  if (!ca_key || X509_check_private_key(issuer, ca_key) != 1)
    return pem_fail(err, "the CA's key cannot be read or is not its certificate's");
  CLEANUP(pkey_freep) EVP_PKEY *key = EVP_EC_gen("P-256");
  must(key);
  CLEANUP(x509_freep) X509 *cert = draft(terms, key, err);
  bool is_server = strcmp(usage, "serverAuth") == 0;
  if (!cert || (is_server && add_names(cert, terms, err)))
    return -1;
  must(X509_set_issuer_name(cert, X509_get_subject_name(issuer)));
  add_extension(cert, issuer, NID_basic_constraints, "critical,CA:FALSE");
  add_extension(cert, issuer, NID_key_usage, "critical,digitalSignature");
  add_extension(cert, issuer, NID_ext_key_usage, usage);
  add_extension(cert, issuer, NID_subject_key_identifier, "hash");
  if (X509_get0_subject_key_id(issuer))
    add_extension(cert, issuer, NID_authority_key_identifier, "keyid:always");
  if (X509_sign(cert, ca_key, EVP_sha256()) <= 0)
    return pem_fail(err, "the CA's key cannot sign");
  return write_pem(cert, key, cert_pem, key_pem, err);
}

int certificate_make_server(const char *ca_cert_pem, const char *ca_key_pem, const CertificateTerms *terms,
                            Buf *cert_pem, Buf *key_pem, Error *err) {
  return make_signed(ca_cert_pem, ca_key_pem, terms, "serverAuth", cert_pem, key_pem, err);
}

int certificate_make_client(const char *ca_cert_pem, const char *ca_key_pem, const CertificateTerms *terms,
                            Buf *cert_pem, Buf *key_pem, Error *err) {
  return make_signed(ca_cert_pem, ca_key_pem, terms, "clientAuth", cert_pem, key_pem, err);
}

/* ---- checking ---- */

static int verify(X509_STORE *store, STACK_OF(X509) * chain, const char *dns_name, int64_t now_ms, Error *err) {
  CLEANUP(store_ctx_freep) X509_STORE_CTX *ctx = X509_STORE_CTX_new();
  must(ctx && X509_STORE_CTX_init(ctx, store, sk_X509_value(chain, 0), chain));
  X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
  X509_VERIFY_PARAM_set_time(param, (time_t)(now_ms / 1000));
  /* Go's clients, which the API server is one of, never look at the common name */
  X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  must(X509_STORE_CTX_set_purpose(ctx, X509_PURPOSE_SSL_SERVER) && X509_VERIFY_PARAM_set1_host(param, dns_name, 0));
  if (X509_verify_cert(ctx) == 1)
    return 0;
  ERR_clear_error();
  return error_set(err, ERROR_FAILED_PRECONDITION, "the certificate is not good for %s: %s", dns_name,
                   X509_verify_cert_error_string(X509_STORE_CTX_get_error(ctx)));
}

int certificate_check(const char *ca_pem, const char *cert_pem, const char *key_pem, const char *dns_name,
                      int64_t now_ms, Error *err) {
  CLEANUP(pem_certificates_freep)
  STACK_OF(X509) *roots = read_certificates(ca_pem, "the CA's certificate cannot be read", err);
  if (!roots)
    return -1;
  CLEANUP(pem_certificates_freep)
  STACK_OF(X509) *chain = read_certificates(cert_pem, "the certificate cannot be read", err);
  if (!chain)
    return -1;
  if (str_empty(dns_name))
    return error_field(err, "dns_name", "there is no name to check the certificate for");
  CLEANUP(pkey_freep) EVP_PKEY *key = read_key(key_pem);
  if (!key || X509_check_private_key(sk_X509_value(chain, 0), key) != 1)
    return pem_fail(err, "the key cannot be read or is not the certificate's");
  CLEANUP(store_freep) X509_STORE *store = X509_STORE_new();
  must(store);
  for (int i = 0; i < sk_X509_num(roots); i++)
    must(X509_STORE_add_cert(store, sk_X509_value(roots, i)));
  return verify(store, chain, dns_name, now_ms, err);
}
