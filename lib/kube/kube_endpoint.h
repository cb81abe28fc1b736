/* The API server as libcurl is told of it: its URL and the name that its certificate must have, TLS, who we are to it,
 * and when a connection counts as dead.
 */
#ifndef SANDPLANE_LIB_KUBE_KUBE_ENDPOINT_H_
#define SANDPLANE_LIB_KUBE_KUBE_ENDPOINT_H_

#include <curl/curl.h>

#include "lib/kube/kube_config.h"
#include "lib/loop/loop.h"

typedef struct KubeEndpoint {
  const Loop *loop;
  const KubeConfig *config;
  char *server;                  /* the config's, with server_name in the host's place */
  struct curl_slist *connect_to; /* where that is then; NULL: where it says */
  char *authorization;           /* the header; NULL: none */
  int64_t token_read_ms;
} KubeEndpoint;

/* config is borrowed for its life. INVALID_ARGUMENT: a server_name, and no URL that it could be put into. */
int kube_endpoint_init(KubeEndpoint *e, const Loop *loop, const KubeConfig *config, Error *err) MUST_CHECK;
void kube_endpoint_deinit(KubeEndpoint *e);
bool kube_endpoint_has_tls(const KubeEndpoint *e);
/* The header of a request that begins now; NULL: none. A token file is read again each minute. */
const char *kube_endpoint_authorization(KubeEndpoint *e);
/* All that a transfer needs to get to path there. */
void kube_endpoint_set(const KubeEndpoint *e, CURL *easy, const char *path);

#endif
