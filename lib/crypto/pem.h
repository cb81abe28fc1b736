/* PEM as objects of OpenSSL, for the files of this folder. A key that needs a pass phrase is refused, never asked for.
 */
#ifndef SANDPLANE_LIB_CRYPTO_PEM_H_
#define SANDPLANE_LIB_CRYPTO_PEM_H_

#include <stdint.h>

#include "lib/base/error.h"

struct bio_st;
struct evp_pkey_st;
struct stack_st_X509;
struct x509_st;

/* INVALID_ARGUMENT "what: reason" with OpenSSL's own reason when it has one, whose queue is empty then. Returns -1. */
int pem_fail(Error *err, const char *what);
/* The first key; NULL, and OpenSSL knows why. */
struct evp_pkey_st *pem_key(struct bio_st *bio);
/* All certificates, at least one; NULL and err (what, and the reason) when there is none or one is damaged. */
struct stack_st_X509 *pem_certificates(struct bio_st *bio, const char *what, Error *err);
void pem_certificates_freep(struct stack_st_X509 **list);
/* When it ends, in milliseconds since 1970; -1: at no time that can be read. */
int64_t pem_end_ms(const struct x509_st *cert);

#endif
