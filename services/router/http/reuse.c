/* See reuse.h. */
#include "services/router/http/reuse.h"

#include <string.h>
#include <strings.h>

#include "lib/base/compiler.h"
#include "lib/base/str.h"

/* Of a field's name: to gateways of old (CGI) an underscore is a hyphen. */
static bool is_like(const char *name, const char *field) {
  for (; *name && *field; name++, field++) {
    if (*name == '_' ? *field != '-' : strncasecmp(name, field, 1) != 0)
      return false;
  }
  return *name == *field;
}

/* What nobody should read as framing, and somebody might. */
static bool has_lookalike(const HttpHead *head) {
  static const char *const FRAMING[] = {"Content-Length", "Transfer-Encoding"};
  for (size_t i = 0; i < head->n_headers; i++)
    for (size_t k = 0; k < ARRAY_LEN(FRAMING); k++)
      if (strchr(head->headers[i].name, '_') && is_like(head->headers[i].name, FRAMING[k]))
        return true;
  return false;
}

/* Not HEAD: programs that answer it with a body are many. Not DELETE and PUT, which may be repeated as well: their
 * second answer is another one (404). */
bool reuse_suits_request(const HttpHead *request) {
  bool safe = str_equal(request->method, "GET") || str_equal(request->method, "OPTIONS");
  return safe && request->no_body && !has_lookalike(request);
}

bool reuse_suits_answer(const HttpHead *answer) {
  size_t lengths = http_head_count(answer, "Content-Length"), codings = http_head_count(answer, "Transfer-Encoding");
  if (answer->status < 200 || answer->minor_version != 1 || !answer->keep_alive ||
      http_head_has_token(answer, "Connection", "close"))
    return false;
  /* what a program says that has lost the thread */
  if (answer->status == 400 || answer->status == 408)
    return false;
  /* a body that should not follow, and that its fields announce, may follow */
  if (answer->status == 204 || answer->status == 304)
    return codings == 0 && answer->content_length <= 0;
  return lengths + codings == 1;
}
