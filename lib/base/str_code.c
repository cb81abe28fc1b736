/* Encodings and random names of str.h. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "lib/base/str.h"

void str_hex(const void *data, size_t len, char *out) {
  const uint8_t *p = data;
  for (size_t i = 0; i < len; i++) {
    out[2 * i] = "0123456789abcdef"[p[i] >> 4];
    out[2 * i + 1] = "0123456789abcdef"[p[i] & 15];
  }
  out[2 * len] = 0;
}

static const char *alphabet(bool url) {
  return url ? "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
             : "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
}

int str_base64_encode(Buf *out, const void *data, size_t len, bool url) {
  const char *abc = alphabet(url);
  const uint8_t *p = data;
  char *o = (char *)buf_reserve(out, url ? (len * 4 + 2) / 3 : (len + 2) / 3 * 4);
  if (!o)
    return -1;
  char *begin = o;
  for (; len >= 3; len -= 3, p += 3) {
    uint32_t v = (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
    for (int shift = 18; shift >= 0; shift -= 6)
      *o++ = abc[v >> shift & 63];
  }
  if (len) {
    uint32_t v = (uint32_t)p[0] << 16 | (len == 2 ? (uint32_t)p[1] << 8 : 0);
    *o++ = abc[v >> 18];
    *o++ = abc[v >> 12 & 63];
    if (len == 2)
      *o++ = abc[v >> 6 & 63];
    if (!url)
      for (size_t i = len; i < 3; i++)
        *o++ = '=';
  }
  out->len += (size_t)(o - begin);
  *o = 0;
  return 0;
}

/* What was decoded so far stands where the content's NUL was. */
static int malformed(Buf *out) {
  out->data[out->len] = 0;
  return -1;
}

int str_base64_decode(Buf *out, const char *s, size_t len, bool url) {
  const char *abc = alphabet(url);
  if (!url) {
    if (len % 4 != 0)
      return -1;
    for (int i = 0; i < 2 && len && s[len - 1] == '='; i++)
      len--;
  }
  if (len % 4 == 1)
    return -1;
  size_t size = len * 3 / 4;
  uint8_t *o = buf_reserve(out, size);
  if (!o)
    return -1;
  uint32_t v = 0;
  for (size_t i = 0; i < len; i++) {
    const char *at = s[i] ? strchr(abc, s[i]) : NULL;
    if (!at)
      return malformed(out);
    v = v << 6 | (uint32_t)(at - abc);
    if (i % 4 == 1)
      *o++ = (uint8_t)(v >> 4);
    if (i % 4 == 2)
      *o++ = (uint8_t)(v >> 2);
    if (i % 4 == 3)
      *o++ = (uint8_t)v;
  }
  /* bits left over must be zero, or one value would have several spellings */
  if ((len % 4 == 2 && v & 15) || (len % 4 == 3 && v & 3))
    return malformed(out);
  out->len += size;
  *o = 0;
  return 0;
}

void random_bytes(void *out, size_t len) {
  for (uint8_t *p = out; len > 0;) {
    ssize_t n = getrandom(p, len, 0);
    /* above 256 bytes a signal may come in between */
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      abort();
    p += n;
    len -= (size_t)n;
  }
}

void random_name_suffix(char *out, size_t n) {
  /* 27 characters, as k8s.io/apimachinery/pkg/util/rand has them; bytes of 216 and above would favour some */
  static const char ABC[] = "bcdfghjklmnpqrstvwxz2456789";
  for (size_t i = 0; i < n;) {
    uint8_t b;
    random_bytes(&b, 1);
    if (b < 216)
      out[i++] = ABC[b % 27];
  }
  out[n] = 0;
}

void random_uid(char out[33]) {
  uint8_t raw[16];
  random_bytes(raw, sizeof raw);
  str_hex(raw, sizeof raw, out);
}
