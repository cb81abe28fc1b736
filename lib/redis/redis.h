/* An asynchronous, pipelined Redis client on the loop.
 *
 * hiredis formats commands and reads replies; sockets are the loop's. Any number of commands may be in
 * flight; replies come in order. When the connection is lost, every command without a reply fails with
 * UNAVAILABLE: whether it took effect is unknown, so only scripts that are safe to repeat are repeated, by
 * their callers. Reconnects by itself (20 ms to 1 s, jittered); commands given meanwhile wait at most
 * connect_wait_ms, then fail. Only a master is spoken to: a server that says it is a replica counts as away.
 * The master is the server at an address, or the one that Sentinels name, or each of a cluster's for its slots.
 */
#ifndef SANDPLANE_LIB_REDIS_REDIS_H_
#define SANDPLANE_LIB_REDIS_REDIS_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/loop/loop.h"

typedef struct RedisClient RedisClient;

typedef enum RedisType { REDIS_NIL, REDIS_STRING, REDIS_STATUS, REDIS_INTEGER, REDIS_ARRAY, REDIS_ERROR } RedisType;

/* Valid during the callback only. */
typedef struct RedisReply {
  RedisType type;
  int64_t integer;
  /* STRING, STATUS, ERROR; followed by a NUL that len does not count. */
  const char *str;
  size_t len;
  const struct RedisReply *const *items;
  size_t n_items;
} RedisReply;

/* How a server is reached: the settings of all services, see redis_config.h. NULL is as good as empty. */
typedef struct RedisConfig {
  const char *address;       /* "host:port" or "unix:/path"; of a cluster several, separated by commas */
  const char *username;      /* ACL user; empty: the default one */
  const char *password;      /* empty: none, or what password_file holds */
  const char *password_file; /* read at every connect, so that it can change */
  bool tls;
  /* PEM; read at every connect. Empty: the system's authorities, no certificate of our own. */
  const char *ca_file, *cert_file, *key_file;
  const char *tls_server_name; /* in the server's certificate; empty: the host of its address */
  const char *sentinels;       /* "host:port,..."; then address is not used */
  const char *master_name;
  const char *sentinel_username, *sentinel_password_file;
  bool cluster;
  int64_t min_replicas;    /* that must have what a durable script has written; 0: the server alone */
  int64_t wait_ms;         /* how long they may take; 0: 1000 */
  int64_t connect_wait_ms; /* 0: 3000 */
  size_t max_in_flight;    /* 0: 65,536; more, or more than 32 MiB, fail with RESOURCE_EXHAUSTED (each server) */
} RedisConfig;

/* A Lua script, from a .lua file embedded by the build; its text is sent once a connection, then its digest.
 */
typedef struct RedisScript {
  const char *name;
  const char *source;
  size_t source_len;
  /* Its reply comes when config.min_replicas have what it wrote; fewer: UNAVAILABLE, and it may be repeated. */
  bool durable;
  /* It gets one more, last argument: which server this is, in RedisLineage's form. */
  bool fenced;
} RedisScript;

/* Of the server that runs a fenced script: the first 20 digits of its replication id, and '+' if it was made master
 * in place of another, else '-'. Its id changes with each restart and each promotion. */
enum { REDIS_LINEAGE_LEN = 21 };

/* reply is NULL when err is not. A Redis error reply arrives as err: kind INTERNAL with Redis' text, but
 * UNAVAILABLE for LOADING, READONLY, MASTERDOWN, CLUSTERDOWN, TRYAGAIN, BUSY, MISCONF and RESOURCE_EXHAUSTED
 * for OOM. */
typedef void (*RedisFn)(void *arg, const RedisReply *reply, const Error *err);

/* What happens to a client outside of any call: not its commands' business, but that of whoever runs the service. Any
 * may be NULL. Texts are valid during the call, which must not ask the client for anything. */
typedef struct RedisEvents {
  /* One of its connections cannot be made or was lost. Each new reason once, not each attempt. */
  void (*on_trouble)(void *arg, const char *address, const char *why);
  /* The same connection is there after all. */
  void (*on_back)(void *arg, const char *address);
  /* Sentinels name another server as the master of this name. */
  void (*on_master)(void *arg, const char *name, const char *address);
} RedisEvents;

/* Connects in the background. */
RedisClient *redis_client_new(Loop *loop, const RedisConfig *config);
/* Pending callbacks run with CANCELLED before it returns. NULL-safe. */
void redis_client_free(RedisClient *client);
bool redis_client_connected(const RedisClient *client);
/* Runs at every connect (true) and loss (false). */
void redis_client_on_state(RedisClient *client, void (*fn)(void *arg, bool connected), void *arg);
/* From then on; before the loop runs, so that none is missed. */
void redis_client_on_events(RedisClient *client, const RedisEvents *events, void *arg);

/* lens may be NULL: NUL-terminated arguments. Everything is copied. fn may be NULL. */
void redis_command(RedisClient *client, RedisFn fn, void *arg, size_t argc, const char *const *argv,
                   const size_t *lens);
/* argv: n_keys keys, then the arguments. *script is copied, its text must stay. */
void redis_script(RedisClient *client, RedisFn fn, void *arg, const RedisScript *script, size_t n_keys, size_t argc,
                  const char *const *argv, const size_t *lens);
/* fn(arg, NULL, err) from the loop, soon: for callers that find a mistake before they ask the server, so that
 * a callback never runs inside the call that names it. */
void redis_fail_later(RedisClient *client, RedisFn fn, void *arg, const Error *err);
/* Messages of a channel, on a connection of its own, for the client's life. fn also runs with message NULL
 * after each (re)connect: what was published before it may be lost, so re-read. */
void redis_subscribe(RedisClient *client, const char *channel, void (*fn)(void *arg, const char *message, size_t len),
                     void *arg);

#endif
