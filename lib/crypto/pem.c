/* See pem.h. */
#include "lib/crypto/pem.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <time.h>

int pem_fail(Error *err, const char *what) {
  const char *reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return error_set(err, ERROR_INVALID_ARGUMENT, "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
}

/* Nobody is there to type one. */
static int no_pass_phrase(char *buf, int size, int rwflag, void *arg) {
  return -1;
}

EVP_PKEY *pem_key(BIO *bio) {
  return PEM_read_bio_PrivateKey(bio, NULL, no_pass_phrase, NULL);
}

void pem_certificates_freep(STACK_OF(X509) * *list) {
  sk_X509_pop_free(*list, X509_free);
}

STACK_OF(X509) * pem_certificates(BIO *bio, const char *what, Error *err) {
  STACK_OF(X509) *list = sk_X509_new_null();
  X509 *cert;
  if (!list)
    abort();
  while ((cert = PEM_read_bio_X509(bio, NULL, no_pass_phrase, NULL)))
    if (sk_X509_push(list, cert) <= 0)
      abort();
  /* the end of the text is told as an error as well */
  if (ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE && sk_X509_num(list) > 0) {
    ERR_clear_error();
    return list;
  }
  pem_certificates_freep(&list);
  pem_fail(err, what);
  return NULL;
}

int64_t pem_end_ms(const X509 *cert) {
  struct tm tm;
  return ASN1_TIME_to_tm(X509_get0_notAfter(cert), &tm) == 1 ? (int64_t)timegm(&tm) * 1000 : -1;
}
