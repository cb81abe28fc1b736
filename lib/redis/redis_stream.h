/* Bytes to and from Redis, plain or in TLS, on a non-blocking socket. Reads and writes are those of the socket: a
 * count, or -1 and errno; EPROTO: TLS failed, redis_stream_trouble says how. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_STREAM_H_
#define SANDPLANE_LIB_REDIS_REDIS_STREAM_H_

#include <sys/types.h>

#include "lib/redis/redis.h"

typedef struct RedisStream {
  int fd;
  struct ssl_st *ssl; /* NULL: plain */
  char trouble[160];
} RedisStream;

/* Whether the files of TLS can be used. -1: one line. */
int redis_stream_check(const RedisConfig *config, Error *err) MUST_CHECK;
/* Takes the socket over; reads the files. server_name: whose certificate is expected. -1: the files of TLS cannot be
 * used. */
int redis_stream_open(RedisStream *stream, int fd, const RedisConfig *config, const char *server_name,
                      Error *err) MUST_CHECK;
void redis_stream_close(RedisStream *stream);
ssize_t redis_stream_read(RedisStream *stream, void *data, size_t len);
/* EAGAIN: the socket is full (redis_stream_waits), or the handshake needs to read first. */
ssize_t redis_stream_write(RedisStream *stream, const void *data, size_t len);
/* Sends what TLS has made already. */
int redis_stream_push(RedisStream *stream);
/* Whether more can be read than the socket shows. */
bool redis_stream_buffered(const RedisStream *stream);
bool redis_stream_waits(const RedisStream *stream);
const char *redis_stream_trouble(const RedisStream *stream);

#endif
