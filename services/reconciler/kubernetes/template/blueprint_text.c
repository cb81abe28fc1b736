/* See blueprint_text.h. */
#include "services/reconciler/kubernetes/template/blueprint_text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/template/blueprint_fields.h"

/* The API server limits objects far below a Buf's maximum. */
static void put(Buf *out, const char *s, size_t n) {
  if (buf_append(out, s, n) != 0)
    abort();
}

static void put_str(Buf *out, const char *s) {
  put(out, s, strlen(s));
}

/* ---- strings and what has no type ---- */

/* The escape of one character, or NULL; *n: how many bytes it has. Besides what JSON asks for, Go escapes what
 * browsers take for the end of a script. */
static const char *escape_of(const char *s, size_t *n) {
  *n = 1;
  switch (*s) {
  case '"':
    return "\\\"";
  case '\\':
    return "\\\\";
  case '\n':
    return "\\n";
  case '\r':
    return "\\r";
  case '\t':
    return "\\t";
  case '\b':
    return "\\b";
  case '\f':
    return "\\f";
  case '&':
    return "\\u0026";
  case '<':
    return "\\u003c";
  case '>':
    return "\\u003e";
  }
  if (strncmp(s, "\xe2\x80\xa8", 3) != 0 && strncmp(s, "\xe2\x80\xa9", 3) != 0)
    return NULL;
  *n = 3;
  return s[2] == '\xa8' ? "\\u2028" : "\\u2029";
}

static void put_string(Buf *out, const char *s) {
  put_str(out, "\"");
  while (*s) {
    size_t n;
    const char *escape = escape_of(s, &n);
    if (escape) {
      put_str(out, escape);
    } else if ((unsigned char)*s < 0x20) {
      if (buf_printf(out, "\\u%04x", *s) != 0)
        abort();
    } else {
      put(out, s, 1);
    }
    s += n;
  }
  put_str(out, "\"");
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* malloc'ed, borrowing the keys. */
static const char **sorted_keys(const json_t *object) {
  const char **keys = xcalloc(json_object_size(object) + 1, sizeof *keys);
  size_t n = 0;
  const char *key;
  json_t *v;
  json_object_foreach((json_t *)object, key, v) keys[n++] = key;
  qsort(keys, n, sizeof *keys, compare_keys);
  return keys;
}

static void put_key(Buf *out, bool *first, const char *key) {
  put_str(out, *first ? "" : ",");
  *first = false;
  put_string(out, key);
  put_str(out, ":");
}

static void put_any(Buf *out, const json_t *v) {
  if (json_is_string(v)) {
    put_string(out, json_string_value(v));
  } else if (json_is_object(v)) {
    bool first = true;
    const char **keys = sorted_keys(v);
    put_str(out, "{");
    for (size_t i = 0; keys[i]; i++) {
      put_key(out, &first, keys[i]);
      put_any(out, json_object_get(v, keys[i]));
    }
    put_str(out, "}");
    free(keys);
  } else if (json_is_array(v)) {
    put_str(out, "[");
    for (size_t i = 0; i < json_array_size(v); i++) {
      put_str(out, i ? "," : "");
      put_any(out, json_array_get(v, i));
    }
    put_str(out, "]");
  } else {
    CLEANUP(str_freep) char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_COMPACT);
    put_str(out, text);
  }
}

/* ---- quantities ---- */

typedef struct Quantity {
  __int128 nano;
  enum { QUANTITY_DECIMAL, QUANTITY_BINARY, QUANTITY_EXPONENT } format;
} Quantity;

/* Far below the end of __int128, so that one more factor cannot overflow. */
static int times(__int128 *v, int64_t factor) {
  const __int128 limit = (__int128)1 << 96;
  if (*v > limit / factor || *v < -limit / factor)
    return -1;
  *v *= factor;
  return 0;
}

static int times_power(__int128 *v, int64_t base, int power) {
  for (; power > 0; power--) {
    if (times(v, base) != 0)
      return -1;
  }
  for (; power < 0; power++) {
    if (*v % base != 0)
      return -1;
    *v /= base;
  }
  return 0;
}

/* The power of the base a suffix stands for, and the format; -1: no suffix of a quantity. */
static int parse_suffix(const char *s, Quantity *q, int *ret_power) {
  static const char BINARY[] = "KMGTPE", DECIMAL[] = "num kMGTPE";
  q->format = QUANTITY_DECIMAL;
  *ret_power = 0;
  if (!*s)
    return 0;
  if (s[1] == 'i' && !s[2] && strchr(BINARY, *s)) {
    q->format = QUANTITY_BINARY;
    *ret_power = (int)(strchr(BINARY, *s) - BINARY) + 1;
    return 0;
  }
  if (!s[1] && *s != ' ' && strchr(DECIMAL, *s)) {
    *ret_power = ((int)(strchr(DECIMAL, *s) - DECIMAL) - 3) * 3;
    return 0;
  }
  int64_t power;
  if ((*s != 'e' && *s != 'E') || str_to_int64(s + 1 + (s[1] == '+'), -27, 27, &power) != 0)
    return -1;
  q->format = QUANTITY_EXPONENT;
  *ret_power = (int)power;
  return 0;
}

static int parse_quantity(const char *s, Quantity *q) {
  bool negative = *s == '-', any = false, fraction = false;
  int power = 9, suffix_power;
  if (*s == '-' || *s == '+')
    s++;
  q->nano = 0;
  for (; isdigit((unsigned char)*s) || (*s == '.' && !fraction); s++) {
    if (*s == '.') {
      fraction = true;
      continue;
    }
    if (times(&q->nano, 10) != 0)
      return -1;
    q->nano += *s - '0';
    any = true;
    if (fraction)
      power--;
  }
  if (!any || parse_suffix(s, q, &suffix_power) != 0)
    return -1;
  if (negative)
    q->nano = -q->nano;
  if (q->format == QUANTITY_BINARY)
    return times_power(&q->nano, 1024, suffix_power) | times_power(&q->nano, 10, power);
  return times_power(&q->nano, 10, power + suffix_power);
}

char *blueprint_quantity(const char *text) {
  static const char *const BINARY[] = {"", "Ki", "Mi", "Gi", "Ti", "Pi", "Ei"};
  static const char *const DECIMAL[] = {"n", "u", "m", "", "k", "M", "G", "T", "P", "E"};
  const __int128 unit = 1000000000;
  Quantity q;
  if (parse_quantity(text, &q) != 0)
    return str_dup(text);
  if (q.nano == 0)
    return str_dup("0");
  __int128 v = q.nano;
  size_t i = 0;
  if (q.format == QUANTITY_BINARY && (v >= 1024 * unit || v <= -1024 * unit) && v % unit == 0) {
    for (v /= unit; v % 1024 == 0 && i + 1 < ARRAY_LEN(BINARY); i++)
      v /= 1024;
    return v == (int64_t)v ? str_printf("%lld%s", (long long)v, BINARY[i]) : str_dup(text);
  }
  for (; v % 1000 == 0 && i + 1 < ARRAY_LEN(DECIMAL); i++)
    v /= 1000;
  if (v != (int64_t)v)
    return str_dup(text);
  if (q.format != QUANTITY_EXPONENT || i == 3)
    return str_printf("%lld%s", (long long)v, DECIMAL[i]);
  return str_printf("%llde%d", (long long)v, ((int)i - 3) * 3);
}

static void put_quantity(Buf *out, const json_t *v) {
  CLEANUP(str_freep) char *number = NULL;
  if (json_is_integer(v))
    number = str_printf("%" JSON_INTEGER_FORMAT, json_integer_value(v));
  const char *text = number ? number : json_string_value(v);
  if (!text) {
    put_any(out, v);
    return;
  }
  CLEANUP(str_freep) char *canonical = blueprint_quantity(text);
  put_string(out, canonical);
}

static void put_quantities(Buf *out, const json_t *map) {
  bool first = true;
  const char **keys = sorted_keys(map);
  put_str(out, "{");
  for (size_t i = 0; keys[i]; i++) {
    put_key(out, &first, keys[i]);
    put_quantity(out, json_object_get(map, keys[i]));
  }
  put_str(out, "}");
  free(keys);
}

/* ---- known types ---- */

static bool is_empty(const json_t *v) {
  return !v || json_is_null(v) || json_is_false(v) || (json_is_integer(v) && json_integer_value(v) == 0) ||
         (json_is_string(v) && !*json_string_value(v)) || (json_is_array(v) && json_array_size(v) == 0) ||
         (json_is_object(v) && json_object_size(v) == 0);
}

static void put_object(Buf *out, const json_t *object, const char *type);

static void put_list(Buf *out, const json_t *list, const char *type) {
  put_str(out, "[");
  for (size_t i = 0; i < json_array_size(list); i++) {
    put_str(out, i ? "," : "");
    put_object(out, json_array_get(list, i), type);
  }
  put_str(out, "]");
}

/* One field; kind and type as in blueprint_fields.h. */
static void put_field(Buf *out, bool *first, const char *key, const json_t *v, const char *kind) {
  bool absent = !v || json_is_null(v), keeps_empty = *kind && strchr("*:=%", *kind);
  if (*kind != '=' && (absent || (!keeps_empty && is_empty(v))))
    return;
  put_key(out, first, key);
  if ((*kind == '=' && !json_is_array(v)) || (*kind == ':' && json_is_object(v))) {
    put_object(out, v, kind + 1);
  } else if (*kind == '[' && json_is_array(v)) {
    put_list(out, v, kind + 1);
  } else if (*kind == '%') {
    put_quantity(out, v);
  } else if (*kind == '{' && json_is_object(v)) {
    put_quantities(out, v);
  } else {
    put_any(out, v);
  }
}

/* Takes the first field off a row: its name, and what stands behind it. */
static const char *next_field(const char *row, char *name, char *kind, size_t size) {
  size_t n = strcspn(row, "*:=[%{ "), m = strcspn(row + n, " ");
  if (n >= size || m >= size)
    abort();
  memcpy(name, row, n);
  memcpy(kind, row + n, m);
  name[n] = kind[m] = 0;
  row += n + m;
  return row + (*row == ' ');
}

static void put_object(Buf *out, const json_t *object, const char *type) {
  const char *row = blueprint_fields(type);
  if (!row)
    abort();
  char name[64], kind[64];
  bool first = true;
  KUBE_OWNED json_t *unknown = json_object();
  if (object)
    json_object_update(unknown, (json_t *)object);
  put_str(out, "{");
  while (*row) {
    row = next_field(row, name, kind, sizeof name);
    put_field(out, &first, name, json_object_get(object, name), kind);
    json_object_del(unknown, name);
  }
  const char **keys = sorted_keys(unknown);
  for (size_t i = 0; keys[i]; i++)
    put_field(out, &first, keys[i], json_object_get(unknown, keys[i]), "*");
  free(keys);
  put_str(out, "}");
}

char *blueprint_text(const json_t *value, const char *type) {
  Buf out = BUF_INIT(0);
  put_object(&out, value, type);
  return (char *)out.data;
}
