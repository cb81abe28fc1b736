/* Resource names and tokens of the public API (API Improvement Proposals 122, 158, 159), the same in every
 * service that serves it.
 *
 * A name is "namespaces/{namespace}/{collection}/{id}", each segment a DNS label. Every refusal names the
 * request's field it came in.
 *
 * A token is base64url of a version byte, a hash of the query it continues, a checksum and a position as
 * text. It is opaque and checked, not secret: it holds nothing but a position in what the caller may list
 * anyway, so a forged one gains nothing. One that was changed, or that comes with another query, is refused.
 */
#ifndef SANDPLANE_LIB_RESOURCE_RESOURCE_H_
#define SANDPLANE_LIB_RESOURCE_RESOURCE_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

enum {
  RESOURCE_SEGMENT_MAX = 63, /* DNS label */
  /* "namespaces/" + label + "/" + collection of at most 16 + "/" + label + NUL */
  RESOURCE_NAME_SIZE = 160,
  RESOURCE_PAGE_DEFAULT = 100,
  RESOURCE_PAGE_MAX = 1000,
  /* Room for "namespace/pool" and a name below it, see the services' lists. */
  RESOURCE_POSITION_MAX = 255,
};

typedef struct ResourceName {
  char ns[RESOURCE_SEGMENT_MAX + 1];
  char id[RESOURCE_SEGMENT_MAX + 1];
} ResourceName;

/* collection: "sandboxes", "pools", "templates". 0 or -1 with field in err. NULL name: empty. */
int resource_name_parse(const char *name, const char *collection, const char *field, ResourceName *ret_name,
                        Error *err) MUST_CHECK;
/* "namespaces/{namespace}" of a list or create. wildcard: "namespaces/-" is allowed and gives an empty ns. */
int resource_parent_parse(const char *parent, bool wildcard, const char *field, char ret_ns[RESOURCE_SEGMENT_MAX + 1],
                          Error *err) MUST_CHECK;
void resource_name_format(char out[RESOURCE_NAME_SIZE], const char *ns, const char *collection, const char *id);

/* page_size: 0 is RESOURCE_PAGE_DEFAULT, more than RESOURCE_PAGE_MAX is that; negative is refused. */
int resource_page_size(int64_t page_size, size_t *ret_size, Error *err) MUST_CHECK;

/* query: the other parameters of the request that the token continues. The caller frees. */
char *resource_token_seal(const char *query, const char *position);
/* 0, or -1 with field in err; a position longer than ret_position->max is refused as well. */
int resource_token_open(const char *token, const char *query, const char *field, Buf *ret_position,
                        Error *err) MUST_CHECK;
/* The position of a page; empty or NULL token: empty. 0, or -1 with field "page_token". */
int resource_page_position(const char *token, const char *query, char ret_position[RESOURCE_POSITION_MAX + 1],
                           Error *err) MUST_CHECK;

#endif
