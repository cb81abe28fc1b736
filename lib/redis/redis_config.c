/* See redis_config.h. */
#include "lib/redis/redis_config.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/address.h"
#include "lib/base/str.h"

enum { PASSWORD_MAX = 4096, DEFAULT_CONNECT_WAIT_MS = 3000, DEFAULT_MAX_IN_FLIGHT = 65536, DEFAULT_WAIT_MS = 1000 };

/* ---- addresses ---- */

size_t redis_addresses_count(const char *list) {
  size_t n = *list ? 1 : 0;
  for (; *list; list++)
    n += *list == ',';
  return n;
}

void redis_addresses_get(const char *list, size_t index, char out[REDIS_ADDRESS_MAX]) {
  size_t n = redis_addresses_count(list);
  for (index = n ? index % n : 0; index > 0; index--)
    list = strchr(list, ',') + 1;
  list += strspn(list, " ");
  snprintf(out, REDIS_ADDRESS_MAX, "%.*s", (int)strcspn(list, ", "), list);
}

void redis_address_host(const char *text, char out[REDIS_ADDRESS_MAX]) {
  Address address;
  bool tcp = address_parse(text, &address, NULL) == 0;
  snprintf(out, REDIS_ADDRESS_MAX, "%s", tcp ? address.host : "");
}

int redis_address_look_up(const char *text, unsigned turn, Address *ret, Error *err) {
  struct sockaddr_storage number;
  if (address_parse_peer(text, ret, err))
    return -1;
  if (address_sockaddr(ret, &number))
    return 0;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
  int rc = getaddrinfo(*ret->host ? ret->host : "127.0.0.1", NULL, &hints, &list);
  if (rc)
    return error_set(err, ERROR_UNAVAILABLE, "look up %s: %s", ret->host, gai_strerror(rc));
  unsigned n = 1; /* that there is none is an error (getaddrinfo(3)) */
  for (const struct addrinfo *a = list->ai_next; a; a = a->ai_next)
    n++;
  const struct addrinfo *a = list;
  for (unsigned i = turn % n; i > 0; i--)
    a = a->ai_next;
  rc = getnameinfo(a->ai_addr, a->ai_addrlen, ret->host, sizeof ret->host, NULL, 0, NI_NUMERICHOST);
  freeaddrinfo(list);
  return rc ? error_set(err, ERROR_UNAVAILABLE, "look up %s: %s", text, gai_strerror(rc)) : 0;
}

/* ---- passwords ---- */

static void close_file(FILE **file) {
  if (*file)
    fclose(*file);
}

/* The whole file without the line end that editors leave. */
static int read_secret(const char *path, Buf *out, Error *err) {
  CLEANUP(close_file) FILE *file = fopen(path, "re");
  if (!file)
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s: %s", path, strerror(errno));
  uint8_t *room = buf_reserve(out, PASSWORD_MAX + 1);
  if (!room)
    abort();
  size_t n = fread(room, 1, PASSWORD_MAX + 1, file);
  if (ferror(file) || n > PASSWORD_MAX)
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s: %s", path, n > PASSWORD_MAX ? "is too long" : strerror(errno));
  while (n > 0 && (room[n - 1] == '\n' || room[n - 1] == '\r'))
    n--;
  if (n == 0)
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s: is empty", path);
  room[n] = 0;
  out->len += n;
  return 0;
}

int redis_config_password(const RedisConfig *c, bool sentinel, Buf *out, Error *err) {
  const char *file = sentinel ? c->sentinel_password_file : c->password_file;
  if (!str_empty(file))
    return read_secret(file, out, err);
  if (!sentinel && !str_empty(c->password) && buf_append_str(out, c->password))
    abort();
  return 0;
}

static int check_password(const RedisConfig *c, bool sentinel, Error *err) {
  CLEANUP(buf_deinit) Buf password = BUF_INIT(0);
  if (redis_config_password(c, sentinel, &password, err))
    return error_prefix(err, sentinel ? "--redis-sentinel-password-file" : "--redis-password-file");
  if (!str_empty(sentinel ? c->sentinel_username : c->username) && password.len == 0)
    return error_set(err, ERROR_INVALID_ARGUMENT, "--redis-%susername needs a password", sentinel ? "sentinel-" : "");
  return 0;
}

/* ---- settings ---- */

static int check_addresses(const char *flag, const char *list, bool tls, Error *err) {
  for (size_t i = 0; i == 0 || i < redis_addresses_count(list); i++) {
    char text[REDIS_ADDRESS_MAX];
    Address address;
    redis_addresses_get(list, i, text);
    if (address_parse_peer(text, &address, err))
      return error_prefix(err, "--%s", flag);
    if (tls && address.kind == ADDRESS_UNIX)
      return error_set(err, ERROR_INVALID_ARGUMENT, "--redis-tls: there is no TLS on a Unix socket");
  }
  return 0;
}

int redis_config_tls(const RedisConfig *c, Tls **tls, Error *err) {
  TlsSource source = {.files = true, .flags = "--redis-", .cert = c->cert_file, .key = c->key_file, .ca = c->ca_file};
  if (*tls)
    return tls_load(*tls, &source, err);
  *tls = tls_new(TLS_CLIENT, &source, err);
  return *tls ? 0 : -1;
}

int redis_config_check(const RedisConfig *c, Error *err) {
  bool sentinels = !str_empty(c->sentinels);
  if (sentinels && c->cluster)
    return error_set(err, ERROR_INVALID_ARGUMENT, "--redis-sentinels and --redis-cluster exclude each other");
  if (sentinels && str_empty(c->master_name))
    return error_set(err, ERROR_INVALID_ARGUMENT, "--redis-sentinels needs --redis-master-name");
  if (sentinels ? check_addresses("redis-sentinels", c->sentinels, c->tls, err)
                : check_addresses("redis-address", c->address, c->tls, err))
    return -1;
  if (!sentinels && !c->cluster && redis_addresses_count(c->address) > 1)
    return error_set(err, ERROR_INVALID_ARGUMENT, "--redis-address: several addresses need --redis-cluster");
  if (!str_empty(c->password) && !str_empty(c->password_file))
    return error_set(err, ERROR_INVALID_ARGUMENT, "--redis-password and --redis-password-file exclude each other");
  if (check_password(c, false, err) || check_password(c, true, err))
    return -1;
  if (str_empty(c->cert_file) != str_empty(c->key_file))
    return error_set(err, ERROR_INVALID_ARGUMENT, "--redis-cert-file and --redis-key-file need each other");
  bool any_file = !str_empty(c->ca_file) || !str_empty(c->cert_file) || !str_empty(c->tls_server_name);
  if (any_file && !c->tls)
    return error_set(err, ERROR_INVALID_ARGUMENT, "files and names of TLS need --redis-tls");
  Tls *tls = NULL;
  int rc = c->tls ? redis_config_tls(c, &tls, err) : 0;
  tls_free(tls);
  return rc;
}

static const size_t TEXTS[] = {
    offsetof(RedisConfig, address),           offsetof(RedisConfig, username),
    offsetof(RedisConfig, password),          offsetof(RedisConfig, password_file),
    offsetof(RedisConfig, ca_file),           offsetof(RedisConfig, cert_file),
    offsetof(RedisConfig, key_file),          offsetof(RedisConfig, tls_server_name),
    offsetof(RedisConfig, sentinels),         offsetof(RedisConfig, master_name),
    offsetof(RedisConfig, sentinel_username), offsetof(RedisConfig, sentinel_password_file),
};

static const char **text(RedisConfig *c, size_t i) {
  return (const char **)((char *)c + TEXTS[i]);
}

RedisConfig redis_config_copy(const RedisConfig *config) {
  RedisConfig c = *config;
  for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++)
    *text(&c, i) = str_dup(*text(&c, i) ? *text(&c, i) : "");
  if (!c.connect_wait_ms)
    c.connect_wait_ms = DEFAULT_CONNECT_WAIT_MS;
  if (!c.max_in_flight)
    c.max_in_flight = DEFAULT_MAX_IN_FLIGHT;
  if (!c.wait_ms)
    c.wait_ms = DEFAULT_WAIT_MS;
  return c;
}

void redis_config_deinit(RedisConfig *c) {
  for (size_t i = 0; i < ARRAY_LEN(TEXTS); i++)
    free((char *)*text(c, i));
}
