/* A request's bytes up to the router's decision about it: head, routing headers, tokens. Nothing malformed may be let
 * in, and with scoped tokens nothing whose MAC the input cannot have made.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/router/access/scoped_token.h"
#include "services/router/http/admit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECRET "0123456789abcdef0123456789abcdef"
enum { NOW_S = 1000, N_DOORS = 3 };

static const Access *of(AccessSettings settings) {
  settings.grpc_open = true;
  return alloc_or_abort(access_new(&settings, NULL));
}

/* Open, by a router token, by tokens of single sandboxes; made once. */
static const Access *const *doors(void) {
  static const Access *all[N_DOORS];
  if (all[0])
    return all;
  char path[] = "/tmp/request-fuzz.XXXXXX";
  int fd = mkstemp(path);
  if (fd < 0 || write(fd, SECRET, strlen(SECRET)) != (ssize_t)strlen(SECRET))
    abort();
  close(fd);
  all[0] = of((AccessSettings){.mode = "allow-all"});
  all[1] = of((AccessSettings){.mode = "allow-all", .bearer = "secret"});
  all[2] = of((AccessSettings){.mode = "scoped-token", .secret_file = path});
  unlink(path);
  return all;
}

static bool on_head(void *arg, const HttpHead *head) {
  for (size_t i = 0; i < N_DOORS; i++) {
    Target target = {0};
    Admission a = admit(doors()[i], head, 180000, NOW_S, &target);
    if (a.status == 0) {
      if (!*target.id || !*target.ns || target.port == 0 || target.timeout_ms <= 0 || target.timeout_ms > 180000)
        abort();
      if (i > 0 && http_head_count(head, "Authorization") != 1)
        abort();
    } else if (a.status != 200 && !a.detail) {
      abort();
    }
  }
  for (size_t i = 0; i < head->n_headers; i++)
    target_is_routable(head->headers[i].value);
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
