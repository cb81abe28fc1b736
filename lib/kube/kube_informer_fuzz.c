/* Lists and watch events of any shape in an informer: {"pages":[...],"events":[...]}. What it tells must add up to what
 * it keeps: nothing is changed that was not told of, nothing is new twice, and all is found by the second key as well.
 *
 * The client is replaced: requests are remembered here and answered from the input.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/kube/kube_informer.h"
#include "lib/kube/kube_object.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct {
  KubeDoneFn fn;
  void *arg;
} request;

static struct {
  const KubeStreamEvents *events;
  void *arg;
} stream;

void kube_request(KubeClient *client, const KubeRequest *r, KubeDoneFn fn, void *arg) {
  (void)client, (void)r;
  if (request.fn)
    abort(); /* one list at a time */
  request.fn = fn;
  request.arg = arg;
}

KubeCall *kube_stream(KubeClient *client, const char *path, const KubeStreamEvents *events, void *arg) {
  (void)client, (void)path;
  if (stream.events)
    abort();
  stream.events = events;
  stream.arg = arg;
  return (KubeCall *)&stream;
}

void kube_stream_cancel(KubeCall *call) {
  if (call)
    stream.events = NULL;
}

static void answer(json_t *object, const Error *err) {
  KubeDoneFn fn = request.fn;
  request.fn = NULL;
  fn(request.arg, object, err);
}

/* arg: key -> what was told of last */
static void on_change(void *arg, const json_t *before, const json_t *after) {
  json_t *told = arg;
  const json_t *object = after ? after : before;
  const char *ns = kube_namespace(object), *name = kube_name(object);
  CLEANUP(str_freep) char *key = str_printf("%s/%s", ns ? ns : "", name ? name : "");
  const json_t *last = json_object_get(told, key);
  if (!object || !last != !before || (last && !json_equal(last, before)))
    abort();
  if (after)
    json_object_set_new(told, key, json_deep_copy(after));
  else
    json_object_del(told, key);
}

static const char *index_of(const json_t *object) {
  return kube_text(object, "spec.owner");
}

static void count(void *arg, const json_t *object) {
  size_t *n = arg;
  kube_name(object);
  ++*n;
}

static void check_kept(const KubeInformer *in, json_t *told) {
  const char *key;
  json_t *v;
  size_t n = 0;
  kube_informer_each(in, count, &n);
  if (n != json_object_size(told) || n != kube_informer_count(in))
    abort();
  json_object_foreach(told, key, v) {
    const char *owner = index_of(v), *ns = kube_namespace(v), *name = kube_name(v);
    const json_t *kept = kube_informer_get(in, ns ? ns : "", name ? name : "");
    if (strlen(key) < 500 && !json_equal(kept, v))
      abort();
    size_t found = 0;
    if (owner)
      kube_informer_each_of(in, owner, count, &found);
    if (owner && found == 0)
      abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  KUBE_OWNED json_t *all = json_loadb((const char *)data, size, 0, NULL);
  if (!json_is_object(all))
    return 0;
  KUBE_OWNED json_t *told = json_object();
  Loop *loop = loop_new();
  KubeInformerSpec spec = {.path = "/apis/x/v1/things", .index = index_of, .on_change = on_change, .arg = told};
  KubeInformer *in = kube_informer_new(loop, NULL, &spec);
  size_t i;
  json_t *v;
  json_array_foreach(json_object_get(all, "pages"), i, v) {
    if (request.fn)
      answer(v, NULL);
  }
  check_kept(in, told);
  json_array_foreach(json_object_get(all, "events"), i, v) {
    /* now and then the answer to a write of one's own comes before the event */
    json_t *object = json_object_get(v, "object");
    if (i % 4 == 3 && kube_name(object))
      kube_informer_put(in, object);
    if (stream.events)
      stream.events->on_line(stream.arg, v);
  }
  check_kept(in, told);
  kube_informer_stop(in);
  Error gone = {.kind = ERROR_CANCELLED};
  if (request.fn)
    answer(NULL, &gone);
  kube_informer_free(in);
  loop_free(loop);
  stream.events = NULL;
  return 0;
}
