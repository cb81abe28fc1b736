/* See https_conn.h. */
#include "lib/https/https_conn.h"

#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <event2/http.h>
#include <event2/listener.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "lib/base/alloc.h"

struct HttpsConns {
  Loop *loop;
  struct evconnlistener *listener; /* NULL: the server is gone */
  int n, max;
  int refs; /* the server's, and one a connection */
  int64_t request_timeout_ms, idle_timeout_ms;
};

typedef struct Conn {
  HttpsConns *conns;
  SSL *ssl;
  LoopTimer *deadline;
  bool idle; /* between an answer and the next request */
} Conn;

/* OpenSSL numbers what its objects carry once a process; a constant once it is known. */
static pthread_once_t once = PTHREAD_ONCE_INIT;
static int conn_index;

static void unref(HttpsConns *conns) {
  if (--conns->refs == 0)
    free(conns);
}

/* The SSL, and with it the connection, is being freed. */
static void on_ssl_free(void *ssl, void *ptr, CRYPTO_EX_DATA *data, int index, long argl, void *argp) {
  Conn *conn = ptr;
  if (!conn)
    return;
  HttpsConns *conns = conn->conns;
  conns->n--;
  if (conns->listener)
    evconnlistener_enable(conns->listener);
  loop_timer_free(conn->deadline);
  free(conn);
  unref(conns);
}

static void make_index(void) {
  conn_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, on_ssl_free);
  if (conn_index < 0)
    abort();
}

/* To evhttp it looks as if the client had gone. */
static void on_deadline(void *arg) {
  Conn *conn = arg;
  int fd = SSL_get_fd(conn->ssl);
  if (fd >= 0)
    shutdown(fd, SHUT_RDWR);
}

static void on_input(struct evbuffer *input, const struct evbuffer_cb_info *info, void *arg) {
  Conn *conn = arg;
  if (!conn->idle || info->n_added == 0)
    return;
  conn->idle = false;
  loop_timer_start(conn->deadline, conn->conns->request_timeout_ms);
}

HttpsConns *https_conns_new(Loop *loop, int max, int64_t request_timeout_ms, int64_t idle_timeout_ms) {
  pthread_once(&once, make_index);
  HttpsConns *conns = new0(HttpsConns);
  *conns = (HttpsConns){.loop = loop,
                        .max = max,
                        .refs = 1,
                        .request_timeout_ms = request_timeout_ms,
                        .idle_timeout_ms = idle_timeout_ms};
  return conns;
}

void https_conns_release(HttpsConns *conns) {
  conns->listener = NULL;
  unref(conns);
}

void https_conns_set_listener(HttpsConns *conns, struct evconnlistener *listener) {
  conns->listener = listener;
}

struct bufferevent *https_conns_accept(HttpsConns *conns, Tls *tls) {
  Conn *conn = new0(Conn);
  SSL *ssl = tls_connection(tls, NULL, NULL);
  if (!SSL_set_ex_data(ssl, conn_index, conn))
    abort();
  *conn = (Conn){.conns = conns, .ssl = ssl, .deadline = loop_timer_new(conns->loop, on_deadline, conn)};
  conns->refs++;
  if (++conns->n >= conns->max && conns->listener)
    evconnlistener_disable(conns->listener);
  struct bufferevent *bev =
      bufferevent_openssl_socket_new(loop_base(conns->loop), -1, ssl, BUFFEREVENT_SSL_ACCEPTING, BEV_OPT_CLOSE_ON_FREE);
  if (!bev || !evbuffer_add_cb(bufferevent_get_input(bev), on_input, conn))
    abort();
  /* a body's length is known from HTTP, so a connection that ends without TLS's goodbye cuts nothing unseen */
  bufferevent_openssl_set_allow_dirty_shutdown(bev, 1);
  loop_timer_start(conn->deadline, conns->request_timeout_ms);
  return bev;
}

static void on_answered(struct evhttp_request *req, void *arg) {
  Conn *conn = arg;
  conn->idle = true;
  loop_timer_start(conn->deadline, conn->conns->idle_timeout_ms);
}

void https_conn_answering(struct evhttp_request *req) {
  struct bufferevent *bev = evhttp_connection_get_bufferevent(evhttp_request_get_connection(req));
  Conn *conn = SSL_get_ex_data(bufferevent_openssl_get_ssl(bev), conn_index);
  conn->idle = false;
  loop_timer_start(conn->deadline, conn->conns->request_timeout_ms);
  evhttp_request_set_on_complete_cb(req, on_answered, conn);
}
