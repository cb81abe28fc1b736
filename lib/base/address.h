/* The address of a listener or a peer, as people write it: one set of rules for every flag, route and file.
 *
 *   host:port      a name (RFC 1123) or IPv4
 *   [v6]:port      IPv6 in brackets (RFC 3986, 3.2.2); without them it is refused, because its end cannot be told
 *   :port          no host; a listener takes all addresses, a peer is on this machine
 *   unix:/path     a socket in the file system, absolute, at most 107 bytes (unix(7))
 *
 * Port 0 lets the kernel choose, which is a listener's alone. Pure: nothing is looked up. Any thread.
 */
#ifndef SANDPLANE_LIB_BASE_ADDRESS_H_
#define SANDPLANE_LIB_BASE_ADDRESS_H_

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "lib/base/compiler.h"
#include "lib/base/error.h"

enum {
  ADDRESS_HOST_MAX = 253, /* a name's (RFC 1035, 2.3.4) */
  /* "[" host "]:65535", or "unix:" and a path */
  ADDRESS_TEXT_MAX = ADDRESS_HOST_MAX + 9,
};

typedef enum AddressKind { ADDRESS_TCP, ADDRESS_UNIX } AddressKind;

typedef struct Address {
  AddressKind kind;
  char host[ADDRESS_HOST_MAX + 1]; /* without brackets; "": none was given, or a path */
  uint16_t port;
  char path[sizeof((struct sockaddr_un *)0)->sun_path]; /* "": TCP */
} Address;

/* -1: INVALID_ARGUMENT, the message quotes the text and says what is expected. */
int address_parse(const char *text, Address *ret, Error *err) MUST_CHECK;
/* As above, and refuses port 0. */
int address_parse_peer(const char *text, Address *ret, Error *err) MUST_CHECK;

/* The text of it, with brackets where they belong. */
void address_format(const Address *address, char out[ADDRESS_TEXT_MAX]);

/* Fills *ret for a Unix socket or a numeric host. Returns its length; 0: the host is a name or empty. */
socklen_t address_sockaddr(const Address *address, struct sockaddr_storage *ret) MUST_CHECK;

#endif
