/* See kube_client.h.
 *
 * Invariant: nothing of ours that a user's callback may reach runs inside libcurl. What libcurl delivers is
 * only noted (buffers, the list `fresh`), and handed on once libcurl has returned: so a callback may start and
 * cancel whatever it likes.
 */
#include "lib/kube/kube_client.h"

#include <curl/curl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/kube/kube_json.h"
#include "lib/kube/kube_lanes.h"
#include "lib/kube/kube_status.h"

/* client-go's and the kubelet's habit: a projected token is renewed long before it ends. */
#define TOKEN_MS 60000
/* A watch says something (a bookmark at the latest) each minute; twice that without a byte is a dead connection. */
#define SILENCE_S 130L
#define CONNECT_MS 5000L
#define UNACKNOWLEDGED_MS 30000
/* One, and another when that has as many streams as the server allows, or is ending. */
#define HOST_CONNECTIONS 2L

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
  Loop *loop;
  const KubeConfig *config;
  KubeOptions options;
  CURLM *multi;
  LoopTimer *timer;
  KubeLanes *lanes;
  KubeCall *running, *fresh;
  int64_t token_read_ms;
  char *authorization;           /* the header; NULL: none */
  char *server;                  /* the config's, with server_name in the host's place */
  struct curl_slist *connect_to; /* where that is then; NULL: where it says */
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
    curl_multi_remove_handle(c->client->multi, c->easy);
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

static void pump(KubeClient *k);

typedef struct Socket {
  KubeClient *k;
  LoopFd *fd;
  int number;
} Socket;

static void on_fd(int events, void *arg) {
  Socket *s = arg;
  KubeClient *k = s->k;
  int flags = (events & LOOP_READ ? CURL_CSELECT_IN : 0) | (events & LOOP_WRITE ? CURL_CSELECT_OUT : 0);
  int running;
  curl_multi_socket_action(k->multi, s->number, flags, &running);
  pump(k);
}

static int on_socket(CURL *easy, curl_socket_t fd, int what, void *arg, void *of_fd) {
  KubeClient *k = arg;
  Socket *s = of_fd;
  if (what == CURL_POLL_REMOVE) {
    if (s)
      loop_fd_free(s->fd);
    free(s);
    curl_multi_assign(k->multi, fd, NULL);
    return 0;
  }
  int events = (what != CURL_POLL_OUT ? LOOP_READ : 0) | (what != CURL_POLL_IN ? LOOP_WRITE : 0);
  if (s) {
    loop_fd_set(s->fd, events);
    return 0;
  }
  s = xcalloc(1, sizeof *s);
  *s = (Socket){.k = k, .number = fd};
  s->fd = loop_fd_new(k->loop, fd, events, on_fd, s);
  curl_multi_assign(k->multi, fd, s);
  return 0;
}

static int on_timer_wanted(CURLM *multi, long ms, void *arg) {
  KubeClient *k = arg;
  if (ms < 0)
    loop_timer_stop(k->timer);
  else
    loop_timer_start(k->timer, ms);
  return 0;
}

static void on_timer(void *arg) {
  KubeClient *k = arg;
  int running;
  curl_multi_socket_action(k->multi, CURL_SOCKET_TIMEOUT, 0, &running);
  pump(k);
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

/* What is between us and the API server may not know HTTP/2; a watch has a connection to itself then. */
static void hold_connections(KubeClient *k, long version) {
  curl_multi_setopt(k->multi, CURLMOPT_MAX_HOST_CONNECTIONS, version == CURL_HTTP_VERSION_2_0 ? HOST_CONNECTIONS : 0L);
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
  if (status > 0)
    hold_connections(k, version);
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

static void pump(KubeClient *k) {
  while (k->fresh) {
    KubeCall *c = k->fresh;
    k->fresh = c->fresh_next;
    c->is_fresh = false;
    dispatch(c);
  }
  int left;
  CURLMsg *m;
  while ((m = curl_multi_info_read(k->multi, &left))) {
    if (m->msg != CURLMSG_DONE)
      continue;
    KubeCall *c;
    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
    finish(c, m->data.result);
  }
  kube_lanes_look(k->lanes);
}

/* ---- starting ---- */

static void read_token(KubeClient *k) {
  const KubeConfig *c = k->config;
  int64_t now = clock_mono_ms();
  if (k->authorization && (!*c->token_file || now - k->token_read_ms < TOKEN_MS))
    return;
  if (!*c->token_file && !*c->token)
    return;
  CLEANUP(buf_deinit) Buf b = BUF_INIT(1 << 20);
  /* a token file that is being replaced may be missing for a moment: the old token still serves */
  if (*c->token_file && kube_config_read_file(c->token_file, &b, NULL) != 0)
    return;
  const char *token = *c->token_file ? buf_str(&b) : c->token;
  free(k->authorization);
  k->authorization = str_printf("Authorization: Bearer %.*s", (int)strcspn(token, "\r\n"), token);
  k->token_read_ms = now;
}

static void set_tls(KubeClient *k, CURL *e) {
  const KubeConfig *c = k->config;
  const struct {
    CURLoption option;
    const char *pem;
  } blobs[] = {
      {CURLOPT_CAINFO_BLOB, c->ca_pem}, {CURLOPT_SSLCERT_BLOB, c->cert_pem}, {CURLOPT_SSLKEY_BLOB, c->key_pem}};
  for (size_t i = 0; i < ARRAY_LEN(blobs); i++) {
    struct curl_blob blob = {.data = (char *)blobs[i].pem, .len = strlen(blobs[i].pem), .flags = CURL_BLOB_NOCOPY};
    if (blob.len)
      curl_easy_setopt(e, blobs[i].option, &blob);
  }
  if (k->connect_to)
    curl_easy_setopt(e, CURLOPT_CONNECT_TO, k->connect_to);
  if (c->insecure) {
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

/* A peer that is silently gone (a node that lost its power) is noticed by what it no longer acknowledges; else each
 * request would wait for its own time limit, on the same dead connection, for a quarter of an hour. */
static int on_new_socket(void *arg, curl_socket_t fd, curlsocktype what) {
  unsigned int ms = UNACKNOWLEDGED_MS;
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
  return CURL_SOCKOPT_OK;
}

static void start(KubeClient *k, KubeCall *c) {
  CLEANUP(str_freep) char *url = str_printf("%s%s", k->server, c->path);
  read_token(k);
  if (k->authorization)
    c->headers = curl_slist_append(c->headers, k->authorization);
  CURL *e = c->easy = curl_easy_init();
  if (!e)
    abort();
  curl_easy_setopt(e, CURLOPT_URL, url);
  curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
  if (c->body) {
    curl_easy_setopt(e, CURLOPT_POST, 1L);
    curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)c->body_len);
    curl_easy_setopt(e, CURLOPT_READFUNCTION, on_body);
    curl_easy_setopt(e, CURLOPT_READDATA, c);
  }
  curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, c->method);
  curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers);
  curl_easy_setopt(e, CURLOPT_USERAGENT, k->options.user_agent);
  curl_easy_setopt(e, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
  /* rather the one connection than a new one; without TLS there is only HTTP/1.1: it would wait for a watch's end */
  curl_easy_setopt(e, CURLOPT_PIPEWAIT, (long)str_starts_with(k->server, "https://"));
  curl_easy_setopt(e, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(e, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(e, CURLOPT_TCP_KEEPIDLE, 30L);
  curl_easy_setopt(e, CURLOPT_TCP_KEEPINTVL, 10L);
  curl_easy_setopt(e, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
  curl_easy_setopt(e, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
  curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(e, CURLOPT_PROXY, "");
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
  set_tls(k, e);
  c->begun_us = clock_mono_us();
  if (!c->is_stream && k->options.on_begin)
    k->options.on_begin(k->options.arg, c->method, c->begun_us - c->asked_us);
  link_running(k, c);
  if (curl_multi_add_handle(k->multi, e) != CURLM_OK)
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
  return k->config;
}

bool kube_client_is_idle(const KubeClient *k) {
  return !k->running && !kube_lanes_any(k->lanes);
}

bool kube_client_skew(const KubeClient *k, int64_t *ret_ms) {
  *ret_ms = k->skew_ms;
  return k->has_skew;
}

/* libcurl expects the URL's host in the certificate: so the URL names what is expected, and the connection is made to
 * the host that the config says. */
static int set_server(KubeClient *k, Error *err) {
  const KubeConfig *c = k->config;
  if (!*c->server_name) {
    k->server = str_dup(c->server);
    return 0;
  }
  CURLU *url = curl_url();
  char *host = NULL, *port = NULL, *renamed = NULL;
  if (curl_url_set(url, CURLUPART_URL, c->server, 0) == CURLUE_OK &&
      curl_url_get(url, CURLUPART_HOST, &host, 0) == CURLUE_OK &&
      curl_url_get(url, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT) == CURLUE_OK &&
      curl_url_set(url, CURLUPART_HOST, c->server_name, 0) == CURLUE_OK &&
      curl_url_get(url, CURLUPART_URL, &renamed, 0) == CURLUE_OK) {
    size_t n = strlen(renamed);
    while (n > 0 && renamed[n - 1] == '/')
      n--;
    k->server = str_ndup(renamed, n);
    CLEANUP(str_freep) char *to = str_printf("::%s:%s", host, port);
    k->connect_to = curl_slist_append(NULL, to);
  }
  curl_free(host);
  curl_free(port);
  curl_free(renamed);
  curl_url_cleanup(url);
  if (k->server)
    return 0;
  return error_set(err, ERROR_INVALID_ARGUMENT, "%s with tls-server-name %s is no URL", c->server, c->server_name);
}

KubeClient *kube_client_new(Loop *loop, const KubeConfig *config, const KubeOptions *options, Error *err) {
  if (curl_global_init(CURL_GLOBAL_DEFAULT) != 0) {
    error_set(err, ERROR_INTERNAL, "libcurl does not start");
    return NULL;
  }
  KubeClient *k = new0(KubeClient);
  *k = (KubeClient){.loop = loop, .config = config, .options = *options, .multi = curl_multi_init()};
  if (!k->multi)
    abort();
  if (set_server(k, err) != 0) {
    curl_multi_cleanup(k->multi);
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
  k->timer = loop_timer_new(loop, on_timer, k);
  loop_timer_hold_not(k->timer);
  k->lanes = kube_lanes_new(loop, &k->options, &LANE_EVENTS, k);
  curl_multi_setopt(k->multi, CURLMOPT_SOCKETFUNCTION, on_socket);
  curl_multi_setopt(k->multi, CURLMOPT_SOCKETDATA, k);
  curl_multi_setopt(k->multi, CURLMOPT_TIMERFUNCTION, on_timer_wanted);
  curl_multi_setopt(k->multi, CURLMOPT_TIMERDATA, k);
  curl_multi_setopt(k->multi, CURLMOPT_PIPELINING, CURLPIPE_MULTIPLEX);
  /* else all that were under way when a connection broke would come back on one of their own each */
  if (str_starts_with(k->server, "https://"))
    curl_multi_setopt(k->multi, CURLMOPT_MAX_HOST_CONNECTIONS, HOST_CONNECTIONS);
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
  curl_multi_cleanup(k->multi);
  loop_timer_free(k->timer);
  kube_lanes_free(k->lanes);
  if (k->authorization)
    explicit_bzero(k->authorization, strlen(k->authorization));
  free(k->authorization);
  free(k->server);
  curl_slist_free_all(k->connect_to);
  free(k);
  curl_global_cleanup();
}
