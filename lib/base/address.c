/* See address.h. */
#include "lib/base/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/str.h"

#define UNIX_PREFIX "unix:"

static int refuse(const char *text, const char *why, Error *err) {
  return error_set(err, ERROR_INVALID_ARGUMENT, "'%.300s' is not an address (host:port or unix:/path)%s%s", text,
                   *why ? ": " : "", why);
}

static int parse_path(const char *text, Address *ret, Error *err) {
  const char *path = text + strlen(UNIX_PREFIX);
  if (*path != '/')
    return refuse(text, "the path must be absolute", err);
  if (strlen(path) >= sizeof ret->path)
    return refuse(text, "the path has more than 107 bytes", err);
  ret->kind = ADDRESS_UNIX;
  snprintf(ret->path, sizeof ret->path, "%s", path);
  return 0;
}

/* Whatever a resolver may take: names are its business, separators of ours are not part of one. */
static bool is_host(const char *host) {
  return host[strcspn(host, " \t\r\n/,:[]@%")] == 0;
}

int address_parse(const char *text, Address *ret, Error *err) {
  *ret = (Address){.kind = ADDRESS_TCP};
  if (str_starts_with(text, UNIX_PREFIX))
    return parse_path(text, ret, err);
  const char *colon = strrchr(text, ':');
  int64_t port;
  if (!colon)
    return refuse(text, "", err);
  if (str_to_int64(colon + 1, 0, 65535, &port))
    return refuse(text, "the port is a number up to 65535", err);
  ret->port = (uint16_t)port;
  bool brackets = *text == '[';
  size_t len = (size_t)(colon - text);
  if (brackets && (len < 2 || colon[-1] != ']'))
    return refuse(text, "", err);
  len -= brackets ? 2 : 0;
  if (len > ADDRESS_HOST_MAX)
    return refuse(text, "the host has more than 253 characters", err);
  memcpy(ret->host, text + brackets, len);
  struct in6_addr v6;
  if (brackets)
    return inet_pton(AF_INET6, ret->host, &v6) == 1 ? 0 : refuse(text, "what is in brackets is no IPv6 address", err);
  if (strchr(ret->host, ':'))
    return refuse(text, "an IPv6 address stands in brackets", err);
  return is_host(ret->host) ? 0 : refuse(text, "", err);
}

int address_parse_peer(const char *text, Address *ret, Error *err) {
  if (address_parse(text, ret, err))
    return -1;
  return ret->kind == ADDRESS_UNIX || ret->port ? 0 : refuse(text, "nobody listens on port 0", err);
}

void address_format(const Address *address, char out[ADDRESS_TEXT_MAX]) {
  if (address->kind == ADDRESS_UNIX)
    snprintf(out, ADDRESS_TEXT_MAX, UNIX_PREFIX "%s", address->path);
  else
    snprintf(out, ADDRESS_TEXT_MAX, strchr(address->host, ':') ? "[%s]:%u" : "%s:%u", address->host,
             (unsigned)address->port);
}

socklen_t address_sockaddr(const Address *address, struct sockaddr_storage *ret) {
  *ret = (struct sockaddr_storage){0};
  if (address->kind == ADDRESS_UNIX) {
    struct sockaddr_un *at = (struct sockaddr_un *)ret;
    at->sun_family = AF_UNIX;
    memcpy(at->sun_path, address->path, sizeof at->sun_path);
    return sizeof *at;
  }
  struct sockaddr_in *v4 = (struct sockaddr_in *)ret;
  if (inet_pton(AF_INET, address->host, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(address->port);
    return sizeof *v4;
  }
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)ret;
  if (inet_pton(AF_INET6, address->host, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(address->port);
    return sizeof *v6;
  }
  return 0;
}
