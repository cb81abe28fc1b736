/* The C core listens on what it can of several addresses, takes over a Unix socket that somebody else
 * listens on, and tells its log alone why it failed. A service must come up on all of its address or say
 * what is in the way, so names are resolved here, each result is added by itself, and after a failure the
 * bind is tried once more to learn the reason.
 */
#include "lib/rpc/rpc_address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <grpc/grpc_security.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/address.h"
#include "lib/base/buf.h"
#include "lib/base/str.h"

#define UNIX_PREFIX "unix:"

enum {
  PORT_LEN = 6, /* five digits */
  NUMERIC_LEN = INET6_ADDRSTRLEN + PORT_LEN + 3,
  /* Of a list of targets; far above any number of replicas. */
  TARGETS_MAX = 64 << 10,
};

DEFINE_CLEANUP(struct addrinfo *, addrinfo_freep, freeaddrinfo)

static int parse(const char *text, Address *ret, char port[PORT_LEN], Error *err) {
  if (address_parse(text, ret, err))
    return -1;
  snprintf(port, PORT_LEN, "%u", (unsigned)ret->port);
  return 0;
}

/* ---- Listening ---- */

static int try_bind(int family, const struct sockaddr *sa, socklen_t len) {
  int one = 1;
  int rc = 0;
  int fd = socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0)
    return errno;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(fd, sa, len) || listen(fd, 1))
    rc = errno;
  close(fd);
  return rc;
}

static int add_port(grpc_server *server, const char *address) {
  grpc_server_credentials *creds = grpc_insecure_server_credentials_create();
  int port = grpc_server_add_http2_port(server, address, creds);
  grpc_server_credentials_release(creds);
  return port;
}

static int listen_failed(const char *address, int error, Error *err) {
  return error_set(err, error == EADDRINUSE ? ERROR_ALREADY_EXISTS : ERROR_FAILED_PRECONDITION,
                   "cannot listen on %s: %s", address, error ? strerror(error) : "refused by gRPC");
}

static int listen_unix(grpc_server *server, const char *address, const struct sockaddr_storage *sa, socklen_t len,
                       Error *err) {
  int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  bool alive = fd >= 0 && connect(fd, (const struct sockaddr *)sa, len) == 0;
  if (fd >= 0)
    close(fd);
  if (alive)
    return listen_failed(address, EADDRINUSE, err);
  if (add_port(server, address))
    return 0;
  return listen_failed(address, try_bind(AF_UNIX, (const struct sockaddr *)sa, len), err);
}

static int listen_one(grpc_server *server, const struct addrinfo *a, int port) {
  char host[INET6_ADDRSTRLEN] = "";
  char text[NUMERIC_LEN];
  getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof host, NULL, 0, NI_NUMERICHOST);
  snprintf(text, sizeof text, a->ai_family == AF_INET6 ? "[%s]:%d" : "%s:%d", host, port);
  return add_port(server, text);
}

/* Results that only differ in what a machine without IPv6 lacks. */
static bool is_missing_family(int error) {
  return error == EAFNOSUPPORT || error == EADDRNOTAVAIL;
}

int rpc_address_listen(grpc_server *server, const char *address, Error *err) {
  char port_text[PORT_LEN];
  Address at;
  if (parse(address, &at, port_text, err) < 0)
    return -1;
  int port = at.port;
  if (at.kind == ADDRESS_UNIX) {
    struct sockaddr_storage sa;
    socklen_t len = address_sockaddr(&at, &sa);
    return listen_unix(server, address, &sa, len, err);
  }

  CLEANUP(addrinfo_freep) struct addrinfo *found = NULL;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
  /* One wildcard socket takes both families where IPv6 exists. */
  const char *name = *at.host ? at.host
                     : try_bind(AF_INET6, (struct sockaddr *)&(struct sockaddr_in6){.sin6_family = AF_INET6},
                                sizeof(struct sockaddr_in6)) == 0
                         ? "::"
                         : "0.0.0.0";
  int rc = getaddrinfo(name, port_text, &hints, &found);
  if (rc)
    return error_set(err, ERROR_INVALID_ARGUMENT, "cannot resolve %s: %s", address, gai_strerror(rc));
  int added = 0;
  int reason = 0;
  for (const struct addrinfo *a = found; a; a = a->ai_next) {
    int bound = listen_one(server, a, port);
    if (bound > 0) {
      added++;
      port = bound;
      continue;
    }
    reason = try_bind(a->ai_family, a->ai_addr, a->ai_addrlen);
    if (!is_missing_family(reason))
      return listen_failed(address, reason, err);
  }
  return added > 0 ? port : listen_failed(address, reason, err);
}

/* ---- Targets of a channel ---- */

typedef struct Targets {
  bool any_v6;
  Buf list; /* "a.b.c.d:port" and "[v6]:port", with commas */
} Targets;

static void targets_deinit(Targets *t) {
  buf_deinit(&t->list);
}

static void add_target(Targets *t, const char *host, const char *port, bool v6) {
  t->any_v6 |= v6;
  /* Past the maximum the rest of an absurd list is left out. */
  (void)!buf_printf(&t->list, v6 ? "%s[%s]:%s" : "%s%s:%s", t->list.len ? "," : "", host, port);
}

/* A name inside a list is looked up once, now: the C core's resolvers take one name only. */
static void add_name(Targets *t, const char *host, const char *port) {
  CLEANUP(addrinfo_freep) struct addrinfo *found = NULL;
  struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
  if (getaddrinfo(host, port, &hints, &found))
    return;
  for (const struct addrinfo *a = found; a; a = a->ai_next) {
    char text[INET6_ADDRSTRLEN] = "";
    getnameinfo(a->ai_addr, a->ai_addrlen, text, sizeof text, NULL, 0, NI_NUMERICHOST);
    add_target(t, text, port, a->ai_family == AF_INET6);
  }
}

/* One URI holds one family, so that mixed lists carry IPv4 as mapped addresses (RFC 4291, 2.5.5.2). */
static char *to_mapped(const char *list) {
  Buf out = BUF_INIT(TARGETS_MAX);
  char *copy = str_dup(list);
  char *rest = copy;
  for (char *part; (part = strsep(&rest, ","));) {
    char *colon = strrchr(part, ':');
    const char *comma = out.len ? "," : "";
    if (*part == '[') {
      (void)!buf_printf(&out, "%s%s", comma, part);
    } else {
      *colon = '\0';
      (void)!buf_printf(&out, "%s[::ffff:%s]:%s", comma, part, colon + 1);
    }
  }
  free(copy);
  char *target = str_printf("ipv6:%s", buf_str(&out));
  buf_deinit(&out);
  return target;
}

char *rpc_address_target(const char *targets) {
  CLEANUP(targets_deinit) Targets t = {.list = BUF_INIT(TARGETS_MAX)};
  CLEANUP(str_freep) char *copy = str_dup(targets);
  char *rest = copy;
  if (str_starts_with(targets, UNIX_PREFIX))
    return str_dup(targets);
  for (char *part; (part = strsep(&rest, ","));) {
    char port[PORT_LEN];
    Address at;
    if (parse(part, &at, port, NULL) < 0 || at.kind == ADDRESS_UNIX)
      continue;
    if (!*at.host || !strcmp(at.host, "localhost"))
      strcpy(at.host, "127.0.0.1");
    struct sockaddr_storage number;
    if (address_sockaddr(&at, &number)) {
      add_target(&t, at.host, port, number.ss_family == AF_INET6);
    } else if (!strchr(targets, ',')) {
      return str_printf("dns:///%s:%s", at.host, port);
    } else {
      add_name(&t, at.host, port);
    }
  }
  if (t.any_v6)
    return to_mapped(buf_str(&t.list));
  return str_printf("ipv4:%s", buf_str(&t.list));
}
