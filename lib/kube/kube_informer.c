/* See kube_informer.h. */
#include "lib/kube/kube_informer.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "lib/kube/kube_cache.h"
#include "lib/kube/kube_status.h"

/* What a page says of its objects is several times as large as what is kept of them. */
#define PAGE 200
/* client-go's back-off. */
#define BACKOFF_MIN_MS 100
#define BACKOFF_MAX_MS 30000
#define WATCH_GIVE_UP_MS 1600
/* The server ends a watch after this long; spread, so that not all are renewed at once. */
#define WATCH_MIN_S 300

struct KubeInformer {
  Loop *loop;
  KubeClient *client;
  KubeInformerSpec spec;
  KubeCache cache;
  LoopTimer *again;
  json_t *listing; /* keys that a list under way has named */
  json_t *newer;   /* keys that kube_informer_put has brought since that list was asked for */
  char *version, *next_page;
  KubeCall *watch;
  int64_t watch_began_ms, backoff_ms;
  bool synced, *gone; /* gone: not NULL while a list is under way; set when it is freed then */
};

/* A list that is asked for outlives the informer. */
typedef struct ListCall {
  KubeInformer *informer;
  bool gone;
} ListCall;

static void list(void *arg);
static void watch(void *arg);

/* ---- versions ---- */

/* Resource versions of one kind are numbers that grow (KEP-5504); 0 when it is none. */
static unsigned long long version_of(const char *s) {
  return s ? strtoull(s, NULL, 10) : 0;
}

static unsigned long long object_version(const json_t *object) {
  return version_of(kube_text(object, "metadata.resourceVersion"));
}

void kube_informer_put(KubeInformer *in, json_t *object) {
  CLEANUP(str_freep) char *key = kube_cache_key(object);
  const json_t *before = json_object_get(in->cache.items, key);
  unsigned long long v = object_version(object);
  /* not kept, and the watch is past it: it has been deleted since */
  if (before ? object_version(before) >= v : !in->synced || version_of(in->version) >= v)
    return;
  KUBE_OWNED json_t *copy = json_deep_copy(object);
  if (in->gone)
    json_object_set_new(in->newer, key, json_true());
  kube_cache_keep(&in->cache, copy);
}

/* Whether what is kept was put while the list was under way, and is newer than what the list says. */
static bool is_newer(KubeInformer *in, const char *key, unsigned long long than) {
  return json_object_get(in->newer, key) && object_version(json_object_get(in->cache.items, key)) > than;
}

static void note_version(KubeInformer *in, const char *version) {
  if (str_empty(version))
    return;
  free(in->version);
  in->version = str_dup(version);
}

/* ---- trying again ---- */

static void later(KubeInformer *in, void (*fn)(void *arg), const Error *err) {
  if (err && in->spec.on_error)
    in->spec.on_error(in->spec.arg, in->spec.path, err);
  in->backoff_ms = in->backoff_ms ? in->backoff_ms * 2 : BACKOFF_MIN_MS;
  if (in->backoff_ms > BACKOFF_MAX_MS)
    in->backoff_ms = BACKOFF_MAX_MS;
  uint16_t jitter;
  random_bytes(&jitter, sizeof jitter);
  int64_t ms = in->backoff_ms + in->backoff_ms * (jitter % 1000) / 1000;
  if (err && err->retry_after_ms > ms)
    ms = err->retry_after_ms;
  if (fn == list) {
    free(in->version);
    in->version = NULL;
    free(in->next_page);
    in->next_page = NULL;
  }
  loop_timer_start(in->again, ms);
}

static void on_again(void *arg) {
  KubeInformer *in = arg;
  if (in->version)
    watch(in);
  else
    list(in);
}

/* ---- watching ---- */

static void on_line(void *arg, json_t *event) {
  KubeInformer *in = arg;
  const char *type = kube_text(event, "type");
  json_t *object = json_object_get(event, "object");
  if (str_equal(type, "ERROR")) {
    Error err = {0};
    kube_status_error(&err, (int)kube_int(object, "code", 0), object, in->spec.path);
    kube_stream_cancel(in->watch);
    in->watch = NULL;
    /* expired or not: a list is always right */
    later(in, list, err.kind == ERROR_OUT_OF_RANGE ? NULL : &err);
    return;
  }
  in->backoff_ms = 0;
  note_version(in, kube_text(object, "metadata.resourceVersion"));
  if (str_equal(type, "ADDED") || str_equal(type, "MODIFIED")) {
    /* what one's own write answered may be newer than the event */
    CLEANUP(str_freep) char *key = kube_cache_key(object);
    const json_t *before = json_object_get(in->cache.items, key);
    if (before && object_version(before) > object_version(object))
      return;
    kube_cache_keep(&in->cache, object);
  } else if (str_equal(type, "DELETED")) {
    CLEANUP(str_freep) char *key = kube_cache_key(object);
    const json_t *before = json_object_get(in->cache.items, key);
    if (before && str_equal(kube_uid(before), kube_uid(object)))
      kube_cache_drop(&in->cache, key);
  }
}

static void on_watch_end(void *arg, const Error *err) {
  KubeInformer *in = arg;
  in->watch = NULL;
  if (err && err->kind == ERROR_CANCELLED)
    return;
  if (err && err->kind == ERROR_OUT_OF_RANGE)
    return later(in, list, NULL);
  /* an ordinary end; one that comes at once must not make a busy loop */
  if (!err && loop_now_ms(in->loop) - in->watch_began_ms > 1000)
    return watch(in);
  /* a watch that is refused again and again may be refused for its version: a list is always right */
  later(in, in->backoff_ms >= WATCH_GIVE_UP_MS ? list : watch, err);
}

static const KubeStreamEvents WATCH_EVENTS = {.on_line = on_line, .on_end = on_watch_end};

static void watch(void *arg) {
  KubeInformer *in = arg;
  uint16_t spread;
  random_bytes(&spread, sizeof spread);
  CLEANUP(str_freep)
  char *path = str_printf("%s?watch=true&allowWatchBookmarks=true&resourceVersion=%s&timeoutSeconds=%d%s%s",
                          in->spec.path, in->version, WATCH_MIN_S + spread % WATCH_MIN_S,
                          in->spec.selector ? "&labelSelector=" : "", in->spec.selector ? in->spec.selector : "");
  in->watch_began_ms = loop_now_ms(in->loop);
  in->watch = kube_stream(in->client, path, &WATCH_EVENTS, in);
}

/* ---- listing ---- */

static void drop_unlisted(KubeInformer *in, const char *version) {
  const char *key;
  json_t *v;
  void *next;
  json_object_foreach_safe(in->cache.items, next, key, v) {
    if (!json_object_get(in->listing, key) && !is_newer(in, key, version_of(version)))
      kube_cache_drop(&in->cache, key);
  }
}

static void on_page(void *arg, json_t *page, const Error *err) {
  ListCall *call = arg;
  KubeInformer *in = call->informer;
  bool gone = call->gone;
  free(call);
  if (gone)
    return;
  in->gone = NULL;
  if (err) {
    if (err->kind == ERROR_CANCELLED)
      return;
    return later(in, list, err);
  }
  /* what is no list must not be taken for an empty one: all objects would be gone */
  const char *version = kube_text(page, "metadata.resourceVersion");
  if (str_empty(version)) {
    Error no_list = {0};
    error_set(&no_list, ERROR_UNAVAILABLE, "%s: the answer is no list", in->spec.path);
    return later(in, list, &no_list);
  }
  size_t i;
  json_t *object;
  json_array_foreach(json_object_get(page, "items"), i, object) {
    CLEANUP(str_freep) char *key = kube_cache_key(object);
    json_object_set_new(in->listing, key, json_true());
    if (!is_newer(in, key, object_version(object)))
      kube_cache_keep(&in->cache, object);
  }
  const char *more = kube_text(page, "metadata.continue");
  free(in->next_page);
  in->next_page = str_empty(more) ? NULL : str_dup(more);
  if (in->next_page)
    return list(in);
  drop_unlisted(in, version);
  note_version(in, version);
  json_object_clear(in->listing);
  json_object_clear(in->newer);
  in->backoff_ms = 0;
  bool first = !in->synced;
  in->synced = true;
  watch(in);
  if (first && in->spec.on_synced)
    in->spec.on_synced(in->spec.arg);
}

static void list(void *arg) {
  KubeInformer *in = arg;
  if (!in->next_page) {
    json_object_clear(in->listing);
    json_object_clear(in->newer);
  }
  CLEANUP(str_freep)
  char *path = str_printf("%s?limit=%d%s%s%s%s", in->spec.path, PAGE, in->next_page ? "&continue=" : "",
                          in->next_page ? in->next_page : "", in->spec.selector ? "&labelSelector=" : "",
                          in->spec.selector ? in->spec.selector : "");
  ListCall *call = new0(ListCall);
  call->informer = in;
  in->gone = &call->gone;
  kube_request(in->client, &(KubeRequest){.method = "GET", .path = path}, on_page, call);
}

/* ---- reading ---- */

bool kube_informer_synced(const KubeInformer *in) {
  return in->synced;
}
size_t kube_informer_count(const KubeInformer *in) {
  return json_object_size(in->cache.items);
}

const json_t *kube_informer_get(const KubeInformer *in, const char *ns, const char *name) {
  if (!ns || !name)
    return NULL;
  char key[512];
  if (snprintf(key, sizeof key, "%s/%s", ns, name) >= (int)sizeof key)
    return NULL;
  return json_object_get(in->cache.items, key);
}

void kube_informer_each(const KubeInformer *in, void (*fn)(void *arg, const json_t *object), void *arg) {
  kube_cache_each(&in->cache, fn, arg);
}

void kube_informer_each_of(const KubeInformer *in, const char *key, void (*fn)(void *arg, const json_t *object),
                           void *arg) {
  kube_cache_each_of(&in->cache, key, fn, arg);
}

/* ---- life ---- */

KubeInformer *kube_informer_new(Loop *loop, KubeClient *client, const KubeInformerSpec *spec) {
  KubeInformer *in = new0(KubeInformer);
  *in = (KubeInformer){.loop = loop, .client = client, .spec = *spec, .listing = json_object(), .newer = json_object()};
  in->spec.path = str_dup(spec->path);
  in->spec.selector = spec->selector ? str_dup(spec->selector) : NULL;
  kube_cache_init(&in->cache, &in->spec);
  in->again = loop_timer_new(loop, on_again, in);
  in->synced = !client;
  if (client)
    list(in);
  return in;
}

void kube_informer_feed(KubeInformer *in, json_t *event) {
  on_line(in, event);
}

void *kube_informer_arg(const KubeInformer *in) {
  return in->spec.arg;
}

void kube_informer_stop(KubeInformer *in) {
  if (!in)
    return;
  if (in->gone)
    *in->gone = true;
  in->gone = NULL;
  kube_stream_cancel(in->watch);
  in->watch = NULL;
  loop_timer_stop(in->again);
}

void kube_informer_free(KubeInformer *in) {
  if (!in)
    return;
  kube_informer_stop(in);
  loop_timer_free(in->again);
  kube_cache_deinit(&in->cache);
  free((char *)in->spec.path);
  free((char *)in->spec.selector);
  json_decref(in->listing);
  json_decref(in->newer);
  free(in->version);
  free(in->next_page);
  free(in);
}
