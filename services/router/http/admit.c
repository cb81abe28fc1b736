/* See admit.h. /healthz comes before all that asks for headers: probes have none. */
#include "services/router/http/admit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/router/http/forward.h"
#include "services/router/route/cookie.h"
#include "services/router/route/path_route.h"

/* All but CONNECT and TRACE, which would lead past the router or mirror what it adds. */
#define ALLOWED "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH"

/* One request, as it is looked at. */
typedef struct Candidate {
  const AdmitRules *rules;
  const HttpHead *head;
  int64_t now_s;
  Routed routed;
  const char *fault; /* of what names its sandbox; NULL: none */
  Target *target;
  Buf credential; /* of the query; empty: none */
} Candidate;

static bool is_health(const char *path) {
  return strncmp(path, "/healthz", 8) == 0 && (path[8] == 0 || path[8] == '?');
}

static void put(Buf *out, const char *s) {
  if (buf_append_str(out, s) != 0)
    abort(); /* a part of a head */
}

void admission_deinit(Admission *a) {
  buf_deinit(&a->location);
  buf_deinit(&a->set_cookie);
  buf_deinit(&a->path);
  buf_deinit(&a->prefix);
}

static void refuse(Admission *a, int status, const char *detail) {
  a->status = status;
  a->detail = detail;
}

static void take_denial(Admission *a, AccessDenial denial) {
  refuse(a, denial.status, denial.detail);
  a->judged = true;
}

/* ---- What no sandbox is needed for ---- */

/* Whether that is all there is to say. */
static bool settle(Candidate *c, Admission *a) {
  const HttpHead *head = c->head;
  const char *path = forward_path(head);
  bool no_host = http_head_count(head, "Host") > 1 || (head->minor_version >= 1 && !http_head_get(head, "Host"));
  a->close = true;
  if (strcmp(head->method, "CONNECT") == 0 || strcmp(head->method, "TRACE") == 0) {
    refuse(a, 405, "Method Not Allowed");
    a->allow = ALLOWED;
  } else if (!path) {
    refuse(a, 400, "Invalid request target.");
  } else if (no_host) {
    refuse(a, 400, "Missing or repeated Host header.");
  } else {
    a->close = false;
    c->fault = routing_parse(&c->rules->routing, head, path, &c->routed);
    /* on a sandbox's own host it is the sandbox's */
    if (is_health(path) && (c->fault || c->routed.way == ROUTING_BY_HEADERS))
      a->status = 200;
    else if (!c->routed.is_allowed)
      refuse(a, 403, "This host is not served here: --allowed-hosts names others.");
  }
  return a->status != 0;
}

/* ---- Who asks ---- */

static AccessDenial check(const Candidate *c) {
  AccessDenial denial = access_check_caller(c->rules->access, c->head, c->now_s);
  return denial.status ? denial : access_check_target(c->rules->access, c->head, c->now_s, c->target);
}

/* As if the credential had come in Authorization, where there is none. */
static AccessDenial check_credential(const Candidate *c, const char *credential, size_t len) {
  CLEANUP(str_freep) char *value = str_ndup(credential, len);
  return access_judge(c->rules->access, value, c->head, c->now_s, c->target);
}

/* What the cookies say; without one, what is said to who has no credential. */
static AccessDenial check_cookies(const Candidate *c, bool *ret_by_cookie) {
  const char *name = c->rules->session.cookie;
  AccessDenial denial = {.status = 401};
  int n = 0;
  for (size_t i = 0; i < c->head->n_headers; i++) {
    size_t len;
    const char *at = strcasecmp(c->head->headers[i].name, "Cookie") == 0 ? c->head->headers[i].value : NULL;
    for (const char *value; denial.status && n < BROWSER_SESSION_COOKIES_MAX && (value = cookie_next(&at, name, &len));)
      if (cookie_is_value(value, len)) {
        denial = check_credential(c, value, len);
        n++;
      }
  }
  *ret_by_cookie = n > 0 && !denial.status;
  return n > 0 ? denial : check(c);
}

/* Path and query as the client sees them, as a reference that keeps scheme and host. */
static void put_reference(const Candidate *c, const Admission *a, Buf *out) {
  put(out, buf_str(&a->prefix));
  const char *path = buf_str(&a->path);
  if (a->prefix.len == 0 && path[0] == '/' && (path[1] == '/' || path[1] == '\\'))
    put(out, "/.");
  put(out, path);
}

static void judge_browser(Candidate *c, Admission *a) {
  const BrowserSession *session = &c->rules->session;
  bool in_field = http_head_get(c->head, "Authorization"), by_query = c->credential.len > 0 && !in_field;
  bool by_cookie = false;
  if (by_query && !cookie_is_value(buf_str(&c->credential), c->credential.len)) {
    refuse(a, 400, "The credential in the query is none.");
    return;
  }
  if (by_query)
    take_denial(a, check_credential(c, buf_str(&c->credential), c->credential.len));
  else
    take_denial(a, in_field ? check(c) : check_cookies(c, &by_cookie));
  bool upgrade = forward_upgrades(c->head);
  if (!a->status && by_cookie && !browser_session_allows(session, c->head, upgrade, a->proto, &c->routed))
    refuse(a, 403, "A request by cookie needs an allowed Origin.");
  if (a->status || !by_query)
    return;
  refuse(a, 302, "The credential is in a cookie now.");
  browser_session_cookie(session, &c->rules->routing, c->target, buf_str(&c->credential), &a->set_cookie);
  put_reference(c, a, &a->location);
}

/* ---- Where it goes ---- */

/* What the program gets of the path. -1: the parameter of the credential was there twice. */
static int take_path(Candidate *c, Admission *a) {
  const BrowserSession *session = &c->rules->session;
  bool opens = (strcmp(c->head->method, "GET") == 0 || strcmp(c->head->method, "HEAD") == 0) &&
               !forward_upgrades(c->head) && c->routed.way != ROUTING_BY_HEADERS;
  if (c->routed.way == ROUTING_BY_PATH && !c->fault)
    path_route_folder(&a->prefix, c->rules->routing.prefix, &c->routed.name);
  if (c->routed.path[0] == '?' || !c->routed.path[0])
    put(&a->path, "/");
  if (!browser_session_is_on(session)) {
    put(&a->path, c->routed.path);
    return 0;
  }
  size_t n = browser_session_take_query(session, c->routed.path, &a->path, &c->credential);
  if (!opens)
    buf_consume(&c->credential, c->credential.len);
  return n > 1 ? -1 : 0;
}

/* Of the client's URL, where the router does not end TLS itself. */
static const char *proto_of(const AdmitRules *rules, const HttpHead *head) {
  const char *said = http_head_get(head, "X-Forwarded-Proto");
  bool secure =
      rules->trusts_proto && said && http_head_count(head, "X-Forwarded-Proto") == 1 && strcasecmp(said, "https") == 0;
  return secure ? "https" : "http";
}

/* The token of all comes before what names the sandbox, a sandbox's own after it. */
static void decide(Candidate *c, Admission *a) {
  bool browser = browser_session_is_on(&c->rules->session) && c->routed.way != ROUTING_BY_HEADERS;
  int repeated = take_path(c, a);
  if (!browser) {
    AccessDenial denial = access_check_caller(c->rules->access, c->head, c->now_s);
    if (denial.status) {
      take_denial(a, denial);
      return;
    }
  }
  if (!c->fault)
    c->fault = target_parse(c->head, &c->routed, c->rules->max_timeout_ms, c->target);
  if (!c->fault && repeated)
    c->fault = "The credential is in the query twice.";
  if (c->fault)
    refuse(a, 400, c->fault);
  else if (browser)
    judge_browser(c, a);
  else
    take_denial(a, access_check_target(c->rules->access, c->head, c->now_s, c->target));
  /* a WebSocket has no links, and its clients follow none */
  if (!a->status && c->routed.lacks_slash && !forward_upgrades(c->head)) {
    refuse(a, 308, "A sandbox's page is a folder.");
    put_reference(c, a, &a->location);
  }
}

Admission admit(const AdmitRules *rules, const HttpHead *head, bool tls, int64_t now_s, Target *ret_target) {
  Candidate c = {.rules = rules, .head = head, .now_s = now_s, .target = ret_target};
  Admission a = {.proto = tls ? "https" : proto_of(rules, head)};
  memset(ret_target, 0, sizeof *ret_target);
  if (!settle(&c, &a))
    decide(&c, &a);
  buf_deinit(&c.credential);
  return a;
}
