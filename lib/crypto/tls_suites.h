/* Names of cipher suites as people write them, made a list as OpenSSL takes it. */
#ifndef SANDPLANE_LIB_CRYPTO_TLS_SUITES_H_
#define SANDPLANE_LIB_CRYPTO_TLS_SUITES_H_

#include <stdbool.h>

#include "lib/base/compiler.h"
#include "lib/base/error.h"

/* list: names separated by commas, blanks round them do not count; those of IANA and Go
 * (TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256) or of OpenSSL (ECDHE-RSA-AES128-GCM-SHA256). Each must have forward secrecy
 * and an AES or ChaCha20. Suites of TLS 1.3 are taken and left out: there is no choice among them, as in Go.
 *
 * ret_list: to be freed, empty when no suite of TLS 1.2 was named. -1: INVALID_ARGUMENT with the name that is none. */
int tls_suites_parse(const char *list, char **ret_list, Error *err) MUST_CHECK;

#endif
