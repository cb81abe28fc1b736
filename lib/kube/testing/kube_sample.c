/* By hand, against a real API server: whether nothing is lost and one connection carries it all.
 *
 *   kube_sample KUBECONFIG NAMESPACE N [SECONDS]
 *
 * lists and watches the namespace's ConfigMaps, creates N in parallel, changes and deletes them, and compares what
 * the informer told with what was answered. Then it stays for SECONDS with its watch open. One JSON line a step.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/clock.h"
#include "lib/base/str.h"
#include "lib/kube/kube_informer.h"

typedef struct Sample {
  Loop *loop;
  KubeClient *client;
  KubeInformer *informer;
  LoopTimer *hold;
  char *path;
  int n, seconds, step; /* 0 POST, 1 PATCH, 2 DELETE, 3: all done */
  int answered, failed, added, changed, removed;
  int64_t begun_ms;
} Sample;

static const char *const METHODS[] = {"POST", "PATCH", "DELETE"};

static void begin_step(Sample *s);

static void report(Sample *s, const char *what) {
  printf("{\"step\":\"%s\",\"ms\":%lld,\"kept\":%zu,\"added\":%d,\"changed\":%d,\"removed\":%d,\"answered\":%d,"
         "\"failed\":%d}\n",
         what, (long long)(clock_mono_ms() - s->begun_ms), kube_informer_count(s->informer), s->added, s->changed,
         s->removed, s->answered, s->failed);
  fflush(stdout);
}

static void next_if_whole(Sample *s) {
  if (s->step == 3)
    return report(s, "held"); /* somebody else's change */
  const int told[] = {s->added, s->changed, s->removed};
  if (!kube_informer_synced(s->informer) || s->answered < s->n || told[s->step] + s->failed < s->n)
    return;
  report(s, METHODS[s->step]);
  if (++s->step < 3)
    return begin_step(s);
  loop_timer_start(s->hold, (int64_t)s->seconds * 1000);
}

static void on_answer(void *arg, json_t *object, const Error *err) {
  Sample *s = arg;
  s->answered++;
  if (err) {
    s->failed++;
    fprintf(stderr, "%s %s\n", error_kind_name(err->kind), err->message);
  }
  next_if_whole(s);
}

static void begin_step(Sample *s) {
  s->answered = s->added = s->changed = s->removed = 0;
  s->begun_ms = clock_mono_ms();
  for (int i = 0; i < s->n; i++) {
    CLEANUP(str_freep) char *name = str_printf("sample-%d", i);
    CLEANUP(str_freep) char *path = str_printf(s->step ? "%s/%s" : "%s", s->path, name);
    KUBE_OWNED json_t *body = s->step == 2 ? NULL : json_object();
    if (s->step == 0)
      kube_set(body, "metadata.name", json_string(name));
    if (s->step == 1)
      kube_set(body, "data.a", json_string("b"));
    kube_request(s->client, &(KubeRequest){.method = METHODS[s->step], .path = path, .body = body}, on_answer, s);
  }
}

static void on_change(void *arg, const json_t *before, const json_t *after) {
  Sample *s = arg;
  if (!kube_informer_synced(s->informer))
    return;
  if (!before)
    s->added++;
  else if (!after)
    s->removed++;
  else
    s->changed++;
  next_if_whole(s);
}

static void on_synced(void *arg) {
  Sample *s = arg;
  report(s, "synced");
  begin_step(s);
}

static void on_error(void *arg, const char *path, const Error *err) {
  fprintf(stderr, "%s: %s %s\n", path, error_kind_name(err->kind), err->message);
}

static void on_held(void *arg) {
  loop_stop(((Sample *)arg)->loop);
}

int main(int argc, char **argv) {
  KubeConfig *config = NULL;
  Error err = {0};
  if (argc < 4)
    return 2;
  Sample s = {.loop = loop_new(),
              .n = (int)str_leading_int64(argv[3], 0),
              .seconds = argc > 4 ? (int)str_leading_int64(argv[4], 0) : 0,
              .begun_ms = clock_mono_ms()};
  s.path = str_printf("/api/v1/namespaces/%s/configmaps", argv[2]);
  s.hold = loop_timer_new(s.loop, on_held, &s);
  if (kube_config_load(argv[1], NULL, &config, &err) == 0)
    s.client = kube_client_new(s.loop, config, &(KubeOptions){.user_agent = "kube_sample"}, &err);
  if (!s.client) {
    fprintf(stderr, "%s\n", err.message);
    return 1;
  }
  const KubeInformerSpec spec = {
      .path = s.path, .on_change = on_change, .on_synced = on_synced, .on_error = on_error, .arg = &s};
  s.informer = kube_informer_new(s.loop, s.client, &spec);
  loop_run(s.loop);
  kube_informer_free(s.informer);
  kube_client_free(s.client);
  loop_timer_free(s.hold);
  loop_free(s.loop);
  kube_config_free(config);
  free(s.path);
  return s.failed != 0;
}
