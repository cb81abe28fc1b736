/* See kube_cache.h. */
#include "lib/kube/kube_cache.h"

#include <string.h>

#include "lib/base/str.h"

char *kube_cache_key(const json_t *object) {
  const char *ns = kube_namespace(object), *name = kube_name(object);
  return str_printf("%s/%s", ns ? ns : "", name ? name : "");
}

/* Under a second key there is mostly one object, a Pod of its Sandbox: then that itself, not a set of one, which would
 * be as large as a part of it. The keys of a set have a slash. */
static bool is_alone(const json_t *entry) {
  return json_object_get(entry, "metadata") != NULL;
}

static void unindex(KubeCache *c, const char *key, const json_t *object) {
  const char *second = c->spec->index ? c->spec->index(object) : NULL;
  json_t *entry = second ? json_object_get(c->by_key, second) : NULL;
  if (!entry)
    return;
  if (!is_alone(entry))
    json_object_del(entry, key);
  if (is_alone(entry) ? entry == object : json_object_size(entry) == 0)
    json_object_del(c->by_key, second);
}

static void index_it(KubeCache *c, const char *key, json_t *object) {
  const char *second = c->spec->index ? c->spec->index(object) : NULL;
  if (!second)
    return;
  json_t *entry = json_object_get(c->by_key, second);
  if (!entry) {
    json_object_set(c->by_key, second, object);
    return;
  }
  if (is_alone(entry)) {
    CLEANUP(str_freep) char *other = kube_cache_key(entry);
    json_t *set = json_object();
    json_object_set(set, other, entry);
    json_object_set_new(c->by_key, second, set);
    entry = set;
  }
  json_object_set(entry, key, object);
}

void kube_cache_drop(KubeCache *c, const char *key) {
  KUBE_OWNED json_t *before = json_incref(json_object_get(c->items, key));
  if (!before)
    return;
  unindex(c, key, before);
  json_object_del(c->items, key);
  c->spec->on_change(c->spec->arg, before, NULL);
}

void kube_cache_keep(KubeCache *c, json_t *object) {
  /* what no API server sends: whoever reads these objects counts on a name */
  if (str_empty(kube_name(object)))
    return;
  CLEANUP(str_freep) char *key = kube_cache_key(object);
  /* another object of this name: the end of the first was missed, and whoever keeps something by uid must hear of it */
  if (!str_equal(kube_uid(json_object_get(c->items, key)), kube_uid(object)))
    kube_cache_drop(c, key);
  KUBE_OWNED json_t *before = json_incref(json_object_get(c->items, key));
  if (before && str_equal(kube_text(before, "metadata.resourceVersion"), kube_text(object, "metadata.resourceVersion")))
    return;
  json_object_del(json_object_get(object, "metadata"), "managedFields");
  if (c->spec->prune)
    c->spec->prune(object);
  kube_share(c->share, object);
  if (before)
    unindex(c, key, before);
  json_object_set(c->items, key, object);
  index_it(c, key, object);
  c->spec->on_change(c->spec->arg, before, object);
}

static void each(json_t *set, void (*fn)(void *arg, const json_t *object), void *arg) {
  const char *key;
  json_t *v;
  json_object_foreach(set, key, v) fn(arg, v);
}

void kube_cache_each(const KubeCache *c, void (*fn)(void *arg, const json_t *object), void *arg) {
  each(c->items, fn, arg);
}

void kube_cache_each_of(const KubeCache *c, const char *second, void (*fn)(void *arg, const json_t *object),
                        void *arg) {
  json_t *entry = second ? json_object_get(c->by_key, second) : NULL;
  if (entry && is_alone(entry))
    fn(arg, entry);
  else if (entry)
    each(entry, fn, arg);
}

void kube_cache_init(KubeCache *c, const KubeInformerSpec *spec) {
  *c = (KubeCache){.spec = spec, .share = kube_share_new(), .items = json_object(), .by_key = json_object()};
}

void kube_cache_deinit(KubeCache *c) {
  json_decref(c->by_key);
  json_decref(c->items);
  kube_share_free(c->share);
}
