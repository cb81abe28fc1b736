/* The settings with which every service finds the shared state: one table for all, checked at start.
 *
 * A service's config struct has a RedisConfig named `redis`.
 */
#ifndef SANDPLANE_LIB_REDIS_REDIS_CONFIG_H_
#define SANDPLANE_LIB_REDIS_REDIS_CONFIG_H_

#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/base/config.h"
#include "lib/crypto/tls.h"
#include "lib/redis/redis.h"

#define REDIS_ITEM(type, flag, env, kind, field, fallback, min, max, secret, help) \
  { flag, "SANDPLANE_REDIS_" env, kind, offsetof(type, redis.field), fallback, min, max, secret, help }
#define REDIS_TEXT(type, flag, env, field, fallback, help) \
  REDIS_ITEM(type, flag, env, CONFIG_STRING, field, fallback, 0, 0, false, help)

/* Rows of a service's table; `type` is its config struct. */
#define REDIS_CONFIG_ITEMS(type)                                                                                   \
  REDIS_TEXT(type, "redis-address", "ADDRESS", address, "127.0.0.1:6379",                                          \
             "the shared state: host:port or unix:/path; of a cluster some nodes, separated by commas"),           \
      REDIS_TEXT(type, "redis-username", "USERNAME", username, "", "ACL user; empty: the default one"),            \
      REDIS_ITEM(type, "redis-password", "PASSWORD", CONFIG_STRING, password, "", 0, 0, true, "empty: none"),      \
      REDIS_TEXT(type, "redis-password-file", "PASSWORD_FILE", password_file, "",                                  \
                 "file with the password, read at each connect"),                                                  \
      REDIS_ITEM(type, "redis-tls", "TLS", CONFIG_BOOL, tls, "false", 0, 0, false,                                 \
                 "speak TLS 1.2 or later, and check the server's certificate"),                                    \
      REDIS_TEXT(type, "redis-ca-file", "CA_FILE", ca_file, "",                                                    \
                 "whose certificates are trusted; empty: the system's authorities"),                               \
      REDIS_TEXT(type, "redis-cert-file", "CERT_FILE", cert_file, "", "certificate to show; empty: none"),         \
      REDIS_TEXT(type, "redis-key-file", "KEY_FILE", key_file, "", "its key"),                                     \
      REDIS_TEXT(type, "redis-tls-server-name", "TLS_SERVER_NAME", tls_server_name, "",                            \
                 "name in the server's certificate; empty: the host of its address"),                              \
      REDIS_TEXT(type, "redis-sentinels", "SENTINELS", sentinels, "",                                              \
                 "Sentinels that know the master, host:port separated by commas; then redis-address is not used"), \
      REDIS_TEXT(type, "redis-master-name", "MASTER_NAME", master_name, "mymaster", "its name at the Sentinels"),  \
      REDIS_TEXT(type, "redis-sentinel-username", "SENTINEL_USERNAME", sentinel_username, "",                      \
                 "ACL user at the Sentinels"),                                                                     \
      REDIS_TEXT(type, "redis-sentinel-password-file", "SENTINEL_PASSWORD_FILE", sentinel_password_file, "",       \
                 "file with the password of the Sentinels; empty: none"),                                          \
      REDIS_ITEM(type, "redis-cluster", "CLUSTER", CONFIG_BOOL, cluster, "false", 0, 0, false,                     \
                 "it is a Redis Cluster"),                                                                         \
      REDIS_ITEM(type, "redis-min-replicas", "MIN_REPLICAS", CONFIG_INT, min_replicas, "0", 0, 16, false,          \
                 "replicas that must have a change before it is acknowledged"),                                    \
      REDIS_ITEM(type, "redis-wait-ms", "WAIT_MS", CONFIG_INT, wait_ms, "1000", 1, 60000, false,                   \
                 "how long they may take; then the call fails and may be repeated")

/* Settings that exclude each other, addresses that are none, files that cannot be used: -1, one line. */
int redis_config_check(const RedisConfig *config, Error *err) MUST_CHECK;

/* Loads the TLS of these settings, from the files as they are now; *tls NULL: makes it. -1 and err, one line: *tls is
 * as it was. */
int redis_config_tls(const RedisConfig *config, Tls **tls, Error *err) MUST_CHECK;

/* A copy with every text in it (never NULL) and every default; and its end. */
RedisConfig redis_config_copy(const RedisConfig *config);
void redis_config_deinit(RedisConfig *copy);

/* The password to send, from the file if there is one; sentinel: that of the Sentinels. Empty: none. */
int redis_config_password(const RedisConfig *config, bool sentinel, Buf *out, Error *err) MUST_CHECK;

/* ---- addresses ---- */

struct Address;

enum { REDIS_ADDRESS_MAX = 320 };

/* A list has commas, and spaces round them do not count. An empty list has none. */
size_t redis_addresses_count(const char *list);
/* The one at index modulo the count, cut to what fits; empty when there is none. */
void redis_addresses_get(const char *list, size_t index, char out[REDIS_ADDRESS_MAX]);
/* Without port and brackets; empty for a Unix socket. */
void redis_address_host(const char *address, char out[REDIS_ADDRESS_MAX]);
/* With a number for its name; turn: names with several take turns. Blocks, which is bearable for the names that Redis
 * has: numbers or an entry of /etc/hosts or cluster DNS, once a reconnect. */
int redis_address_look_up(const char *address, unsigned turn, struct Address *ret, Error *err) MUST_CHECK;

#endif
