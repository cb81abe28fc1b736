/* One connection to Redis that comes back by itself: commands out, replies in; which reply belongs to what is
 * redis_node.c's business. It is open once the server has answered the greeting (redis_greeting.h): one that still
 * loads its data set, or has to write its file anew, is as good as away. hiredis formats and reads, and does nothing
 * else here. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_CONN_H_
#define SANDPLANE_LIB_REDIS_REDIS_CONN_H_

#include "lib/base/arena.h"
#include "lib/redis/redis.h"
#include "lib/redis/redis_shared.h"

typedef struct RedisConn RedisConn;

typedef enum RedisPeer {
  REDIS_PEER_ANY,
  REDIS_PEER_MASTER, /* a replica is not spoken to */
  REDIS_PEER_SENTINEL,
} RedisPeer;

typedef struct RedisConnHandlers {
  /* Connected: what is sent from here on, and nothing from before, reaches this connection. */
  void (*on_open)(void *arg);
  /* Lost: no more replies of this connection follow. Optional. */
  void (*on_close)(void *arg, const Error *why);
  void (*on_reply)(void *arg, const RedisReply *reply);
  /* What was sent in this turn is about to be written, and may be added to. Optional. */
  void (*before_write)(void *arg);
} RedisConnHandlers;

/* Connects in the background, to the addresses in turn (a list as of redis_config.h; NULL: when redis_conn_redirect
 * names them). shared must outlive it. */
RedisConn *redis_conn_new(RedisShared *shared, RedisPeer peer, const char *addresses, const RedisConnHandlers *handlers,
                          void *arg);
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
/* Only while open. lens may be NULL: NUL-terminated arguments. urgent: written at once; otherwise at the end of the
 * loop's turn, so that commands of one turn share a write. No more than BUF_MAX_DEFAULT bytes may wait, which its
 * callers see to. Never calls a handler. */
void redis_conn_send(RedisConn *conn, size_t argc, const char *const *argv, const size_t *lens, bool urgent);
/* In on_reply: what the reply lives in becomes the caller's, and with it the reply. */
Arena *redis_conn_keep_reply(RedisConn *conn);

#endif
