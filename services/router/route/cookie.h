/* The Cookie field of a request: one cookie's values, and the field without it. Pure. */
#ifndef SANDPLANE_SERVICES_ROUTER_ROUTE_COOKIE_H_
#define SANDPLANE_SERVICES_ROUTER_ROUTE_COOKIE_H_

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/buf.h"

/* A token of HTTP that a cookie may be called; a value that needs no quotes (RFC 6265, 4.1.1), and is not empty. */
bool cookie_is_name(const char *s);
bool cookie_is_value(const char *s, size_t len);

/* The next value of that name in a Cookie field, from *at on, which starts as the field's value and ends as NULL. */
const char *cookie_next(const char **at, const char *name, size_t *ret_len);
/* The field's value without the cookies of that name, behind what out holds. Whether any is left. */
bool cookie_without(Buf *out, const char *field, const char *name);

#endif
