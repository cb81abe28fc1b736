/* See https_server.h. */
#include "lib/https/https_server.h"

#include <event2/buffer.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/address.h"
#include "lib/base/str.h"
#include "lib/crypto/tls.h"
#include "lib/https/https_conn.h"

/* Request line and fields: the API server sends a few hundred bytes. */
enum { MAX_HEAD_BYTES = 16 << 10 };

struct HttpsServer {
  struct evhttp *http;
  HttpsConns *conns;
  Tls *tls;
  const HttpsRoute *routes;
  size_t n_routes;
  void *arg;
  uint16_t port;
};

/* All that evhttp knows. CONNECT and unknown ones are answered 501 by evhttp. */
static const struct {
  enum evhttp_cmd_type type;
  const char *name;
} METHODS[] = {
    {EVHTTP_REQ_GET, "GET"},         {EVHTTP_REQ_POST, "POST"},   {EVHTTP_REQ_HEAD, "HEAD"},
    {EVHTTP_REQ_PUT, "PUT"},         {EVHTTP_REQ_PATCH, "PATCH"}, {EVHTTP_REQ_DELETE, "DELETE"},
    {EVHTTP_REQ_OPTIONS, "OPTIONS"}, {EVHTTP_REQ_TRACE, "TRACE"},
};

static const char *method_name(enum evhttp_cmd_type type) {
  for (size_t i = 0; i < ARRAY_LEN(METHODS); i++)
    if (METHODS[i].type == type)
      return METHODS[i].name;
  return "";
}

static void free_body(const void *data, size_t len, void *arg) {
  free((void *)data);
}

/* Takes the reply's body. */
static void send_reply(struct evhttp_request *req, HttpsReply *reply) {
  struct evbuffer *body = evbuffer_new();
  struct evkeyvalq *fields = evhttp_request_get_output_headers(req);
  if (!body)
    abort();
  if (evhttp_request_get_command(req) == EVHTTP_REQ_HEAD) {
    /* evhttp would send it, and the client take it for the next answer */
    CLEANUP(str_freep) char *length = str_printf("%zu", reply->body.len);
    evhttp_add_header(fields, "Content-Length", length);
    buf_deinit(&reply->body);
  } else if (reply->body.len) {
    if (evbuffer_add_reference(body, reply->body.data, reply->body.len, free_body, NULL))
      abort();
  } else {
    buf_deinit(&reply->body);
  }
  evhttp_add_header(fields, "Content-Type", reply->content_type ? reply->content_type : "application/json");
  https_conn_answering(req);
  evhttp_send_reply(req, reply->status, NULL, body);
  evbuffer_free(body);
}

static void send_text(struct evhttp_request *req, int status, const char *text) {
  HttpsReply reply = {.status = status, .content_type = "text/plain; charset=utf-8", .body = BUF_INIT(0)};
  if (buf_append_str(&reply.body, text))
    abort();
  send_reply(req, &reply);
}

static void handle(const HttpsServer *server, const HttpsRoute *route, struct evhttp_request *req) {
  struct evbuffer *input = evhttp_request_get_input_buffer(req);
  const struct evhttp_uri *uri = evhttp_request_get_evhttp_uri(req);
  HttpsReply reply = {.status = HTTP_OK, .body = BUF_INIT(0)};
  HttpsRequest in = {.method = route->method,
                     .path = route->path,
                     .query = evhttp_uri_get_query(uri),
                     .content_type = evhttp_find_header(evhttp_request_get_input_headers(req), "Content-Type"),
                     .body_len = evbuffer_get_length(input)};
  /* of an empty buffer it is NULL */
  in.body = evbuffer_pullup(input, -1);
  if (!in.body)
    in.body = (const uint8_t *)"";
  route->handle(server->arg, &in, &reply);
  send_reply(req, &reply);
}

static void on_request(struct evhttp_request *req, void *arg) {
  const HttpsServer *server = arg;
  const char *path = evhttp_uri_get_path(evhttp_request_get_evhttp_uri(req));
  const char *method = method_name(evhttp_request_get_command(req));
  Buf allowed = BUF_INIT(0);
  for (size_t i = 0; i < server->n_routes; i++) {
    const HttpsRoute *route = &server->routes[i];
    if (!str_equal(route->path, path))
      continue;
    if (str_equal(route->method, method)) {
      buf_deinit(&allowed);
      handle(server, route, req);
      return;
    }
    if (buf_printf(&allowed, "%s%s", allowed.len ? ", " : "", route->method))
      abort();
  }
  if (allowed.len) {
    evhttp_add_header(evhttp_request_get_output_headers(req), "Allow", buf_str(&allowed));
    send_text(req, HTTP_BADMETHOD, "this path has other methods\n");
  } else {
    send_text(req, HTTP_NOTFOUND, "there is nothing at this path\n");
  }
  buf_deinit(&allowed);
}

static struct bufferevent *on_accept(struct event_base *base, void *arg) {
  HttpsServer *server = arg;
  return https_conns_accept(server->conns, server->tls);
}

static int listen_on(HttpsServer *server, const char *address, Error *err) {
  Address at;
  if (address_parse(address, &at, err) || at.kind != ADDRESS_TCP)
    return error_set(err, ERROR_INVALID_ARGUMENT, "'%s' is not host:port", address);
  struct evhttp_bound_socket *bound =
      evhttp_bind_socket_with_handle(server->http, *at.host ? at.host : "0.0.0.0", at.port);
  if (!bound)
    return error_set(err, ERROR_UNAVAILABLE, "cannot listen on %s (is the port taken?)", address);
  https_conns_set_listener(server->conns, evhttp_bound_socket_get_listener(bound));
  struct sockaddr_in6 own = {0};
  socklen_t len = sizeof own;
  if (getsockname(evhttp_bound_socket_get_fd(bound), (struct sockaddr *)&own, &len))
    return error_set(err, ERROR_INTERNAL, "the listener on %s has no address", address);
  /* at the same place in both families */
  server->port = ntohs(own.sin6_port);
  return 0;
}

static TlsSource certificate(const char *cert_pem, const char *key_pem) {
  return (TlsSource){.cert = cert_pem, .key = key_pem, .protocols = "\x08http/1.1"};
}

HttpsServer *https_server_new(Loop *loop, const HttpsConfig *config, Error *err) {
  TlsSource source = certificate(config->cert_pem, config->key_pem);
  Tls *tls = tls_new(TLS_SERVER, &source, err);
  if (!tls)
    return NULL;
  HttpsServer *server = calloc(1, sizeof *server);
  if (!server || !(server->http = evhttp_new(loop_base(loop))))
    abort();
  server->tls = tls;
  server->routes = config->routes;
  server->n_routes = config->n_routes;
  server->arg = config->arg;
  server->conns = https_conns_new(loop, config->max_connections, config->request_timeout_ms, config->idle_timeout_ms);
  unsigned methods = 0;
  for (size_t i = 0; i < ARRAY_LEN(METHODS); i++)
    methods |= METHODS[i].type;
  evhttp_set_allowed_methods(server->http, (ev_uint16_t)methods);
  evhttp_set_max_headers_size(server->http, MAX_HEAD_BYTES);
  evhttp_set_max_body_size(server->http, (ev_ssize_t)config->max_body);
  /* a body that is too large is read to its end, unkept, so that the client sees the 413 and not a reset */
  evhttp_set_flags(server->http, EVHTTP_SERVER_LINGERING_CLOSE);
  /* behind our own deadlines, which always come first */
  int64_t longest =
      config->request_timeout_ms > config->idle_timeout_ms ? config->request_timeout_ms : config->idle_timeout_ms;
  evhttp_set_timeout(server->http, (int)(longest / 1000) + 10);
  evhttp_set_bevcb(server->http, on_accept, server);
  evhttp_set_gencb(server->http, on_request, server);
  if (listen_on(server, config->address, err)) {
    https_server_free(server);
    return NULL;
  }
  return server;
}

void https_server_free(HttpsServer *server) {
  if (!server)
    return;
  https_conns_release(server->conns);
  evhttp_free(server->http);
  tls_free(server->tls);
  free(server);
}

uint16_t https_server_port(const HttpsServer *server) {
  return server->port;
}

int https_server_set_certificate(HttpsServer *server, const char *cert_pem, const char *key_pem, Error *err) {
  TlsSource source = certificate(cert_pem, key_pem);
  return tls_load(server->tls, &source, err);
}
