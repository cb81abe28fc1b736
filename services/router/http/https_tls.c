/* See https_tls.h. */
#include "services/router/http/https_tls.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/crypto/tls_reload.h"

struct HttpsTls {
  Metrics *metrics;
  TlsReload *reload;
};

static int clients_of(const char *mode, TlsClients *ret, Error *err) {
  static const char *const NAMES[] = {
      [TLS_CLIENTS_NOT_ASKED] = "off", [TLS_CLIENTS_OPTIONAL] = "optional", [TLS_CLIENTS_REQUIRED] = "required"};
  for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
    if (strcmp(mode, NAMES[i]) == 0)
      return *ret = (TlsClients)i, 0;
  return error_field(err, "mtls-mode", "--mtls-mode: '%s' is not off, optional or required", mode);
}

/* Go's name of a version is taken as well. */
static int version_of(const char *text, TlsVersion *ret, Error *err) {
  static const char *const NAMES[][3] = {{"1.2", "TLS1.2", "VersionTLS12"}, {"1.3", "TLS1.3", "VersionTLS13"}};
  for (size_t i = 0; i < ARRAY_LEN(NAMES); i++)
    for (size_t k = 0; k < ARRAY_LEN(NAMES[i]); k++)
      if (strcmp(text, NAMES[i][k]) == 0)
        return *ret = i ? TLS_VERSION_1_3 : TLS_VERSION_1_2, 0;
  return error_field(err, "tls-min-version", "--tls-min-version: '%s' is not 1.2 or 1.3", text);
}

static int source_of(const RouterConfig *c, TlsSource *ret, Error *err) {
  *ret = (TlsSource){.files = true,
                     .flags = "--tls-",
                     .cert = c->tls_cert_file,
                     .key = c->tls_key_file,
                     .ca = c->tls_client_ca_file,
                     .suites = c->tls_cipher_suites,
                     .protocols = "\x02h2\x08http/1.1"};
  return clients_of(c->mtls_mode, &ret->clients, err) || version_of(c->tls_min_version, &ret->min_version, err) ? -1
                                                                                                                : 0;
}

static int check_together(const RouterConfig *c, const TlsSource *source, Error *err) {
  if (str_empty(source->cert) != str_empty(source->key))
    return error_set(err, ERROR_INVALID_ARGUMENT, "--tls-cert-file and --tls-key-file need each other");
  if (source->clients != TLS_CLIENTS_NOT_ASKED && str_empty(source->ca))
    return error_set(err, ERROR_INVALID_ARGUMENT, "--mtls-mode=%s needs --tls-client-ca-file", c->mtls_mode);
  if (source->clients == TLS_CLIENTS_NOT_ASKED && !str_empty(source->ca))
    return error_set(err, ERROR_INVALID_ARGUMENT, "--tls-client-ca-file needs --mtls-mode, optional or required");
  if (!str_empty(c->https_address) && str_empty(source->cert))
    return error_set(err, ERROR_INVALID_ARGUMENT, "--https-address needs --tls-cert-file and --tls-key-file");
  if (str_empty(c->https_address) && (!str_empty(source->cert) || !str_empty(source->ca)))
    return error_set(err, ERROR_INVALID_ARGUMENT, "files of TLS need --https-address");
  if (str_empty(c->https_address) && str_empty(c->http_address))
    return error_set(err, ERROR_INVALID_ARGUMENT, "--http-address and --https-address: one is needed");
  return 0;
}

int https_tls_check(const RouterConfig *config, Error *err) {
  TlsSource source;
  if (source_of(config, &source, err) || check_together(config, &source, err))
    return -1;
  if (str_empty(config->https_address))
    return 0;
  Tls *tls = tls_new(TLS_SERVER, &source, err);
  tls_free(tls);
  return tls ? 0 : -1;
}

static void tell_expiry(const HttpsTls *t) {
  double seconds = (double)tls_expiry_ms(tls_reload_tls(t->reload)) / 1000;
  metrics_set(t->metrics, ROUTER_TLS_EXPIRY, seconds, NULL, NULL, NULL);
}

static void on_loaded(void *arg, const Error *err) {
  HttpsTls *t = arg;
  metrics_add(t->metrics, ROUTER_TLS_LOADS, 1, err ? "failed" : "loaded", NULL, NULL);
  if (err)
    log_event(LOG_ERROR, "tls_files_kept", LOG_ERR(err));
  else
    log_event(LOG_INFO, "tls_files_loaded", LOG_INT("expires_ms", tls_expiry_ms(tls_reload_tls(t->reload))));
  tell_expiry(t);
}

HttpsTls *https_tls_new(Service *service, Error *err) {
  TlsSource source;
  if (source_of(service->config, &source, err))
    return NULL;
  HttpsTls *t = new0(HttpsTls);
  t->metrics = service->metrics;
  t->reload = tls_reload_new(service->loop, &source, on_loaded, t, err);
  if (!t->reload) {
    free(t);
    return NULL;
  }
  tell_expiry(t);
  return t;
}

void https_tls_free(HttpsTls *t) {
  if (!t)
    return;
  tls_reload_free(t->reload);
  free(t);
}

Tls *https_tls_of(const HttpsTls *t) {
  return tls_reload_tls(t->reload);
}
