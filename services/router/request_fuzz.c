/* A request's bytes up to the router's decision about it: head, paths, hosts and headers that name a sandbox, tokens,
 * cookies. Nothing malformed may be let in, with scoped tokens nothing whose MAC the input cannot have made, and nobody
 * sent to another host.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/router/access/scoped_token.h"
#include "services/router/http/admit.h"
#include "services/router/http/forward.h"
#include "services/router/route/answer_rewrite.h"

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

static const Routing ROUTING = {.prefix = "/p", .domain = "d.x", .allowed_hosts = ""};
static const BrowserSession SESSION = {
    .cookie = "sb", .query_param = "token", .same_site = "lax", .allowed_origins = ""};

static void want(bool holds) {
  if (!holds)
    abort();
}

static bool has(const Buf *text, const char *word) {
  return strstr(buf_str(text), word) != NULL;
}

/* What is let in names one sandbox, and a path is part of a line. */
static void check_goes(const Admission *a, const Target *target) {
  want(*target->id && *target->ns && target->port != 0 && target->timeout_ms > 0 && target->timeout_ms <= 180000);
  want(buf_str(&a->path)[0] == '/' || strcmp(buf_str(&a->path), "*") == 0);
  want(!has(&a->path, " ") && !has(&a->path, "\r") && !has(&a->path, "\n"));
  want((a->prefix.len > 0) == (target->way == ROUTING_BY_PATH));
  want(target->way != ROUTING_BY_PATH || strncmp(buf_str(&a->prefix), "/p/", 3) == 0);
}

/* A redirect stays on the host it came from. */
static void check_redirect(const Admission *a) {
  const char *to = buf_str(&a->location);
  want(to[0] == '/' && to[1] != '/' && to[1] != '\\');
  want(!has(&a->location, "\n") && !has(&a->set_cookie, "\n") && (a->status == 302) == (a->set_cookie.len > 0));
}

static bool has_credential(const HttpHead *head, const Target *target) {
  return http_head_count(head, "Authorization") > 0 ||
         (target->way != ROUTING_BY_HEADERS && http_head_count(head, "Cookie") > 0);
}

/* The head of an answer that is all of the request's fields. */
static void rewrite(const HttpHead *head, const Target *target) {
  AnswerRewrite rewrite = {0};
  HttpHead answer = *head;
  answer.status = 200;
  const HttpHead *got = answer_rewrite(&ROUTING, target, SESSION.cookie, &answer, &rewrite);
  for (size_t i = 0; i < got->n_headers; i++)
    want(got->headers[i].value != NULL && !strchr(got->headers[i].value, '\n'));
  answer_rewrite_deinit(&rewrite);
}

static void forward(const HttpHead *head, const Admission *a) {
  Buf out = {0};
  const ForwardRequest request = {.path = buf_str(&a->path),
                                  .prefix = buf_str(&a->prefix),
                                  .peer = &(ForwardPeer){.ip = "192.0.2.1"},
                                  .proto = a->proto,
                                  .port = 80,
                                  .cookie = SESSION.cookie};
  forward_request(&out, head, &request);
  want(!strcasestr(buf_str(&out), "\nx-sandbox-"));
  buf_deinit(&out);
}

static void check(const AdmitRules *rules, const HttpHead *head) {
  Target target = {0};
  Admission a = admit(rules, head, false, NOW_S, &target);
  if (a.status == 0) {
    check_goes(&a, &target);
    want(access_http_is_open(rules->access) || has_credential(head, &target));
    forward(head, &a);
    rewrite(head, &target);
  } else if (a.status == 302 || a.status == 308) {
    check_redirect(&a);
  } else {
    want(a.status == 200 || a.detail != NULL);
  }
  admission_deinit(&a);
}

static bool on_head(void *arg, const HttpHead *head) {
  for (size_t i = 0; i < N_DOORS; i++) {
    const Access *access = doors()[i];
    check(&(AdmitRules){.access = access, .max_timeout_ms = 180000}, head);
    check(&(AdmitRules){.access = access, .routing = ROUTING, .session = SESSION, .max_timeout_ms = 180000}, head);
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
