/* Where the API server is and who we are to it: a kubeconfig file, or what a Pod is given.
 *
 * Read once; only a token file is read again, because the kubelet rotates it.
 */
#ifndef SANDPLANE_LIB_KUBE_KUBE_CONFIG_H_
#define SANDPLANE_LIB_KUBE_KUBE_CONFIG_H_

#include <stdbool.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

typedef struct KubeConfig {
  char *server;   /* "https://host:port" and a prefix, without a slash at the end */
  char *ns;       /* of the context or of our Pod; "default" */
  char *ca_pem;   /* empty: the system's */
  char *cert_pem; /* client certificate and key; empty: none */
  char *key_pem;
  char *token;       /* empty: none */
  char *token_file;  /* read again each minute; empty: none */
  char *server_name; /* expected in the server's certificate instead of the host; empty: the host */
  bool insecure;     /* the server's certificate is not checked */
} KubeConfig;

/* path: a kubeconfig file; empty: the Pod's service account (KUBERNETES_SERVICE_HOST and its mounted files).
 * context: empty, the current one. INVALID_ARGUMENT names the file and the field; exec plugins and auth
 * providers are refused: they would run programs in the controller's place. NOT_FOUND: a file is missing. */
int kube_config_load(const char *path, const char *context, KubeConfig **ret_config, Error *err) MUST_CHECK;
void kube_config_free(KubeConfig *config); /* NULL-safe; wipes keys */

/* A whole file, at most 1 MiB. NOT_FOUND, INVALID_ARGUMENT. */
int kube_config_read_file(const char *path, Buf *out, Error *err) MUST_CHECK;

#endif
