/* One connection to Redis that comes back by itself: socket, reply reader, output buffer. Bytes out, replies
 * in; which reply belongs to what is redis_client.c's business. It is open once the server has answered a
 * PING: one that still loads its data set is as good as away. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_CONN_H_
#define SANDPLANE_LIB_REDIS_REDIS_CONN_H_

#include "lib/redis/redis.h"

typedef struct RedisConn RedisConn;

typedef struct RedisConnHandlers {
  /* Connected: what is sent from here on, and nothing from before, reaches this connection. */
  void (*on_open)(void *arg);
  /* Lost: no more replies of this connection follow. */
  void (*on_close)(void *arg, const Error *why);
  void (*on_reply)(void *arg, const RedisReply *reply);
} RedisConnHandlers;

/* Connects in the background. address and password must outlive it. */
RedisConn *redis_conn_new(Loop *loop, const char *address, const char *password,
                          const RedisConnHandlers *handlers, void *arg);
void redis_conn_free(RedisConn *conn); /* NULL-safe; on_close is not called */
bool redis_conn_open(const RedisConn *conn);
/* Why it is not open, as far as is known. */
const char *redis_conn_trouble(const RedisConn *conn);
/* Copies; only while open. urgent: written at once; otherwise at the end of the loop's turn, so that commands
 * of one turn share a write. -1: BUF_MAX_DEFAULT bytes wait already. Never calls a handler. */
MUST_CHECK int redis_conn_send(RedisConn *conn, const void *data, size_t len, bool urgent);

#endif
