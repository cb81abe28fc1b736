/* One side's TLS: the certificate that it shows, whom it trusts, and how strict it is. All contexts are made here.
 *
 * TLS 1.2 or later, forward secrecy only, no renegotiation, no compression, and no resumption: connections are few and
 * live long, and a resumed one would outlive its certificate. A key that needs a pass phrase is refused.
 *
 * A certificate is changed by loading again: connections from then on have the new one, those that are open keep
 * theirs, and what cannot be used changes nothing. On one thread.
 */
#ifndef SANDPLANE_LIB_CRYPTO_TLS_H_
#define SANDPLANE_LIB_CRYPTO_TLS_H_

#include <stdbool.h>

#include "lib/base/compiler.h"
#include "lib/base/error.h"

struct ssl_st;

typedef enum TlsSide { TLS_CLIENT, TLS_SERVER } TlsSide;

/* Each of cert, key and ca is PEM text, or with `files` the path of a file with it. "" is as NULL. */
typedef struct TlsSource {
  bool files;
  const char *flags; /* with `files`: of what errors begin with, "--redis-" for --redis-cert-file */
  /* The certificate (first) and its chain, and the key. A client may have none. */
  const char *cert, *key;
  /* A client's: whose certificates are trusted; NULL: the system's authorities. */
  const char *ca;
  /* A server's, kept by reference: what it speaks, as in ALPN (each behind its length), the dearest first. A client
   * that names none of these is let in without an answer to its question. NULL: it does not say. */
  const char *protocols;
} TlsSource;

typedef struct Tls Tls;

/* NULL and err: INVALID_ARGUMENT, one line that says what cannot be used and why. */
Tls *tls_new(TlsSide side, const TlsSource *source, Error *err);
void tls_free(Tls *tls); /* NULL-safe; its connections go on */
/* For connections from now on; reads files again. -1: as above, and everything stays as it was. */
int tls_load(Tls *tls, const TlsSource *source, Error *err) MUST_CHECK;

/* An SSL without a way to its peer; the caller frees it. server_name: a client's, whom it expects (a DNS name or a
 * number). NULL and err: no certificate can have this name. */
struct ssl_st *tls_connection(const Tls *tls, const char *server_name, Error *err);
/* Why the call that has just failed did, in the words of OpenSSL, which forgets it. */
const char *tls_trouble(const struct ssl_st *ssl);

#endif
