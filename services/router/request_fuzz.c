/* A request's bytes up to the router's decision about it: head, routing headers, tokens. Nothing malformed may be let
 * in, and with scoped tokens nothing whose MAC the input cannot have made.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "services/router/access/scoped_token.h"
#include "services/router/http/admit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "0123456789abcdef0123456789abcdef"
enum { NOW_S = 1000 };

static bool on_head(void *arg, const HttpHead *head) {
  Authz open = {0}, bearer = {.bearer = "secret"}, scoped = {.scoped = true};
  if (buf_append_str(&scoped.secret, SECRET))
    abort();
  const Authz *const all[] = {&open, &bearer, &scoped};
  for (size_t i = 0; i < ARRAY_LEN(all); i++) {
    Target target = {0};
    Admission a = admit(all[i], head, 180000, NOW_S, &target);
    if (a.status == 0) {
      if (!*target.id || !*target.ns || target.port == 0 || target.timeout_ms <= 0 || target.timeout_ms > 180000)
        abort();
      if (all[i] == &bearer &&
          http_head_count(head, "Authorization") + http_head_count(head, "X-Sandbox-Authorization") == 0)
        abort();
    } else if (a.status != 200 && !a.detail) {
      abort();
    }
  }
  for (size_t i = 0; i < head->n_headers; i++)
    target_is_routable(head->headers[i].value);
  buf_deinit(&scoped.secret);
  (void)arg;
  return true;
}

static void on_body(void *arg, const uint8_t *data, size_t len) {
  (void)arg, (void)data, (void)len;
}

static void on_end(void *arg) {
  (void)arg;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static const HttpReaderHandlers HANDLERS = {on_head, on_body, NULL, on_end};
  HttpReader *r = http_reader_new(HTTP_REQUESTS, &HANDLERS, NULL);
  Error err;
  size_t used;
  for (size_t at = 0; at < size; at += used) {
    if (http_reader_feed(r, data + at, size - at, &used, &err) != 0 || used == 0)
      break;
  }
  http_reader_free(r);
  CLEANUP(str_freep) char *text = str_ndup((const char *)data, size);
  ScopedToken token;
  if (scoped_token_verify(text, SECRET, strlen(SECRET), NOW_S, &token) && (!*token.name || token.exp_s < NOW_S))
    abort();
  target_is_routable(text);
  return 0;
}
