/* One connection to Redis that comes back by itself: socket, reply reader, output buffer. Bytes out, replies
 * in; which reply belongs to what is redis_node.c's business. It is open once the server has answered the
 * greeting (redis_greeting.h): one that still loads its data set, or has to write its file anew, is as good as away. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_CONN_H_
#define SANDPLANE_LIB_REDIS_REDIS_CONN_H_

#include "lib/redis/redis.h"

typedef struct RedisConn RedisConn;

typedef enum RedisPeer {
  REDIS_PEER_ANY,
  REDIS_PEER_MASTER, /* a replica is not spoken to */
  REDIS_PEER_SENTINEL,
} RedisPeer;

typedef struct RedisConnHandlers {
  /* Connected: what is sent from here on, and nothing from before, reaches this connection. */
  void (*on_open)(void *arg);
  /* Lost: no more replies of this connection follow. */
  void (*on_close)(void *arg, const Error *why);
  void (*on_reply)(void *arg, const RedisReply *reply);
  /* What was sent in this turn is about to be written, and may be added to. Optional. */
  void (*before_write)(void *arg);
} RedisConnHandlers;

/* Connects in the background, to the addresses in turn (a list as of redis_socket.h; NULL: when redis_conn_redirect
 * names them). config must outlive it. */
RedisConn *redis_conn_new(Loop *loop, const RedisConfig *config, RedisPeer peer, const char *addresses,
                          const RedisConnHandlers *handlers, void *arg);
void redis_conn_free(RedisConn *conn); /* NULL-safe; on_close is not called */
/* To other addresses from now on, at once; nothing happens when they are the same. May call on_close. */
void redis_conn_redirect(RedisConn *conn, const char *addresses);
/* Gives the connection up and connects again. May call on_close; allowed in on_reply. */
void redis_conn_drop(RedisConn *conn, const char *why);
bool redis_conn_open(const RedisConn *conn);
/* Why it is not open, as far as is known. */
const char *redis_conn_trouble(const RedisConn *conn);
/* The address of this or the last attempt; empty before the first. */
const char *redis_conn_address(const RedisConn *conn);
/* Of a master, while open: see RedisScript.fenced. */
const char *redis_conn_lineage(const RedisConn *conn);
/* Copies; only while open. urgent: written at once; otherwise at the end of the loop's turn, so that commands
 * of one turn share a write. -1: BUF_MAX_DEFAULT bytes wait already. Never calls a handler. */
MUST_CHECK int redis_conn_send(RedisConn *conn, const void *data, size_t len, bool urgent);
/* One small command, not urgent; for connections on which few are under way, so that it always fits. */
void redis_conn_command(RedisConn *conn, int argc, const char **argv);

#endif
