/* For tests: certificates of an authority of the test's own, as files. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_TLS_FIXTURE_H_
#define SANDPLANE_LIB_REDIS_REDIS_TLS_FIXTURE_H_

/* Writes ca.pem, server.pem and server-key.pem (127.0.0.1 and "redis.test"), client.pem and client-key.pem, and
 * other-ca.pem, which has signed nothing, into the folder. */
void redis_tls_fixture_make(const char *folder);

#endif
