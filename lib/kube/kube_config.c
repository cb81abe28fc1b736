/* See kube_config.h. The format: Kubernetes' client configuration v1. */
#include "lib/kube/kube_config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"
#include "lib/kube/kube_object.h"
#include "lib/yaml/yaml_json.h"

#define POD_FILES "/var/run/secrets/kubernetes.io/serviceaccount/"

int kube_config_read_file(const char *path, Buf *out, Error *err) {
  int fd = open(path, O_RDONLY | O_CLOEXEC);
  if (fd < 0)
    return error_set(err, errno == ENOENT ? ERROR_NOT_FOUND : ERROR_INVALID_ARGUMENT, "cannot read %s: %s", path,
                     strerror(errno));
  *out = BUF_INIT(1 << 20);
  for (;;) {
    uint8_t *room = buf_reserve(out, 4096);
    ssize_t n = room ? read(fd, room, 4096) : -1;
    if (n <= 0) {
      close(fd);
      if (n == 0)
        return 0;
      buf_deinit(out);
      return error_set(err, ERROR_INVALID_ARGUMENT, "cannot read %s: %s", path,
                       room ? strerror(errno) : "larger than 1 MiB");
    }
    out->len += (size_t)n;
    out->data[out->len] = 0;
  }
}

static char *text_of(Buf *b) {
  char *s = str_ndup(buf_str(b), b->len);
  if (b->data)
    explicit_bzero(b->data, b->len); /* it may be a key */
  buf_deinit(b);
  return s;
}

static void wipe(char **s) {
  if (*s)
    explicit_bzero(*s, strlen(*s));
  free(*s);
  *s = NULL;
}

void kube_config_free(KubeConfig *c) {
  if (!c)
    return;
  char **texts[] = {&c->server,  &c->ns,    &c->ca_pem,     &c->cert_pem,
                    &c->key_pem, &c->token, &c->token_file, &c->server_name};
  for (size_t i = 0; i < ARRAY_LEN(texts); i++)
    wipe(texts[i]);
  free(c);
}

DEFINE_CLEANUP(KubeConfig *, kube_config_freep, kube_config_free)

/* What the file calls by name, as in `clusters: [{name: c, cluster: {...}}]`. */
static json_t *named(const json_t *file, const char *list, const char *what, const char *name, const char *path,
                     Error *err) {
  size_t i;
  json_t *v;
  json_array_foreach(json_object_get(file, list), i, v) {
    if (!str_equal(kube_text(v, "name"), name))
      continue;
    json_t *found = json_object_get(v, what);
    if (json_is_object(found))
      return found;
    error_set(err, ERROR_INVALID_ARGUMENT, "%s: %s \"%.100s\" has no %s", path, list, name ? name : "", what);
    return NULL;
  }
  error_set(err, ERROR_INVALID_ARGUMENT, "%s: %s has no \"%.100s\"", path, list, name ? name : "");
  return NULL;
}

/* A file that the kubeconfig names: relative paths are relative to it, whatever the working directory is. */
static char *path_of(const char *file, const char *config_path) {
  const char *slash = strrchr(config_path, '/');
  if (*file == '/' || !slash)
    return str_dup(file);
  return str_printf("%.*s/%s", (int)(slash - config_path), config_path, file);
}

/* Base64 without the line ends that a block of YAML may have in it. */
static int decode(Buf *out, const char *data) {
  CLEANUP(buf_deinit) Buf plain = BUF_INIT(2 << 20);
  for (; *data; data += strspn(data, "\r\n ")) {
    size_t n = strcspn(data, "\r\n ");
    if (buf_append(&plain, data, n) != 0)
      return -1;
    data += n;
  }
  return str_base64_decode(out, buf_str(&plain), plain.len, false);
}

/* KEY holds the path of a file (relative to the kubeconfig), KEY-data its content in base64. *ret "" when none. */
static int file_or_data(const json_t *at, const char *key, const char *config_path, char **ret, Error *err) {
  CLEANUP(str_freep) char *data_key = str_printf("%s-data", key);
  const char *data = json_string_value(json_object_get(at, data_key));
  const char *file = json_string_value(json_object_get(at, key));
  Buf b = BUF_INIT(1 << 20);
  if (data) {
    if (decode(&b, data) != 0) {
      buf_deinit(&b);
      return error_set(err, ERROR_INVALID_ARGUMENT, "%s: %s is not base64", config_path, data_key);
    }
  } else if (!str_empty(file)) {
    CLEANUP(str_freep) char *path = path_of(file, config_path);
    if (kube_config_read_file(path, &b, err) != 0)
      return -1;
  }
  *ret = text_of(&b);
  return 0;
}

static char *text_or_empty(const json_t *at, const char *key) {
  const char *s = json_string_value(json_object_get(at, key));
  return str_dup(s ? s : "");
}

static int read_user(KubeConfig *c, const json_t *user, const char *path, Error *err) {
  static const char *const REFUSED[] = {"exec", "auth-provider"};
  for (size_t i = 0; i < ARRAY_LEN(REFUSED); i++) {
    if (json_object_get(user, REFUSED[i]))
      return error_set(err, ERROR_INVALID_ARGUMENT,
                       "%s: users[].user.%s is not supported; use a client certificate, a token or a tokenFile (for "
                       "example of a ServiceAccount)",
                       path, REFUSED[i]);
  }
  if (json_object_get(user, "username"))
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s: users[].user.username: basic authentication is not supported",
                     path);
  c->token = text_or_empty(user, "token");
  const char *token_file = kube_text(user, "tokenFile");
  c->token_file = str_empty(token_file) ? str_dup("") : path_of(token_file, path);
  if (file_or_data(user, "client-certificate", path, &c->cert_pem, err) != 0 ||
      file_or_data(user, "client-key", path, &c->key_pem, err) != 0)
    return -1;
  if (!*c->cert_pem != !*c->key_pem)
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s: client-certificate and client-key must be given together", path);
  return 0;
}

static int read_cluster(KubeConfig *c, const json_t *cluster, const char *path, Error *err) {
  c->server = text_or_empty(cluster, "server");
  size_t n = strlen(c->server);
  while (n > 0 && c->server[n - 1] == '/')
    c->server[--n] = 0;
  if (!str_starts_with(c->server, "https://") && !str_starts_with(c->server, "http://"))
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s: clusters[].cluster.server must be a URL", path);
  if (json_object_get(cluster, "proxy-url"))
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s: clusters[].cluster.proxy-url is not supported", path);
  c->server_name = text_or_empty(cluster, "tls-server-name");
  c->insecure = json_is_true(json_object_get(cluster, "insecure-skip-tls-verify"));
  return file_or_data(cluster, "certificate-authority", path, &c->ca_pem, err);
}

static int load_file(KubeConfig *c, const char *path, const char *context, Error *err) {
  Buf b;
  if (kube_config_read_file(path, &b, err) != 0)
    return -1;
  KUBE_OWNED json_t *file = yaml_json_load(buf_str(&b), b.len, err);
  if (b.data)
    explicit_bzero(b.data, b.len);
  buf_deinit(&b);
  if (!file)
    return error_prefix(err, "%s", path);
  const char *name = str_empty(context) ? kube_text(file, "current-context") : context;
  if (str_empty(name))
    return error_set(err, ERROR_INVALID_ARGUMENT, "%s: current-context is not set", path);
  json_t *ctx = named(file, "contexts", "context", name, path, err);
  json_t *cluster = ctx ? named(file, "clusters", "cluster", kube_text(ctx, "cluster"), path, err) : NULL;
  json_t *user = cluster ? named(file, "users", "user", kube_text(ctx, "user"), path, err) : NULL;
  if (!user)
    return -1;
  const char *ns = kube_text(ctx, "namespace");
  c->ns = str_dup(str_empty(ns) ? "default" : ns);
  return read_cluster(c, cluster, path, err) != 0 || read_user(c, user, path, err) != 0 ? -1 : 0;
}

static int load_pod(KubeConfig *c, Error *err) {
  const char *host = getenv("KUBERNETES_SERVICE_HOST"), *port = getenv("KUBERNETES_SERVICE_PORT");
  if (str_empty(host) || str_empty(port))
    return error_set(err, ERROR_INVALID_ARGUMENT,
                     "not in a Pod (KUBERNETES_SERVICE_HOST is not set); give --kubeconfig");
  c->server = str_printf(strchr(host, ':') ? "https://[%s]:%s" : "https://%s:%s", host, port);
  c->token_file = str_dup(POD_FILES "token");
  Buf b;
  if (kube_config_read_file(POD_FILES "ca.crt", &b, err) != 0)
    return -1;
  c->ca_pem = text_of(&b);
  if (kube_config_read_file(POD_FILES "namespace", &b, err) != 0)
    return -1;
  c->ns = text_of(&b);
  c->ns[strcspn(c->ns, "\r\n")] = 0;
  c->cert_pem = str_dup("");
  c->key_pem = str_dup("");
  c->token = str_dup("");
  c->server_name = str_dup("");
  return 0;
}

int kube_config_load(const char *path, const char *context, KubeConfig **ret_config, Error *err) {
  CLEANUP(kube_config_freep) KubeConfig *c = calloc(1, sizeof *c);
  if (!c)
    abort();
  if ((str_empty(path) ? load_pod(c, err) : load_file(c, path, context, err)) != 0)
    return -1; // NOLINT(clang-analyzer-unix.Malloc): CLEANUP frees it, which the analyzer does not see
  *ret_config = c;
  c = NULL;
  return 0;
}
