/* Certificates for peers who are told whom to trust: a CA of our own and what it signs.
 *
 * ECDSA on P-256. A CA signs no further CA (path length 0, key usage), a server's certificate is good for
 * TLS servers only, a client's for clients, and a server's names stand in subjectAltName, the one place where clients
 * look. All are valid since an hour before now, for clocks that are late. Text is PEM; a key that needs a pass phrase
 * is refused, never asked for.
 */
#ifndef SANDPLANE_LIB_CRYPTO_CERTIFICATE_H_
#define SANDPLANE_LIB_CRYPTO_CERTIFICATE_H_

#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

/* Milliseconds since 1970; certificates hold seconds. */
typedef struct CertificateTerms {
  const char *common_name; /* at most 64 bytes */
  int64_t now_ms, not_after_ms;
  /* Of a server: at least one of both. */
  const char *const *dns_names;
  size_t n_dns_names;
  const char *const *ips; /* IPv4 or IPv6 */
  size_t n_ips;
} CertificateTerms;

/* All put PEM behind what is in the buffers. -1: terms that no certificate can have, a CA that cannot be read. */
int certificate_make_ca(const CertificateTerms *terms, Buf *cert_pem, Buf *key_pem, Error *err) MUST_CHECK;
int certificate_make_server(const char *ca_cert_pem, const char *ca_key_pem, const CertificateTerms *terms,
                            Buf *cert_pem, Buf *key_pem, Error *err) MUST_CHECK;
/* Whose subject is the common name alone. */
int certificate_make_client(const char *ca_cert_pem, const char *ca_key_pem, const CertificateTerms *terms,
                            Buf *cert_pem, Buf *key_pem, Error *err) MUST_CHECK;

/* When the first certificate in the text ends. */
int certificate_expiry(const char *cert_pem, int64_t *ret_ms, Error *err) MUST_CHECK;

/* Whether a client that trusts ca_pem (one or more) and connects to dns_name at that time is content with the
 * server certificate (first; the others are its chain), and the key is the certificate's. -1: why not. */
int certificate_check(const char *ca_pem, const char *cert_pem, const char *key_pem, const char *dns_name,
                      int64_t now_ms, Error *err) MUST_CHECK;

#endif
