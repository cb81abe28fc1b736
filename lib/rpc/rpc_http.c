/* How a call over HTTP begins and ends. See rpc_http.h.
 *
 * The exit holds the call from its beginning until it is closed. So a call is freed when both are done with it, and
 * counts as long: one whose answer nobody takes is still a call.
 */
#include "lib/rpc/rpc_http.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_http_impl.h"

/* How long handlers have to end what the grace did not suffice for. */
enum { END_MS = 500 };

#define PREFLIGHT_SECONDS "7200"

/* ---- What a call does for its handler ---- */

static size_t pending(const RpcCall *call) {
  return rpc_http_of((RpcCall *)call)->pending;
}

static int64_t time_left_ms(const RpcCall *call) {
  const RpcHttpCall *c = rpc_http_of((RpcCall *)call);
  if (c->deadline_ms == INT64_MAX)
    return INT64_MAX;
  int64_t left = c->deadline_ms - loop_now_ms(c->http->loop);
  return left > 0 ? left : 0;
}

static const char *peer(RpcCall *call) {
  return rpc_http_of(call)->peer;
}

static bool is_binary(const char *key) {
  size_t len = strlen(key);
  return len > 4 && strcmp(key + len - 4, "-bin") == 0;
}

/* The first of those that a client may have joined. NULL: it is not base64. */
static const char *binary(RpcHttpCall *c, const char *text) {
  CLEANUP(buf_deinit) Buf value = {0};
  const char *first = arena_strndup(c->strings, text, strcspn(text, ","));
  if (rpc_http_decode_binary(&value, first) != 0)
    return NULL;
  return arena_strndup(c->strings, buf_str(&value), value.len);
}

static const char *metadata(RpcCall *call, const char *key) {
  RpcHttpCall *c = rpc_http_of(call);
  for (size_t i = 0; i < c->n_metadata; i++)
    if (strcmp(c->metadata[i].key, key) == 0)
      return is_binary(key) ? binary(c, c->metadata[i].value) : c->metadata[i].value;
  return NULL;
}

static void call_free(RpcCall *call) {
  RpcHttpCall *c = rpc_http_of(call);
  list_remove(&c->due);
  rpc_http_owe_no_more(c);
  rpc_http_drop_writes(c);
  loop_timer_free(c->deadline);
  buf_deinit(&c->in);
  arena_free(c->strings);
  free(c);
}

static const RpcCarrier HTTP = {
    .read = rpc_http_want,
    .write = rpc_http_write,
    .pending = pending,
    .finish = rpc_http_finish,
    .time_left_ms = time_left_ms,
    .peer = peer,
    .metadata = metadata,
    .free = call_free,
};

/* ---- Before there is a handler ---- */

static const char *field(const RpcHttpRequest *request, const char *key) {
  for (size_t i = 0; i < request->n_fields; i++)
    if (strcmp(request->fields[i].key, key) == 0)
      return request->fields[i].value;
  return NULL;
}

bool rpc_http_takes(const RpcHttp *http, const RpcHttpRequest *request) {
  const char *type = field(request, "content-type");
  return (type && strncasecmp(type, "application/grpc", strlen("application/grpc")) == 0) ||
         rpc_table_find(&http->table, request->path);
}

/* A browser asks whether a page may call. */
static void answer_preflight(RpcHttpCall *c, const RpcHttpRequest *request) {
  const char *wanted = field(request, "access-control-request-headers");
  const RpcMetadata fields[] = {
      {"access-control-allow-origin", c->origin},    {"access-control-allow-methods", "POST"},
      {"access-control-max-age", PREFLIGHT_SECONDS}, {"vary", "origin"},
      {"access-control-allow-headers", wanted},
  };
  rpc_http_answer(c, 204, fields, ARRAY_LEN(fields) - (wanted ? 0 : 1));
}

/* Whether the request is refused, or answered, without a status of gRPC. */
static bool answer_as_http(RpcHttpCall *c, const RpcHttpRequest *request) {
  static const RpcMetadata ALLOW = {"allow", "POST"};
  const char *origin = field(request, "origin");
  bool is_post = strcmp(request->method, "POST") == 0;
  /* a page's own scripts too: whoever names this address as he likes can serve one "of the same origin" */
  if (origin && !rpc_http_lists_origin(c->http->web_origins, origin)) {
    rpc_http_answer(c, 403, NULL, 0);
  } else if (origin && strcmp(request->method, "OPTIONS") == 0 && field(request, "access-control-request-method")) {
    c->origin = origin;
    answer_preflight(c, request);
  } else if (!is_post) {
    rpc_http_answer(c, 405, &ALLOW, 1);
  } else if (c->form == RPC_FORM_NONE) {
    rpc_http_answer(c, 415, NULL, 0);
  } else if (c->form == RPC_FORM_GRPC && !request->is_http2) {
    /* its status could not be told; 426 would be followed by an upgrade, which there is none of */
    rpc_http_answer(c, 415, NULL, 0);
  }
  return c->refused;
}

/* -1 and err: the call is refused before anybody looks at its method. */
static int read_head(RpcHttpCall *c, Error *err) {
  const char *timeout = metadata(&c->call, "grpc-timeout"), *encoding = metadata(&c->call, "grpc-encoding");
  int64_t ms;
  if (c->http->ending) {
    *err = c->http->why;
    return -1;
  }
  if (encoding && strcmp(encoding, "identity") != 0)
    return error_set(err, ERROR_UNIMPLEMENTED, "grpc-encoding: messages may not be compressed");
  if (!timeout)
    return 0;
  if (rpc_http_timeout_ms(timeout, &ms) != 0)
    return error_set(err, ERROR_INTERNAL, "grpc-timeout: not up to 8 digits and one of H, M, S, m, u, n");
  c->deadline_ms = loop_now_ms(c->http->loop) + ms;
  if (ms == 0)
    return error_set(err, ERROR_DEADLINE_EXCEEDED, "the deadline has passed");
  return 0;
}

static void keep_head(RpcHttpCall *c, const RpcHttpRequest *request) {
  const char *origin = field(request, "origin");
  c->call.path = arena_strdup(c->strings, request->path);
  c->peer = arena_strdup(c->strings, request->peer);
  c->origin = origin ? arena_strdup(c->strings, origin) : NULL;
  c->metadata = arena_alloc(c->strings, (request->n_fields + 1) * sizeof *c->metadata);
  for (size_t i = 0; i < request->n_fields; i++)
    c->metadata[c->n_metadata++] = (RpcMetadata){arena_strdup(c->strings, request->fields[i].key),
                                                 arena_strdup(c->strings, request->fields[i].value)};
}

/* ---- The handler ---- */

static void on_deadline(void *arg) {
  RpcHttpCall *c = arg;
  Error why;
  error_set(&why, ERROR_DEADLINE_EXCEEDED, "the deadline has passed");
  rpc_call_hold(&c->call);
  if (!c->call.finished)
    rpc_http_fail(c, &why);
  rpc_call_release(&c->call);
}

static void watch_deadline(RpcHttpCall *c) {
  if (c->deadline_ms == INT64_MAX || c->deadline)
    return;
  c->deadline = loop_timer_new(c->http->loop, on_deadline, c);
  loop_timer_start(c->deadline, time_left_ms(&c->call));
}

void rpc_http_start(RpcHttpCall *c, bool has_request) {
  void *service;
  const RpcMethod *method = rpc_table_choose(&c->http->table, &c->call, c->call.route, has_request, &service);
  c->started = true;
  method->start(&c->call, service, has_request ? c->in.data + RPC_PREFIX_LEN : NULL, has_request ? c->request_len : 0);
  if (!c->call.finished)
    watch_deadline(c);
}

static void refuse(RpcHttpCall *c, const Error *err) {
  c->started = true;
  rpc_call_finish(&c->call, err);
}

/* A unary method's request is gathered first; everybody else hears of the call now. */
static void dispatch(RpcHttpCall *c) {
  Error err;
  if (read_head(c, &err) != 0) {
    refuse(c, &err);
    return;
  }
  c->call.route = rpc_table_find(&c->http->table, c->call.path);
  rpc_http_owe(c);
  bool unary = c->call.route && c->call.route->method->kind == RPC_UNARY;
  if (unary && !rpc_table_is_full(&c->http->table, c->call.route)) {
    c->wants = true;
    watch_deadline(c);
  } else {
    rpc_http_start(c, false);
  }
  if (c->call.finished)
    rpc_http_owe_no_more(c);
}

RpcHttpCall *rpc_http_begin(RpcHttp *http, const RpcHttpRequest *request, const RpcHttpExit *out, void *arg) {
  RpcHttpCall *c = new0(RpcHttpCall);
  rpc_call_init(&c->call, &HTTP, &http->owner, NULL);
  c->http = http;
  c->out = out;
  c->out_arg = arg;
  c->form = rpc_http_form(field(request, "content-type"));
  c->deadline_ms = INT64_MAX;
  c->request_len = SIZE_MAX;
  c->last = &c->first;
  c->last_written = &c->written;
  http->table.active++;
  if (answer_as_http(c, request))
    return c;
  c->strings = arena_new();
  keep_head(c, request);
  rpc_call_begin(&c->call);
  rpc_call_hold(&c->call);
  dispatch(c);
  rpc_call_release(&c->call);
  return c;
}

/* ---- The end ---- */

static void end_if_empty(RpcHttp *http) {
  if (!http->draining || http->table.active > 0 || !http->done)
    return;
  void (*done)(void *) = http->done;
  http->done = NULL;
  loop_timer_stop(http->grace);
  done(http->done_arg);
}

static void on_end(void *arg, RpcCall *call, Route *route, ErrorKind status, int64_t duration_us) {
  RpcHttp *http = arg;
  if (rpc_http_of(call)->started)
    rpc_table_ended(&http->table, call, route, status, duration_us);
  else
    http->table.active--;
  end_if_empty(http);
}

void rpc_http_drained(RpcHttpCall *c) {
  if (c->refused)
    return;
  rpc_call_hold(&c->call);
  rpc_http_feed(c);
  rpc_http_tell_written(c);
  rpc_call_release(&c->call);
}

void rpc_http_close(RpcHttpCall *c, bool answered) {
  RpcHttp *http = c->http;
  c->out = NULL;
  if (c->refused) {
    http->table.active--;
    call_free(&c->call);
    end_if_empty(http);
    return;
  }
  if (!answered || !c->ended)
    c->call.cancel_seen = true;
  rpc_http_drop_writes(c);
  rpc_http_owe_no_more(c);
  if (!c->started) {
    c->call.finished = true;
  } else if (!c->call.finished) {
    if (c->call.reading)
      rpc_call_tell_no_message(&c->call, false);
    else
      rpc_call_tell_cancelled(&c->call);
  }
  rpc_call_release(&c->call);
}

/* ---- The server ---- */

static void on_kick(void *arg) {
  RpcHttp *http = arg;
  List now = LIST_INIT(now);
  ListLink *link;
  while ((link = list_take_first(&http->due)))
    list_append(&now, link);
  while ((link = list_take_first(&now))) {
    RpcHttpCall *c = CONTAINER_OF(link, RpcHttpCall, due);
    rpc_call_hold(&c->call);
    rpc_http_tell_written(c);
    rpc_http_advance(c);
    rpc_call_release(&c->call);
  }
}

/* Of a call that no handler has yet: its request is still coming. */
static void end_gathering(RpcHttp *http) {
  List all = LIST_INIT(all);
  ListLink *link;
  while ((link = list_take_first(&http->waiting)))
    list_append(&all, link);
  while ((link = list_take_first(&all))) {
    RpcHttpCall *c = CONTAINER_OF(link, RpcHttpCall, waiting);
    if (!c->started)
      rpc_http_fail(c, &http->why);
  }
}

/* The grace is over. What does not end when it is told to is the connections' to cut. */
static void on_grace(void *arg) {
  RpcHttp *http = arg;
  if (http->ending || http->table.active == 0) {
    void (*done)(void *) = http->done;
    http->done = NULL;
    if (done)
      done(http->done_arg);
    return;
  }
  http->ending = true;
  error_set(&http->why, ERROR_UNAVAILABLE, "the server is shutting down");
  loop_timer_start(http->grace, END_MS);
  end_gathering(http);
  rpc_call_end_all(&http->owner, &http->why);
}

RpcHttp *rpc_http_new(Loop *loop, const RpcServerConfig *config, const char *web_origins, Error *err) {
  RpcHttp *http = new0(RpcHttp);
  if (rpc_table_init(&http->table, config, err) != 0) {
    rpc_table_deinit(&http->table);
    free(http);
    return NULL;
  }
  http->loop = loop;
  http->web_origins = str_dup(web_origins);
  http->owner = (RpcCallOwner){
      .max_message_bytes = http->table.config.max_message_bytes, .live = &http->live, .arg = http, .on_end = on_end};
  list_init(&http->live);
  list_init(&http->due);
  list_init(&http->waiting);
  http->kick = loop_timer_new(loop, on_kick, http);
  http->sweep = loop_timer_new(loop, rpc_http_sweep, http);
  http->grace = loop_timer_new(loop, on_grace, http);
  return http;
}

void rpc_http_free(RpcHttp *http) {
  if (!http)
    return;
  loop_timer_free(http->kick);
  loop_timer_free(http->sweep);
  loop_timer_free(http->grace);
  rpc_table_deinit(&http->table);
  free(http->web_origins);
  free(http);
}

void rpc_http_set_serving(RpcHttp *http, bool serving) {
  rpc_builtin_set_serving(http->table.builtin, serving && !http->draining);
}

void rpc_http_drain(RpcHttp *http, int64_t grace_ms, void (*done)(void *arg), void *arg) {
  if (!http->ending)
    loop_timer_start(http->grace, http->table.active > 0 ? grace_ms : 0);
  if (http->draining)
    return;
  http->draining = true;
  http->done = done;
  http->done_arg = arg;
  rpc_builtin_end(http->table.builtin);
}
