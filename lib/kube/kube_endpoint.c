/* See kube_endpoint.h. */
#include "lib/kube/kube_endpoint.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/base/str.h"

/* client-go's and the kubelet's habit: a projected token is renewed long before it ends. */
#define TOKEN_MS 60000
#define CONNECT_MS 5000L
#define UNACKNOWLEDGED_MS 30000

static void read_token(KubeEndpoint *e) {
  const KubeConfig *c = e->config;
  int64_t now = loop_now_ms(e->loop);
  if (e->authorization && (!*c->token_file || now - e->token_read_ms < TOKEN_MS))
    return;
  if (!*c->token_file && !*c->token)
    return;
  CLEANUP(buf_deinit) Buf b = BUF_INIT(1 << 20);
  /* a token file that is being replaced may be missing for a moment: the old token still serves */
  if (*c->token_file && kube_config_read_file(c->token_file, &b, NULL) != 0)
    return;
  const char *token = *c->token_file ? buf_str(&b) : c->token;
  free(e->authorization);
  e->authorization = str_printf("Authorization: Bearer %.*s", (int)strcspn(token, "\r\n"), token);
  e->token_read_ms = now;
}

const char *kube_endpoint_authorization(KubeEndpoint *e) {
  read_token(e);
  return e->authorization;
}

static void set_tls(const KubeEndpoint *e, CURL *easy) {
  const KubeConfig *c = e->config;
  const struct {
    CURLoption option;
    const char *pem;
  } blobs[] = {
      {CURLOPT_CAINFO_BLOB, c->ca_pem}, {CURLOPT_SSLCERT_BLOB, c->cert_pem}, {CURLOPT_SSLKEY_BLOB, c->key_pem}};
  for (size_t i = 0; i < ARRAY_LEN(blobs); i++) {
    struct curl_blob blob = {.data = (char *)blobs[i].pem, .len = strlen(blobs[i].pem), .flags = CURL_BLOB_NOCOPY};
    if (blob.len)
      curl_easy_setopt(easy, blobs[i].option, &blob);
  }
  if (e->connect_to)
    curl_easy_setopt(easy, CURLOPT_CONNECT_TO, e->connect_to);
  if (c->insecure) {
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 0L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 0L);
  }
}

/* A peer that is silently gone (a node that lost its power) is noticed by what it no longer acknowledges; else each
 * request would wait for its own time limit, on the same dead connection, for a quarter of an hour. */
static int on_new_socket(void *arg, curl_socket_t fd, curlsocktype what) {
  unsigned int ms = UNACKNOWLEDGED_MS;
  setsockopt(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, &ms, sizeof ms);
  return CURL_SOCKOPT_OK;
}

bool kube_endpoint_has_tls(const KubeEndpoint *e) {
  return str_starts_with(e->server, "https://");
}

void kube_endpoint_set(const KubeEndpoint *e, CURL *easy, const char *path) {
  CLEANUP(str_freep) char *url = str_printf("%s%s", e->server, path);
  curl_easy_setopt(easy, CURLOPT_URL, url);
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTP_VERSION, CURL_HTTP_VERSION_2TLS);
  /* rather the one connection than a new one; without TLS there is only HTTP/1.1: it would wait for a watch's end */
  curl_easy_setopt(easy, CURLOPT_PIPEWAIT, (long)kube_endpoint_has_tls(e));
  curl_easy_setopt(easy, CURLOPT_TCP_NODELAY, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 10L);
  curl_easy_setopt(easy, CURLOPT_SOCKOPTFUNCTION, on_new_socket);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_PROXY, "");
  set_tls(e, easy);
}

/* libcurl expects the URL's host in the certificate: so the URL names what is expected, and the connection is made to
 * the host that the config says. */
static int set_server(KubeEndpoint *e, Error *err) {
  const KubeConfig *c = e->config;
  if (!*c->server_name) {
    e->server = str_dup(c->server);
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
    e->server = str_ndup(renamed, n);
    CLEANUP(str_freep) char *to = str_printf("::%s:%s", host, port);
    e->connect_to = curl_slist_append(NULL, to);
  }
  curl_free(host);
  curl_free(port);
  curl_free(renamed);
  curl_url_cleanup(url);
  if (e->server)
    return 0;
  return error_set(err, ERROR_INVALID_ARGUMENT, "%s with tls-server-name %s is no URL", c->server, c->server_name);
}

int kube_endpoint_init(KubeEndpoint *e, const Loop *loop, const KubeConfig *config, Error *err) {
  *e = (KubeEndpoint){.loop = loop, .config = config};
  return set_server(e, err);
}

void kube_endpoint_deinit(KubeEndpoint *e) {
  if (e->authorization)
    explicit_bzero(e->authorization, strlen(e->authorization));
  free(e->authorization);
  free(e->server);
  curl_slist_free_all(e->connect_to);
}
