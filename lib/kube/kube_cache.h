/* The objects that an informer keeps: found by "namespace/name" and by the second key of its spec, as small as they can
 * be kept, and its on_change told of each that comes, changes or goes.
 */
#ifndef SANDPLANE_LIB_KUBE_KUBE_CACHE_H_
#define SANDPLANE_LIB_KUBE_KUBE_CACHE_H_

#include "lib/kube/kube_informer.h"
#include "lib/kube/kube_share.h"

typedef struct KubeCache {
  const KubeInformerSpec *spec;
  KubeShare *share;
  json_t *items;  /* "namespace/name" -> object */
  json_t *by_key; /* second key -> object, or {"namespace/name": object} (is_alone) */
} KubeCache;

/* spec outlives it. */
void kube_cache_init(KubeCache *c, const KubeInformerSpec *spec);
void kube_cache_deinit(KubeCache *c);
/* "namespace/name"; malloc'ed. */
char *kube_cache_key(const json_t *object);
/* Changes the object, and keeps a reference. One of the version that is kept already is no change. */
void kube_cache_keep(KubeCache *c, json_t *object);
void kube_cache_drop(KubeCache *c, const char *key);
/* fn must not cause changes. */
void kube_cache_each(const KubeCache *c, void (*fn)(void *arg, const json_t *object), void *arg);
/* Those with this second key (NULL: none). */
void kube_cache_each_of(const KubeCache *c, const char *second, void (*fn)(void *arg, const json_t *object), void *arg);

#endif
