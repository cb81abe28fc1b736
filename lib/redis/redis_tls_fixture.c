/* See redis_tls_fixture.h. */
#include "lib/redis/redis_tls_fixture.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

static void add(X509 *cert, int nid, const char *value) {
  X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, NULL, nid, value);
  if (!e || !X509_add_ext(cert, e, -1))
    abort();
  X509_EXTENSION_free(e);
}

static void save(const char *folder, const char *name, X509 *cert, EVP_PKEY *key) {
  char path[512];
  snprintf(path, sizeof path, "%s/%s.pem", folder, name);
  FILE *f = fopen(path, "we");
  if (!f || !PEM_write_X509(f, cert) || fclose(f))
    abort();
  snprintf(path, sizeof path, "%s/%s-key.pem", folder, name);
  f = fopen(path, "we");
  if (!f || !PEM_write_PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) || fclose(f))
    abort();
}

/* issuer NULL: an authority, signed by itself. */
static X509 *make(const char *folder, const char *name, X509 *issuer, EVP_PKEY *issuer_key, EVP_PKEY **ret_key) {
  EVP_PKEY *key = EVP_EC_gen("P-256");
  X509 *cert = X509_new();
  if (!key || !cert)
    abort();
  static long serial;
  X509_set_version(cert, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(cert), ++serial);
  X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
  X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
  X509_set_pubkey(cert, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC, (const unsigned char *)name, -1, -1, 0);
  X509_set_issuer_name(cert, X509_get_subject_name(issuer ? issuer : cert));
  add(cert, NID_basic_constraints, issuer ? "critical,CA:FALSE" : "critical,CA:TRUE");
  if (issuer)
    add(cert, NID_subject_alt_name, "IP:127.0.0.1,DNS:redis.test");
  if (!X509_sign(cert, issuer_key ? issuer_key : key, EVP_sha256()))
    abort();
  save(folder, name, cert, key);
  *ret_key = key;
  return cert;
}

void redis_tls_fixture_make(const char *folder) {
  mkdir(folder, 0700);
  EVP_PKEY *keys[4];
  X509 *ca = make(folder, "ca", NULL, NULL, &keys[0]);
  X509 *all[] = {ca, make(folder, "server", ca, keys[0], &keys[1]), make(folder, "client", ca, keys[0], &keys[2]),
                 make(folder, "other-ca", NULL, NULL, &keys[3])};
  for (int i = 0; i < 4; i++) {
    X509_free(all[i]);
    EVP_PKEY_free(keys[i]);
  }
}
