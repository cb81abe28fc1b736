/* See execute_body.h. The text is checked as a whole; of its values only the two that are wanted are kept. */
#include "runtime/http/execute_body.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/buf.h"
#include "runtime/http/execute_text.h"
#include "runtime/process/exec_timeout.h"

/* Python's own limit of nesting is about this (RecursionError, which its server answers with 400). */
#define DEPTH_MAX 900

typedef enum Kind { KIND_NONE, KIND_NULL, KIND_BOOL, KIND_NUMBER, KIND_STRING, KIND_OTHER } Kind;

typedef struct Value {
  Kind kind;
  bool truth;
  double number;
  Buf text;  /* of a string; kept only when it is wanted */
  bool half; /* it holds half of a surrogate pair */
} Value;

typedef struct Parser {
  const char *start, *s; /* a NUL is behind the text; one within it is no JSON anywhere */
  int depth;
  bool too_deep;
  const char *why, *where;
  Value command, timeout;
} Parser;

static bool fail(Parser *p, const char *why, const char *where) {
  p->why = why;
  p->where = where;
  return false;
}

static void skip_blank(Parser *p) {
  p->s += strspn(p->s, " \t\n\r");
}

static bool hex4(const char *s, unsigned *ret) {
  char digits[5] = {0};
  memcpy(digits, s, strnlen(s, 4));
  *ret = (unsigned)strtoul(digits, NULL, 16);
  return strspn(digits, "0123456789abcdefABCDEF") == 4;
}

/* Behind "\u". A pair of halves is one character; a half alone is kept as what it is, which is not UTF-8. */
static bool read_unicode(Parser *p, Value *v) {
  unsigned c, low;
  if (!hex4(p->s, &c))
    return fail(p, "Invalid \\\\uXXXX escape", p->s - 1);
  p->s += 4;
  if (c >= 0xd800 && c < 0xdc00 && p->s[0] == '\\' && p->s[1] == 'u' && hex4(p->s + 2, &low) && low >= 0xdc00 &&
      low < 0xe000) {
    c = 0x10000 + ((c - 0xd800) << 10) + (low - 0xdc00);
    p->s += 6;
  }
  v->half = v->half || (c >= 0xd800 && c < 0xe000);
  execute_text_put(&v->text, c);
  return true;
}

/* Behind the quote. */
static bool read_string(Parser *p, Value *v) {
  const char *open = p->s - 1;
  v->kind = KIND_STRING;
  v->half = false;
  v->text.len = 0;
  for (;;) {
    size_t n = strcspn(p->s, "\"\\");
    for (size_t i = 0; i < n; i++) {
      if ((unsigned char)p->s[i] < 0x20)
        return fail(p, "Invalid control character at", p->s + i);
      /* ED A0 and up is half of a surrogate pair, which Python lets pass here as well */
      v->half = v->half || ((uint8_t)p->s[i] == 0xed && (uint8_t)p->s[i + 1] >= 0xa0);
    }
    if (buf_append(&v->text, p->s, n))
      abort(); /* a body is smaller than a buffer's maximum */
    p->s += n;
    if (*p->s == '"') {
      p->s++;
      return true;
    }
    if (!*p->s || !p->s[1])
      return fail(p, "Unterminated string starting at", open);
    static const char FROM[] = "\"\\/bfnrt", TO[] = "\"\\/\b\f\n\r\t";
    const char *at = strchr(FROM, p->s[1]);
    p->s += 2;
    if (at && buf_append(&v->text, &TO[at - FROM], 1))
      abort();
    if (!at && p->s[-1] != 'u')
      return fail(p, "Invalid \\\\escape", p->s - 2);
    if (!at && !read_unicode(p, v))
      return false;
  }
}

static size_t digits(const char *s) {
  return strspn(s, "0123456789");
}

static bool read_number(Parser *p, Value *v) {
  const char *s = p->s + (*p->s == '-');
  size_t n = *s == '0' ? 1 : digits(s);
  if (n == 0)
    return fail(p, "Expecting value", p->s);
  s += n;
  if (*s == '.' && digits(s + 1))
    s += 1 + digits(s + 1);
  if (*s == 'e' || *s == 'E') {
    const char *e = s + 1 + (s[1] == '+' || s[1] == '-');
    s = digits(e) ? e + digits(e) : s;
  }
  v->kind = KIND_NUMBER;
  v->number = strtod(p->s, NULL);
  p->s = s;
  return true;
}

static bool read_word(Parser *p, Value *v) {
  static const struct {
    const char *word;
    Value value;
  } WORDS[] = {{"null", {.kind = KIND_NULL}},
               {"true", {.kind = KIND_BOOL, .truth = true}},
               {"false", {.kind = KIND_BOOL}},
               {"NaN", {.kind = KIND_NUMBER, .number = NAN}},
               {"Infinity", {.kind = KIND_NUMBER, .number = INFINITY}},
               {"-Infinity", {.kind = KIND_NUMBER, .number = -INFINITY}}};
  for (size_t i = 0; i < ARRAY_LEN(WORDS); i++) {
    size_t len = strlen(WORDS[i].word);
    if (strncmp(p->s, WORDS[i].word, len) != 0)
      continue;
    v->kind = WORDS[i].value.kind;
    v->truth = WORDS[i].value.truth;
    v->number = WORDS[i].value.number;
    p->s += len;
    return true;
  }
  return read_number(p, v);
}

static bool read_value(Parser *p, Value *v);

static bool deeper(Parser *p) {
  p->too_deep = ++p->depth > DEPTH_MAX;
  return !p->too_deep || fail(p, "", p->s);
}

static bool read_array(Parser *p) {
  Value item = {0};
  bool ok = deeper(p);
  skip_blank(p);
  if (ok && *p->s == ']')
    p->s++;
  else
    for (bool more = ok; more && ok;) {
      ok = read_value(p, &item);
      skip_blank(p);
      more = ok && *p->s == ',';
      if (ok && !more && *p->s != ']')
        ok = fail(p, "Expecting ',' delimiter", p->s);
      p->s += ok;
      skip_blank(p);
    }
  p->depth--;
  buf_deinit(&item.text);
  return ok;
}

/* One member: at the quote of its name. Of two with one name the later counts. */
static bool read_member(Parser *p, bool top, Value *name, Value *other) {
  if (*p->s != '"')
    return fail(p, "Expecting property name enclosed in double quotes", p->s);
  p->s++;
  if (!read_string(p, name))
    return false;
  skip_blank(p);
  if (*p->s != ':')
    return fail(p, "Expecting ':' delimiter", p->s);
  p->s++;
  const char *key = buf_str(&name->text);
  Value *to = top && strcmp(key, "command") == 0           ? &p->command
              : top && strcmp(key, "timeout_seconds") == 0 ? &p->timeout
                                                           : other;
  if (strlen(key) != name->text.len)
    to = other;
  return read_value(p, to);
}

static bool read_object(Parser *p, bool top) {
  Value name = {0}, other = {0};
  bool ok = deeper(p);
  skip_blank(p);
  if (ok && *p->s == '}')
    p->s++;
  else
    for (bool more = ok; more && ok;) {
      ok = read_member(p, top, &name, &other);
      skip_blank(p);
      more = ok && *p->s == ',';
      if (ok && !more && *p->s != '}')
        ok = fail(p, "Expecting ',' delimiter", p->s);
      p->s += ok;
      skip_blank(p);
    }
  p->depth--;
  buf_deinit(&name.text);
  buf_deinit(&other.text);
  return ok;
}

static bool read_value(Parser *p, Value *v) {
  skip_blank(p);
  bool top = p->depth == 0;
  v->kind = KIND_OTHER;
  switch (*p->s) {
  case '{':
    p->s++;
    return read_object(p, top);
  case '[':
    p->s++;
    return read_array(p);
  case '"':
    p->s++;
    return read_string(p, v);
  default:
    return read_word(p, v);
  }
}

static int fault(ExecuteFault *f, const char *type, const char *loc, const char *msg, const char *ctx) {
  *f = (ExecuteFault){.status = 422, .type = type, .loc = loc, .msg = msg, .ctx = ctx};
  return 1;
}

#define LOC_TIMEOUT ",\"timeout_seconds\""

/* As pydantic makes a float of it. */
static int read_timeout(const Value *v, int64_t *ret_ms, ExecuteFault *f) {
  double seconds = v->kind == KIND_BOOL ? v->truth : v->number;
  *ret_ms = -1;
  if (v->kind == KIND_NONE || v->kind == KIND_NULL)
    return 0;
  if (v->kind == KIND_OTHER)
    return fault(f, "float_type", LOC_TIMEOUT, "Input should be a valid number", "");
  if (v->kind == KIND_STRING) {
    if (exec_timeout_parse(buf_str(&v->text), ret_ms))
      return 0;
    return fault(f, "float_parsing", LOC_TIMEOUT,
                 "Input should be a valid number greater than 0, unable to parse string as one", "");
  }
  if (!isfinite(seconds))
    return fault(f, "finite_number", LOC_TIMEOUT, "Input should be a finite number", "");
  if (seconds <= 0)
    return fault(f, "greater_than", LOC_TIMEOUT, "Input should be greater than 0", ",\"ctx\":{\"gt\":0}");
  *ret_ms = exec_timeout_ms(seconds);
  return 0;
}

static int judge(Parser *p, Arena *arena, Kind kind, ExecuteBody *body, ExecuteFault *f) {
  const Value *c = &p->command;
  if (kind == KIND_NULL)
    return fault(f, "missing", "", "Field required", "");
  if (kind != KIND_OTHER || *p->start != '{')
    return fault(f, "model_attributes_type", "", "Input should be a valid dictionary or object to extract fields from",
                 "");
  if (c->kind == KIND_NONE)
    return fault(f, "missing", ",\"command\"", "Field required", "");
  if (c->kind != KIND_STRING)
    return fault(f, "string_type", ",\"command\"", "Input should be a valid string", "");
  if (c->half)
    return fault(f, "string_unicode", ",\"command\"",
                 "Input should be a valid string, unable to parse raw data as a unicode string", "");
  body->command_len = c->text.len;
  body->command = arena_alloc(arena, c->text.len + 1);
  memcpy(body->command, buf_str(&c->text), c->text.len);
  return read_timeout(&p->timeout, &body->timeout_ms, f);
}

int execute_body_read(Arena *arena, const uint8_t *data, size_t len, ExecuteBody *body, ExecuteFault *f) {
  Buf text = BUF_INIT(SIZE_MAX / 4);
  Value whole = {0};
  *f = (ExecuteFault){.status = 400};
  if (len == 0)
    return fault(f, "missing", "", "Field required", "");
  int rc = execute_text_decode(data, len, &text) ? 1 : 0;
  Parser p = {.start = buf_str(&text), .s = buf_str(&text)};
  skip_blank(&p);
  p.start = p.s;
  if (rc == 0) {
    bool ok = read_value(&p, &whole);
    skip_blank(&p);
    if (ok && p.s != buf_str(&text) + text.len)
      ok = fail(&p, "Extra data", p.s);
    if (ok)
      rc = judge(&p, arena, whole.kind, body, f);
    else if (p.too_deep)
      rc = 1;
    else
      rc = fault(f, "json_invalid", arena_printf(arena, ",%zu", (size_t)(p.where - buf_str(&text))),
                 "JSON decode error", arena_printf(arena, ",\"ctx\":{\"error\":\"%s\"}", p.why));
  }
  buf_deinit(&p.command.text);
  buf_deinit(&p.timeout.text);
  buf_deinit(&whole.text);
  buf_deinit(&text);
  return rc;
}
