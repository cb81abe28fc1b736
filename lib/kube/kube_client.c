/* See kube_client.h.
 *
 * Invariant: nothing of ours that a user's callback may reach runs inside libcurl. What libcurl delivers is
 * only noted (buffers, the list `fresh`), and handed on once libcurl has returned: so a callback may start and
 * cancel whatever it likes.
 */
#include "lib/kube/kube_client.h"

#include <curl/curl.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/kube/kube_endpoint.h"
#include "lib/kube/kube_json.h"
#include "lib/kube/kube_lanes.h"
#include "lib/kube/kube_multi.h"
#include "lib/kube/kube_status.h"

/* A watch says something (a bookmark at the latest) each minute; twice that without a byte is a dead connection. */
#define SILENCE_S 130L

struct KubeCall {
  KubeTurn turn;        /* first: a turn is the call that has it */
  KubeCall *next, **at; /* among those that run */
  KubeCall *fresh_next;
  KubeClient *client;
  CURL *easy;
  struct curl_slist *headers;
  const char *method; /* one of METHODS */
  char *path, *body;
  size_t body_len, body_sent;
  Buf in;
  bool is_fresh, is_stream, dispatching, cancelled;
  int64_t asked_us, begun_us, timeout_ms;
  KubeDoneFn fn;
  const KubeStreamEvents *events;
  void *arg;
};

struct KubeClient {
  KubeOptions options;
  KubeEndpoint endpoint;
  KubeMulti multi;
  KubeLanes *lanes;
  KubeCall *running, *fresh;
  bool has_skew;
  int64_t skew_ms;
};

static const char *const METHODS[] = {"GET", "POST", "PUT", "PATCH", "DELETE"};

static void call_free(KubeCall *c) {
  kube_lanes_leave(c->client->lanes, &c->turn);
  if (c->at) {
    *c->at = c->next;
    if (c->next)
      c->next->at = c->at;
  }
  if (c->easy) {
    curl_multi_remove_handle(c->client->multi.curl, c->easy);
    curl_easy_cleanup(c->easy);
    if (!c->is_stream)
      kube_lanes_ended(c->client->lanes, &c->turn);
  }
  curl_slist_free_all(c->headers);
  buf_deinit(&c->in);
  free(c->path);
  free(c->body);
  free(c);
}

static void link_running(KubeClient *k, KubeCall *c) {
  c->at = &k->running;
  c->next = k->running;
  if (c->next)
    c->next->at = &c->next;
  k->running = c;
}

/* ---- inside libcurl ---- */

static bool is_success(KubeCall *c) {
  long status = 0;
  curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
  return status >= 200 && status < 300;
}

static size_t on_data(char *data, size_t one, size_t n, void *arg) {
  KubeCall *c = arg;
  if (c->cancelled || buf_append(&c->in, data, n) != 0)
    return CURL_WRITEFUNC_ERROR;
  /* the body of a refusal is a Status, no line of the stream */
  if (c->is_stream && !c->is_fresh && is_success(c)) {
    c->is_fresh = true;
    c->fresh_next = c->client->fresh;
    c->client->fresh = c;
  }
  return n;
}

/* The body by a function that cannot go back, so that libcurl cannot send it again: on a reused connection that ended
 * without an answer it would, and a request that was carried out would be carried out twice. */
static size_t on_body(char *out, size_t one, size_t room, void *arg) {
  KubeCall *c = arg;
  size_t n = c->body_len - c->body_sent < room ? c->body_len - c->body_sent : room;
  memcpy(out, c->body + c->body_sent, n);
  c->body_sent += n;
  return n;
}

/* ---- handing on ---- */

/* All whole lines of a stream. */
static void dispatch(KubeCall *c) {
  size_t done = 0;
  c->dispatching = true;
  while (!c->cancelled) {
    uint8_t *start = c->in.data + done;
    uint8_t *end = memchr(start, '\n', c->in.len - done);
    if (!end)
      break;
    json_t *value = kube_json_parse((char *)start, (size_t)(end - start));
    done = (size_t)(end - c->in.data) + 1;
    if (!value)
      continue; /* a blank line, or one that no API server writes: the resync makes up for it */
    c->events->on_line(c->arg, value);
    json_decref(value);
  }
  c->dispatching = false;
  if (c->cancelled)
    return call_free(c);
  buf_consume(&c->in, done);
}

/* The Date was written between the request's begin and now, and is cut to seconds. */
static void note_date(KubeCall *c) {
  struct curl_header *date;
  if (c->is_stream || curl_easy_header(c->easy, "Date", 0, CURLH_HEADER, -1, &date) != CURLHE_OK)
    return;
  time_t at = curl_getdate(date->value, NULL);
  if (at < 0)
    return;
  int64_t now = clock_wall_ms(), begun = now - (clock_mono_us() - c->begun_us) / 1000, server = (int64_t)at * 1000;
  c->client->has_skew = true;
  c->client->skew_ms = server > now ? server - now : server + 999 < begun ? server + 999 - begun : 0;
}

static void finish(KubeCall *c, CURLcode code) {
  KubeClient *k = c->client;
  long status = 0;
  curl_off_t retry_after = 0;
  Error err = {0};
  curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
  curl_easy_getinfo(c->easy, CURLINFO_RETRY_AFTER, &retry_after);
  long version = 0;
  curl_easy_getinfo(c->easy, CURLINFO_HTTP_VERSION, &version);
  /* what is between us and the API server may not know HTTP/2; a watch has a connection to itself then */
  if (status > 0)
    kube_multi_share(&k->multi, version == CURL_HTTP_VERSION_2_0);
  note_date(c);
  bool ok = status >= 200 && status < 300;
  KUBE_OWNED json_t *body = c->in.len && (!c->is_stream || !ok) ? kube_json_parse((char *)c->in.data, c->in.len) : NULL;
  if (code == CURLE_OPERATION_TIMEDOUT) {
    error_set(&err, ERROR_DEADLINE_EXCEEDED, "%s %s: no answer in time", c->method, c->path);
  } else if (code == CURLE_WRITE_ERROR) {
    error_set(&err, ERROR_UNAVAILABLE, "%s %s: the answer is too large", c->method, c->path);
  } else if (code != CURLE_OK && !(c->is_stream && ok)) {
    error_set(&err, ERROR_UNAVAILABLE, "%s %s: %s", c->method, c->path, curl_easy_strerror(code));
  } else if (!ok) {
    kube_status_error(&err, (int)status, body, c->path);
    if (retry_after > 0)
      err.retry_after_ms = (uint32_t)(retry_after > 3600 ? 3600 : retry_after) * 1000;
  } else if (!c->is_stream && !body) {
    error_set(&err, ERROR_UNAVAILABLE, "%s %s: the answer is not JSON", c->method, c->path);
  }
  if (k->options.on_done)
    k->options.on_done(k->options.arg, c->is_stream ? "WATCH" : c->method, c->path, status,
                       clock_mono_us() - c->begun_us);
  bool failed = err.kind != ERROR_NONE;
  KubeDoneFn fn = c->fn;
  const KubeStreamEvents *events = c->events;
  void *arg = c->arg;
  call_free(c);
  if (events)
    events->on_end(arg, failed ? &err : NULL);
  else
    fn(arg, failed ? NULL : body, failed ? &err : NULL);
}

static void pump(void *arg) {
  KubeClient *k = arg;
  while (k->fresh) {
    KubeCall *c = k->fresh;
    k->fresh = c->fresh_next;
    c->is_fresh = false;
    dispatch(c);
  }
  int left;
  CURLMsg *m;
  while ((m = curl_multi_info_read(k->multi.curl, &left))) {
    if (m->msg != CURLMSG_DONE)
      continue;
    KubeCall *c;
    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
    finish(c, m->data.result);
  }
  kube_lanes_look(k->lanes);
}

/* ---- starting ---- */

static void start(KubeClient *k, KubeCall *c) {
  const char *authorization = kube_endpoint_authorization(&k->endpoint);
  if (authorization)
    c->headers = curl_slist_append(c->headers, authorization);
  CURL *e = c->easy = curl_easy_init();
  if (!e)
    abort();
  kube_endpoint_set(&k->endpoint, e, c->path);
  if (c->body) {
    curl_easy_setopt(e, CURLOPT_POST, 1L);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body_len);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_READDATA, c);
  }
  curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, c->method);
  curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers);
  curl_easy_setopt(e, CURLOPT_USERAGENT, k->options.user_agent);
  curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_data);
  curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
  curl_easy_setopt(e, CURLOPT_PRIVATE, c);
  if (c->is_stream) {
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(e, CURLOPT_LOW_SPEED_TIME, SILENCE_S);
  } else {
    curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, (long)c->timeout_ms);
    kube_lanes_began(k->lanes, &c->turn);
  }
  c->begun_us = clock_mono_us();
  if (!c->is_stream && k->options.on_begin)
    k->options.on_begin(k->options.arg, c->method, c->begun_us - c->asked_us);
  link_running(k, c);
  if (curl_multi_add_handle(k->multi.curl, e) != CURLM_OK)
    abort();
}

/* Ends a call that gets no answer any more; freed first, for who hears of it may ask anew. */
static void call_abandon(KubeCall *c, const Error *err) {
  KubeDoneFn fn = c->fn;
  const KubeStreamEvents *events = c->events;
  void *arg = c->arg;
  call_free(c);
  if (events)
    events->on_end(arg, err);
  else
    fn(arg, NULL, err);
}

static void on_turn(void *arg, KubeTurn *turn) {
  start(arg, (KubeCall *)turn);
}

static void on_refused(void *arg, KubeTurn *turn) {
  const Error err = {.kind = ERROR_UNAVAILABLE, .message = "not sent: this replica leads no longer"};
  call_abandon((KubeCall *)turn, &err);
}

static const KubeLaneEvents LANE_EVENTS = {.start = on_turn, .refuse = on_refused};

static KubeCall *call_new(KubeClient *k, const char *method, const char *path, void *arg) {
  KubeCall *c = new0(KubeCall);
  *c = (KubeCall){.client = k, .path = str_dup(path), .arg = arg};
  for (size_t i = 0; i < ARRAY_LEN(METHODS); i++)
    if (strcmp(method, METHODS[i]) == 0)
      c->method = METHODS[i];
  if (!c->method)
    abort();
  c->headers = curl_slist_append(c->headers, "Accept: application/json");
  c->headers = curl_slist_append(c->headers, "Expect:");
  return c;
}

void kube_request(KubeClient *k, const KubeRequest *r, KubeDoneFn fn, void *arg) {
  KubeCall *c = call_new(k, r->method, r->path, arg);
  c->fn = fn;
  c->in = BUF_INIT(KUBE_BODY_MAX);
  c->timeout_ms = r->timeout_ms > 0 ? r->timeout_ms : k->options.timeout_ms;
  if (r->body) {
    const char *type = r->content_type                   ? r->content_type
                       : strcmp(c->method, "PATCH") == 0 ? "application/merge-patch+json"
                                                         : "application/json";
    CLEANUP(str_freep) char *header = str_printf("Content-Type: %s", type);
    c->headers = curl_slist_append(c->headers, header);
    c->body = json_dumps(r->body, JSON_COMPACT);
    if (!c->body)
      abort();
    c->body_len = strlen(c->body);
  }
  c->turn = (KubeTurn){.is_patient = r->patient, .is_urgent = r->urgent, .is_fenced = r->fenced};
  if (r->urgent)
    return start(k, c);
  kube_lanes_wait(k->lanes, &c->turn);
}

KubeCall *kube_stream(KubeClient *k, const char *path, const KubeStreamEvents *events, void *arg) {
  KubeCall *c = call_new(k, "GET", path, arg);
  c->is_stream = true;
  c->in = BUF_INIT(KUBE_LINE_MAX);
  c->events = events;
  start(k, c);
  return c;
}

void kube_stream_cancel(KubeCall *c) {
  if (!c)
    return;
  c->cancelled = true;
  if (c->dispatching)
    return;
  KubeCall **at = &c->client->fresh;
  while (c->is_fresh && *at != c)
    at = &(*at)->fresh_next;
  if (c->is_fresh)
    *at = c->fresh_next;
  call_free(c);
}

/* ---- life ---- */

const KubeConfig *kube_client_config(const KubeClient *k) {
  return k->endpoint.config;
}

bool kube_client_is_idle(const KubeClient *k) {
  return !k->running && !kube_lanes_any(k->lanes);
}

bool kube_client_skew(const KubeClient *k, int64_t *ret_ms) {
  *ret_ms = k->skew_ms;
  return k->has_skew;
}

KubeClient *kube_client_new(Loop *loop, const KubeConfig *config, const KubeOptions *options, Error *err) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
    error_set(err, ERROR_INTERNAL, "libcurl does not start");
    return NULL;
  }
  KubeClient *k = new0(KubeClient);
  k->options = *options;
  if (kube_endpoint_init(&k->endpoint, loop, config, err) != 0) {
    free(k);
    curl_global_cleanup();
    return NULL;
  }
  if (k->options.max_in_flight <= 0)
    k->options.max_in_flight = KUBE_IN_FLIGHT;
  if (k->options.timeout_ms <= 0)
    k->options.timeout_ms = KUBE_TIMEOUT_MS;
  if (k->options.burst < 1)
    k->options.burst = 1;
  kube_multi_init(&k->multi, loop, pump, k);
  /* else all that were under way when a connection broke would come back on one of their own each */
  if (kube_endpoint_has_tls(&k->endpoint))
    kube_multi_share(&k->multi, true);
  k->lanes = kube_lanes_new(loop, &k->options, &LANE_EVENTS, k);
  return k;
}

void kube_client_free(KubeClient *k) {
  if (!k)
    return;
  kube_lanes_close(k->lanes);
  k->fresh = NULL;
  const Error going = {.kind = ERROR_CANCELLED, .message = "the client is going"};
  KubeCall *c;
  while ((c = (KubeCall *)kube_lanes_any(k->lanes)) || (c = k->running))
    // NOLINTNEXTLINE(clang-analyzer-unix.Malloc): a call that is freed has left the lanes, and `running` by c->at
    call_abandon(c, &going);
  kube_multi_deinit(&k->multi);
  kube_lanes_free(k->lanes);
  kube_endpoint_deinit(&k->endpoint);
  free(k);
  curl_global_cleanup();
}
