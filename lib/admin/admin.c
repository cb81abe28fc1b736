/* See admin.h. */
#include "lib/admin/admin.h"

#include <event2/buffer.h>
#include <event2/event.h>
#include <event2/http.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/address.h"
#include "lib/base/alloc.h"
#include "lib/base/str.h"

/* Scrapers and probes send a request line and a few headers, and no body. */
#define MAX_HEAD_BYTES 8192
#define TIMEOUT_S 10

struct Admin {
  struct evhttp *http;
  Metrics *metrics;
  const char *unready;
  void (*scrape_fn)(void *arg);
  void *scrape_arg;
};

static void answer(struct evhttp_request *req, int status, const char *type, const char *text, size_t len) {
  struct evkeyvalq *headers = evhttp_request_get_output_headers(req);
  struct evbuffer *body = evbuffer_new();
  bool head = evhttp_request_get_command(req) == EVHTTP_REQ_HEAD;
  if (!body || (!head && evbuffer_add(body, text, len)))
    abort();
  evhttp_add_header(headers, "Content-Type", type);
  if (head) {
    /* evhttp would send the body all the same, and the client take it for the next answer */
    CLEANUP(str_freep) char *length = str_printf("%zu", len);
    evhttp_add_header(headers, "Content-Length", length);
  }
  evhttp_send_reply(req, status, NULL, body);
  evbuffer_free(body);
}

static void answer_text(struct evhttp_request *req, int status, const char *text) {
  answer(req, status, "text/plain; charset=utf-8", text, strlen(text));
}

static void on_metrics(struct evhttp_request *req, void *arg) {
  Admin *admin = arg;
  if (admin->scrape_fn)
    admin->scrape_fn(admin->scrape_arg);
  Buf text = BUF_INIT(0);
  if (metrics_write(admin->metrics, &text))
    answer_text(req, HTTP_INTERNAL, "the metrics do not fit\n");
  else
    answer(req, HTTP_OK, "text/plain; version=0.0.4; charset=utf-8", buf_str(&text), text.len);
  buf_deinit(&text);
}

static void on_healthz(struct evhttp_request *req, void *arg) {
  answer_text(req, HTTP_OK, "ok\n");
}

static void on_readyz(struct evhttp_request *req, void *arg) {
  Admin *admin = arg;
  if (!admin->unready)
    return answer_text(req, HTTP_OK, "ok\n");
  Buf text = BUF_INIT(0);
  if (buf_printf(&text, "%s\n", admin->unready))
    abort();
  answer(req, HTTP_SERVUNAVAIL, "text/plain; charset=utf-8", buf_str(&text), text.len);
  buf_deinit(&text);
}

static void on_other(struct evhttp_request *req, void *arg) {
  answer_text(req, HTTP_NOTFOUND, "not found; there are /metrics, /healthz and /readyz\n");
}

/* false: it is no address of TCP. */
static bool is_tcp(const char *address, Address *ret_at) {
  return address_parse(address, ret_at, NULL) == 0 && ret_at->kind == ADDRESS_TCP;
}

int admin_port(const char *address) {
  Address at;
  return is_tcp(address, &at) ? at.port : -1;
}

int admin_listen(Admin *admin, const char *address, Error *err) {
  Address at;
  if (!is_tcp(address, &at))
    return error_set(err, ERROR_INVALID_ARGUMENT, "admin listener: '%s' is not host:port", address);
  if (evhttp_bind_socket(admin->http, *at.host ? at.host : "0.0.0.0", at.port))
    return error_set(err, ERROR_UNAVAILABLE,
                     "admin listener: cannot listen on %s (is the port taken? see --admin-address)", address);
  return 0;
}

Admin *admin_new(Loop *loop, const char *address, Metrics *metrics, Error *err) {
  Admin *admin = new0(Admin);
  admin->metrics = metrics;
  admin->http = evhttp_new(loop_base(loop));
  if (!admin->http)
    abort();
  if (admin_listen(admin, address, err) != 0) {
    admin_free(admin);
    return NULL;
  }
  evhttp_set_allowed_methods(admin->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
  evhttp_set_max_headers_size(admin->http, MAX_HEAD_BYTES);
  evhttp_set_max_body_size(admin->http, 0);
  evhttp_set_timeout(admin->http, TIMEOUT_S);
  evhttp_set_cb(admin->http, "/metrics", on_metrics, admin);
  evhttp_set_cb(admin->http, "/healthz", on_healthz, admin);
  evhttp_set_cb(admin->http, "/readyz", on_readyz, admin);
  evhttp_set_gencb(admin->http, on_other, admin);
  return admin;
}

void admin_free(Admin *admin) {
  if (!admin)
    return;
  evhttp_free(admin->http);
  free(admin);
}

void admin_set_unready(Admin *admin, const char *reason) {
  admin->unready = reason;
}

void admin_on_scrape(Admin *admin, void (*fn)(void *arg), void *arg) {
  admin->scrape_fn = fn;
  admin->scrape_arg = arg;
}
