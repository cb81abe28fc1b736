/* Files of a certificate, a key and authorities that are replaced while a program runs: loaded again by themselves.
 *
 * Looked at every second, by name, so that a renamed file, one written over and a symbolic link that leads elsewhere
 * (the volumes of Kubernetes) are all seen. What has changed is loaded when it was the same for a second, so that a
 * certificate does not meet the key of the one before. What cannot be used changes nothing until it changes again. On
 * the loop's thread.
 */
#ifndef SANDPLANE_LIB_CRYPTO_TLS_RELOAD_H_
#define SANDPLANE_LIB_CRYPTO_TLS_RELOAD_H_

#include "lib/crypto/tls.h"
#include "lib/loop/loop.h"

enum { TLS_RELOAD_MS = 1000 };

typedef struct TlsReload TlsReload;

/* A server's, from files; source's texts are kept by reference. loaded: err NULL, or why the new files cannot be used.
 * NULL and err: as of tls_new. */
TlsReload *tls_reload_new(Loop *loop, const TlsSource *source, void (*loaded)(void *arg, const Error *err), void *arg,
                          Error *err);
void tls_reload_free(TlsReload *reload); /* NULL-safe */
Tls *tls_reload_tls(const TlsReload *reload);

#endif
