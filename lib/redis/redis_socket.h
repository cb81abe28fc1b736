/* Addresses of Redis, and a socket that begins to connect to one. */
#ifndef SANDPLANE_LIB_REDIS_REDIS_SOCKET_H_
#define SANDPLANE_LIB_REDIS_REDIS_SOCKET_H_

#include <stddef.h>

#include "lib/base/error.h"

enum { REDIS_ADDRESS_MAX = 320 };

/* A list has commas, and spaces round them do not count. An empty list has none. */
size_t redis_addresses_count(const char *list);
/* The one at index modulo the count, cut to what fits; empty when there is none. */
void redis_addresses_get(const char *list, size_t index, char out[REDIS_ADDRESS_MAX]);
/* Without port and brackets; empty for a Unix socket. */
void redis_address_host(const char *address, char out[REDIS_ADDRESS_MAX]);

/* A non-blocking socket, connected or about to be; attempt: names with several addresses take turns. -1 and err. */
int redis_socket_open(const char *address, unsigned attempt, Error *err);

#endif
