/* A kept copy of one kind of object: list, then watch, for ever.
 *
 * on_change comes for each difference between what was kept and what the server says, on the loop, in the server's
 * order for one object; one made anew under its name is told as gone and new, whether or not the end was seen. Lost
 * watches go on from the last version seen (bookmarks keep it fresh); when the server no longer has it (410),
 * everything is listed again and only the differences are told. Failures back off, 100 ms to 30 s.
 *
 * Objects are shared and must not be changed by readers: take a json_deep_copy.
 */
#ifndef SANDPLANE_LIB_KUBE_KUBE_INFORMER_H_
#define SANDPLANE_LIB_KUBE_KUBE_INFORMER_H_

#include "lib/kube/kube_client.h"

typedef struct KubeInformer KubeInformer;

typedef struct KubeInformerSpec {
  const char *path;     /* "/apis/agents.x-k8s.io/v1beta1/sandboxes": all namespaces, or one namespace's */
  const char *selector; /* labelSelector, percent-encoded; NULL: all */
  /* Takes away what nobody reads, before an object is kept; metadata.managedFields always goes. May be NULL. */
  void (*prune)(json_t *object);
  /* A second key to find objects by, for example the controller's uid; borrowed from the object, NULL: none. */
  const char *(*index)(const json_t *object);
  /* before NULL: it is new; after NULL: it is gone. */
  void (*on_change)(void *arg, const json_t *before, const json_t *after);
  /* Once, after all of the first list was told. */
  void (*on_synced)(void *arg);
  /* A list or a watch failed, for the log. May be NULL. */
  void (*on_error)(void *arg, const char *path, const Error *err);
  void *arg;
} KubeInformerSpec;

/* client NULL: keeps what kube_informer_feed and _put bring, from nothing on; for tests. */
KubeInformer *kube_informer_new(Loop *loop, KubeClient *client, const KubeInformerSpec *spec);
/* Ends its calls; what is kept can still be read. Before the client is freed, not inside on_change. NULL-safe. */
void kube_informer_stop(KubeInformer *informer);
void kube_informer_free(KubeInformer *informer); /* NULL-safe */
void *kube_informer_arg(const KubeInformer *informer);
bool kube_informer_synced(const KubeInformer *informer);

/* Borrowed; NULL: there is none. */
const json_t *kube_informer_get(const KubeInformer *informer, const char *ns, const char *name);
size_t kube_informer_count(const KubeInformer *informer);
/* fn must not cause changes of this informer. */
void kube_informer_each(const KubeInformer *informer, void (*fn)(void *arg, const json_t *object), void *arg);
/* Those with this second key. */
void kube_informer_each_of(const KubeInformer *informer, const char *key, void (*fn)(void *arg, const json_t *object),
                           void *arg);

/* What one's own write answered: kept at once when it is newer than what is kept, so that the next look sees it
 * (read your writes). on_change comes for it as for any other. */
void kube_informer_put(KubeInformer *informer, json_t *object);
/* A watch event as the server sends it: {"type", "object"}; of an informer without a client. */
void kube_informer_feed(KubeInformer *informer, json_t *event);

#endif
