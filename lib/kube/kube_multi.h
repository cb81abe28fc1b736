/* libcurl's transfers on the loop: its sockets and its one timer are the loop's, and after each of its steps whoever
 * has the transfers is told to look at what came.
 */
#ifndef SANDPLANE_LIB_KUBE_KUBE_MULTI_H_
#define SANDPLANE_LIB_KUBE_KUBE_MULTI_H_

#include <curl/curl.h>

#include "lib/loop/loop.h"

typedef struct KubeMulti {
  Loop *loop;
  CURLM *curl;
  LoopTimer *timer;
  void (*stepped)(void *arg);
  void *arg;
} KubeMulti;

/* stepped: on the loop, outside of libcurl. */
void kube_multi_init(KubeMulti *m, Loop *loop, void (*stepped)(void *arg), void *arg);
/* No transfer is left in it. */
void kube_multi_deinit(KubeMulti *m);
/* Whether one connection carries many transfers: then there are few; else each that is under way has its own. */
void kube_multi_share(KubeMulti *m, bool shared);

#endif
