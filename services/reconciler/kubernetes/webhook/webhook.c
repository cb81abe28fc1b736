/* See webhook.h. */
#include "services/reconciler/kubernetes/webhook/webhook.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/clock.h"
#include "lib/base/log.h"
#include "lib/base/str.h"
#include "lib/https/https_server.h"
#include "services/reconciler/kubernetes/conversion/conversion.h"
#include "services/reconciler/kubernetes/object/well_known.h"
#include "services/reconciler/kubernetes/webhook/webhook_certificates.h"

#define PATH "/convert"
/* An API server sends at most a page of objects; it refuses answers of more than 3 MiB itself for v1. */
#define MAX_BODY ((size_t)64 << 20)
#define MAX_CONNECTIONS 64
#define REQUEST_MS 30000
#define IDLE_MS 120000
/* How often the Secret is read again, and a failure is tried again. */
#define LOOK_MS 600000
#define RETRY_MS 3000

static const char *const DEFINITIONS[] = {"sandboxes." AGENTS_GROUP, "sandboxclaims." EXTENSIONS_GROUP,
                                          "sandboxtemplates." EXTENSIONS_GROUP, "sandboxwarmpools." EXTENSIONS_GROUP};

struct Webhook {
  Cluster *c;
  LoopTimer *timer;
  HttpsServer *server;
  WebhookNames names;
  char *host;
  char *secrets_path, *secret_path;
  WebhookCertificates found, wanted; /* in the Secret; about to be in force */
  json_t *secret;                    /* as read; NULL: there is none */
  size_t next;                       /* definition to be patched */
};

static void look(void *arg);

static void later(Webhook *w, const char *what, const Error *err) {
  if (err && err->kind == ERROR_CANCELLED)
    return;
  if (err)
    log_event(LOG_WARN, "webhook_not_set_up", LOG_STR("step", what), LOG_ERR(err));
  loop_timer_start(w->timer, err ? RETRY_MS : LOOK_MS);
}

/* ---- answering ---- */

static void convert(void *arg, const HttpsRequest *in, HttpsReply *out) {
  if (conversion_review((const char *)in->body, in->body_len, &out->body, NULL) == 0)
    return;
  out->status = 400;
  out->content_type = "text/plain; charset=utf-8";
  out->body.len = 0;
  if (buf_append_str(&out->body, "the body is no ConversionReview\n") != 0)
    out->body.len = 0;
}

static const HttpsRoute ROUTES[] = {{"POST", PATH, convert}};

static int serve(Webhook *w, Error *err) {
  const char *cert = buf_str(&w->wanted.cert), *key = buf_str(&w->wanted.key);
  const ReconcilerConfig *config = w->c->config;
  CLEANUP(str_freep) char *on_all = str_printf("0.0.0.0:%lld", (long long)config->webhook_port);
  const char *address = config->webhook_port ? on_all : config->webhook_address;
  if (w->server)
    return https_server_set_certificate(w->server, cert, key, err);
  w->server = https_server_new(w->c->loop,
                               &(HttpsConfig){.address = address,
                                              .cert_pem = cert,
                                              .key_pem = key,
                                              .routes = ROUTES,
                                              .n_routes = ARRAY_LEN(ROUTES),
                                              .arg = w,
                                              .max_body = MAX_BODY,
                                              .max_connections = MAX_CONNECTIONS,
                                              .request_timeout_ms = REQUEST_MS,
                                              .idle_timeout_ms = IDLE_MS},
                               err);
  if (w->server)
    log_event(LOG_INFO, "webhook_serves", LOG_STR("address", address));
  return w->server ? 0 : -1;
}

/* ---- the definitions ---- */

static void patch_next(Webhook *w);

static void on_patched(void *arg, json_t *object, const Error *err) {
  Webhook *w = arg;
  if (err && err->kind != ERROR_NOT_FOUND)
    return later(w, DEFINITIONS[w->next], err);
  w->next++;
  patch_next(w);
}

/* Where the API server finds us, and whom it trusts there; NULL: the definition says so already. */
static json_t *definition_patch(Webhook *w, const json_t *definition) {
  CLEANUP(buf_deinit) Buf ca = BUF_INIT(1 << 20);
  if (str_base64_encode(&ca, w->wanted.ca.data, w->wanted.ca.len, false) != 0)
    abort();
  json_t *client =
      *w->c->config->webhook_url
          ? json_pack("{s:s,s:s,s:n}", "caBundle", buf_str(&ca), "url", w->c->config->webhook_url, "service")
          : json_pack("{s:s,s:n,s:{s:s,s:s,s:s,s:i}}", "caBundle", buf_str(&ca), "url", "service", "namespace",
                      w->names.ns, "name", w->names.service, "path", PATH, "port", 443);
  const json_t *there = kube_get(definition, "spec.conversion.webhook");
  const json_t *now = json_object_get(there, "clientConfig");
  bool same = str_equal(kube_text(now, "caBundle"), buf_str(&ca)) &&
              str_equal(kube_text(now, "url"), kube_text(client, "url")) &&
              str_equal(kube_text(now, "service.name"), kube_text(client, "service.name")) &&
              str_equal(kube_text(now, "service.namespace"), kube_text(client, "service.namespace"));
  if (same) {
    json_decref(client);
    return NULL;
  }
  json_t *webhook = json_pack("{s:o}", "clientConfig", client);
  if (!json_object_get(there, "conversionReviewVersions"))
    json_object_set_new(webhook, "conversionReviewVersions", json_pack("[s,s]", "v1", "v1beta1"));
  return json_pack("{s:{s:{s:o}}}", "spec", "conversion", "webhook", webhook);
}

static char *definition_path(const Webhook *w) {
  return str_printf("/apis/apiextensions.k8s.io/v1/customresourcedefinitions/%s", DEFINITIONS[w->next]);
}

static void on_definition(void *arg, json_t *definition, const Error *err) {
  Webhook *w = arg;
  if (err && err->kind == ERROR_NOT_FOUND)
    return on_patched(w, NULL, NULL);
  if (err)
    return later(w, DEFINITIONS[w->next], err);
  bool ours = str_equal(kube_text(definition, "spec.conversion.strategy"), "Webhook");
  KUBE_OWNED json_t *patch = ours ? definition_patch(w, definition) : NULL;
  if (!patch)
    return on_patched(w, NULL, NULL);
  CLEANUP(str_freep) char *path = definition_path(w);
  kube_request(w->c->client, &(KubeRequest){.method = "PATCH", .path = path, .body = patch}, on_patched, w);
}

static void patch_next(Webhook *w) {
  Error err;
  if (w->next < ARRAY_LEN(DEFINITIONS)) {
    CLEANUP(str_freep) char *path = definition_path(w);
    return kube_request(w->c->client, &(KubeRequest){.method = "GET", .path = path}, on_definition, w);
  }
  /* a certificate that somebody replaces is served from the next look on; the old CA is still trusted then */
  if (serve(w, &err) != 0)
    return later(w, "listen", &err);
  later(w, NULL, NULL);
}

/* The definitions trust it before it is served. The first one is served at once: until then nothing answers at all. */
static void bring_into_force(Webhook *w, WebhookCertificates *certificates) {
  Error err;
  webhook_certificates_deinit(&w->wanted);
  w->wanted = *certificates;
  *certificates = (WebhookCertificates){0};
  if (!w->server && serve(w, &err) != 0)
    return later(w, "listen", &err);
  w->next = 0;
  patch_next(w);
}

/* ---- the Secret ---- */

static void on_written(void *arg, json_t *object, const Error *err) {
  Webhook *w = arg;
  /* another replica was first: look at what it wrote */
  if (err && (err->kind == ERROR_ALREADY_EXISTS || err->kind == ERROR_ABORTED))
    return look(w);
  if (err)
    return later(w, "write the Secret", err);
  bring_into_force(w, &w->found);
}

static void make(Webhook *w, const char *old_ca) {
  Error err;
  WebhookCertificates made;
  if (webhook_certificates_make(&made, &w->names, old_ca, clock_wall_ms(), &err) != 0)
    return later(w, "make certificates", &err);
  webhook_certificates_deinit(&w->found);
  w->found = made;
  log_event(LOG_INFO, "webhook_certificates_made", LOG_BOOL("renewed", w->secret != NULL));
  KUBE_OWNED json_t *secret = webhook_certificates_secret(&w->found, &w->names, w->secret);
  kube_request(w->c->client,
               &(KubeRequest){.method = w->secret ? "PUT" : "POST",
                              .path = w->secret ? w->secret_path : w->secrets_path,
                              .body = secret},
               on_written, w);
}

static void on_read(void *arg, json_t *secret, const Error *err) {
  Webhook *w = arg;
  Error why;
  if (err && err->kind != ERROR_NOT_FOUND)
    return later(w, "read the Secret", err);
  json_decref(w->secret);
  w->secret = err ? NULL : json_incref(secret);
  webhook_certificates_deinit(&w->found);
  w->found = (WebhookCertificates){0};
  if (!w->secret)
    return make(w, NULL);
  int age = webhook_certificates_read(&w->found, secret, &w->names, clock_wall_ms(), &why);
  if (age == 0)
    return bring_into_force(w, &w->found);
  if (age == WEBHOOK_CERTIFICATES_OLD) {
    CLEANUP(str_freep) char *old_ca = str_dup(buf_str(&w->found.ca));
    return make(w, old_ca);
  }
  /* expired, or for other names: they serve nobody, and a new start is what an operator would do */
  log_event(LOG_WARN, "webhook_certificates_unusable", LOG_ERR(&why));
  make(w, NULL);
}

static void look(void *arg) {
  Webhook *w = arg;
  kube_request(w->c->client, &(KubeRequest){.method = "GET", .path = w->secret_path}, on_read, w);
}

/* ---- life ---- */

/* The host of webhook-url; false: it is no https URL. */
static bool parse_url(Webhook *w, const char *url) {
  static const char SCHEME[] = "https://";
  struct in6_addr any;
  if (!*url)
    return true;
  if (!str_starts_with(url, SCHEME))
    return false;
  const char *host = url + strlen(SCHEME);
  w->host = *host == '[' ? str_ndup(host + 1, strcspn(host + 1, "]")) : str_ndup(host, strcspn(host, ":/"));
  bool is_ip = inet_pton(AF_INET, w->host, &any) == 1 || inet_pton(AF_INET6, w->host, &any) == 1;
  *(is_ip ? &w->names.ip : &w->names.host) = w->host;
  return *w->host != 0;
}

Webhook *webhook_new(Cluster *c, Error *err) {
  Webhook *w = new0(Webhook);
  *w = (Webhook){.c = c,
                 .names = {.ns = c->config->webhook_namespace,
                           .service = c->config->webhook_service,
                           .cluster_domain = c->config->cluster_domain}};
  if (!parse_url(w, c->config->webhook_url)) {
    error_set(err, ERROR_INVALID_ARGUMENT, "--webhook-url: must begin with https:// and a host");
    webhook_free(w);
    return NULL;
  }
  w->secrets_path = str_printf("/api/v1/namespaces/%s/secrets", w->names.ns);
  w->secret_path = str_printf("%s/agent-sandbox-webhook-certs", w->secrets_path);
  w->timer = loop_timer_new(c->loop, look, w);
  look(w);
  return w;
}

void webhook_free(Webhook *w) {
  if (!w)
    return;
  https_server_free(w->server);
  loop_timer_free(w->timer);
  webhook_certificates_deinit(&w->found);
  webhook_certificates_deinit(&w->wanted);
  json_decref(w->secret);
  free(w->host);
  free(w->secrets_path);
  free(w->secret_path);
  free(w);
}
