/* The TLS half of the settings: authorities, certificate and key as one OpenSSL context. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_TLS_H_
#define SANDPLANE_LIB_REDIS_REDIS_TLS_H_

#include "lib/redis/redis.h"

struct ssl_ctx_st;
struct ssl_st;

/* -1: a file cannot be used, one line. */
int redis_tls_check(const RedisConfig *config, Error *err) MUST_CHECK;
/* A client's connection that expects the name (of a host, or a number) in the server's certificate, over BIOs in
 * memory. Reads the files. NULL and err. */
struct ssl_st *redis_tls_new(const RedisConfig *config, const char *server_name, Error *err);
/* What OpenSSL says went wrong, and forgets it. */
const char *redis_tls_trouble(const struct ssl_st *ssl);

#endif
