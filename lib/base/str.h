/* Small string helpers: names, numbers, encodings, hashes. */
#ifndef SANDPLANE_LIB_BASE_STR_H_
#define SANDPLANE_LIB_BASE_STR_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/compiler.h"

static inline bool str_empty(const char *s) {
  return !s || !*s;
}
bool str_equal(const char *a, const char *b); /* NULL equals NULL only */
bool str_starts_with(const char *s, const char *prefix);

/* RFC 1123 label: 1-63 of [a-z0-9-], no hyphen at an edge. */
bool str_is_dns_label(const char *s);
/* RFC 1123 subdomain: labels joined by dots, at most 253. */
bool str_is_dns_subdomain(const char *s);
/* What Kubernetes takes as the name of most objects: a subdomain whose labels may be as long as the whole. */
bool str_is_object_name(const char *s);
/* Kubernetes label key ([prefix/]name) and value. */
bool str_is_label_key(const char *s);
bool str_is_label_value(const char *s);
/* [A-Za-z_][A-Za-z0-9_]* */
bool str_is_env_name(const char *s);
/* Well-formed UTF-8 (RFC 3629) without NUL. */
bool str_is_utf8(const void *data, size_t len);
/* Text that was cut anywhere ends with a whole character afterwards. */
void str_cut_utf8(char *s);
/* Each byte that is no UTF-8 becomes '?': what quotes others, for where text has to be. */
void str_repair_utf8(char *s);

/* The whole of s as a number; 0, or -1 when it is not one or out of [min, max]. */
int str_to_int64(const char *s, int64_t min, int64_t max, int64_t *ret_value) MUST_CHECK;
/* The decimal number that s begins with, whatever follows it; `otherwise` when s is NULL, begins with none or the
 * number has no room in 64 bits. For text of a known shape ("epoch/12", a line of /proc); input is for str_to_int64. */
int64_t str_leading_int64(const char *s, int64_t otherwise);
/* "250ms", "1.5s", "10m", "2h", several of them ("1h30m"), or plain seconds; 0 or -1. */
int str_to_duration_ms(const char *s, int64_t *ret_ms) MUST_CHECK;

/* malloc'ed; abort when out of memory. */
char *str_dup(const char *s);
char *str_ndup(const char *s, size_t n);
char *str_printf(const char *fmt, ...) PRINTF_LIKE(1, 2);
/* Frees *s; for CLEANUP(str_freep). */
void str_freep(char **s);

void str_hex(const void *data, size_t len, char *out); /* out: 2 * len + 1 */
/* Base64 (RFC 4648), url: the URL alphabet without padding. */
int str_base64_encode(Buf *out, const void *data, size_t len, bool url) MUST_CHECK;
int str_base64_decode(Buf *out, const char *s, size_t len, bool url) MUST_CHECK;

/* FNV-1a, 32 bits: the name hash of the Agent Sandbox API (8 hexadecimal digits). */
uint32_t str_fnv1a32(const void *data, size_t len);

/* Fills with bytes of getrandom(2); aborts if the kernel has none. */
void random_bytes(void *out, size_t len);
/* n characters of Kubernetes' generateName alphabet (no vowels, nothing alike) and a NUL. */
void random_name_suffix(char *out, size_t n);
/* 32 hexadecimal digits and a NUL. */
void random_uid(char out[33]);

#endif
