/* One side's TLS: the certificate that it shows, whom it trusts, and how strict it is. All contexts are made here.
 *
 * TLS 1.2 or later, forward secrecy only, no renegotiation, no compression, and no resumption: connections live long,
 * and a resumed one would outlive its certificate, or the authority of its client's. A key that needs a pass phrase is
 * refused.
 *
 * A certificate is changed by loading again: connections from then on have the new one, those that are open keep
 * theirs, and what cannot be used changes nothing. Loading and connecting may be on different threads; a connection is
 * one thread's.
 */
#ifndef SANDPLANE_LIB_CRYPTO_TLS_H_
#define SANDPLANE_LIB_CRYPTO_TLS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/compiler.h"
#include "lib/base/error.h"

struct ssl_st;

typedef enum TlsSide { TLS_CLIENT, TLS_SERVER } TlsSide;
typedef enum TlsVersion { TLS_VERSION_1_2, TLS_VERSION_1_3 } TlsVersion;
/* Whether a server asks its clients for a certificate, and lets in those that show none. One that is shown must be good
 * either way. */
typedef enum TlsClients { TLS_CLIENTS_NOT_ASKED, TLS_CLIENTS_OPTIONAL, TLS_CLIENTS_REQUIRED } TlsClients;

/* Each of cert, key and ca is PEM text, or with `files` the path of a file with it. "" is as NULL. */
typedef struct TlsSource {
  bool files;
  const char *flags; /* with `files`: of what errors begin with, "--redis-" for --redis-cert-file */
  /* The certificate (first) and its chain, and the key. A client may have none. */
  const char *cert, *key;
  /* Whose certificates are trusted. A client's, NULL: the system's authorities. A server's: those of its clients, and
   * needed when they are asked. */
  const char *ca;
  TlsClients clients; /* a server's */
  TlsVersion min_version;
  const char *suites; /* of TLS 1.2, as in tls_suites.h; NULL: ECDHE with AES-GCM or ChaCha20 */
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

/* When its certificate ends, in milliseconds since 1970; -1: it has none. */
int64_t tls_expiry_ms(Tls *tls);

/* An SSL without a way to its peer; the caller frees it. server_name: a client's, whom it expects (a DNS name or a
 * number). NULL and err: no certificate can have this name. */
struct ssl_st *tls_connection(Tls *tls, const char *server_name, Error *err);
/* Why the call that has just failed did, in the words of OpenSSL, which forgets it. */
const char *tls_trouble(const struct ssl_st *ssl);

/* Behind the handshake: the subject of the peer's certificate, which was found good, in the form of RFC 2253; to be
 * freed. NULL: it showed none. */
char *tls_peer_subject(const struct ssl_st *ssl);
/* Behind the handshake: what was agreed upon by ALPN; "" when nothing was. */
void tls_protocol(const struct ssl_st *ssl, char *out, size_t size);

#endif
