/* See pod_metadata.h. */
#include "services/reconciler/kubernetes/pod/pod_metadata.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"
#include "services/reconciler/kubernetes/object/well_known.h"

/* Labels and annotations go the same way; this is where they differ. */
typedef struct Sort {
  const char *in_template;
  /* The annotation of the Pod that lists the keys copied. */
  const char *list;
} Sort;

static const Sort LABELS = {"spec.podTemplate.metadata.labels", ANNOTATION_PROPAGATED_LABELS};
static const Sort ANNOTATIONS = {"spec.podTemplate.metadata.annotations", ANNOTATION_PROPAGATED_ANNOTATIONS};

static bool is_reserved(const Sort *sort, const char *key) {
  return str_starts_with(key, RESERVED_PREFIX_AGENTS) || str_starts_with(key, RESERVED_PREFIX_EXTENSIONS) ||
         (sort == &ANNOTATIONS && str_equal(key, ANNOTATION_TRACE_CONTEXT));
}

/* What this file writes itself, whatever a Pod's lists claim. */
static bool is_tracking(const char *key) {
  return str_equal(key, LABEL_NAME_HASH) || str_equal(key, ANNOTATION_PROPAGATED_LABELS) ||
         str_equal(key, ANNOTATION_PROPAGATED_ANNOTATIONS);
}

static void set(const Sort *sort, json_t *pod, const char *key, const char *value) {
  if (sort == &LABELS) {
    kube_set_label(pod, key, value);
  } else {
    kube_set_annotation(pod, key, value);
  }
}

/* New reference: the keys of the podTemplate that may be copied. */
static json_t *user_keys(const Sort *sort, const json_t *sandbox) {
  json_t *user = json_object();
  const char *key;
  json_t *v;
  json_object_foreach(kube_get(sandbox, sort->in_template), key, v) {
    if (json_is_string(v) && !is_reserved(sort, key))
      json_object_set(user, key, v);
  }
  return user;
}

/* Takes off what came from the template once and is no longer in it. */
static void scrub(const Sort *sort, json_t *pod, const json_t *user) {
  const char *recorded = kube_annotation(pod, sort->list);
  CLEANUP(str_freep) char *list = str_dup(recorded ? recorded : "");
  char *rest = NULL;
  for (char *key = strtok_r(list, ",", &rest); key; key = strtok_r(NULL, ",", &rest)) {
    if (!json_object_get(user, key) && !is_tracking(key))
      set(sort, pod, key, NULL);
  }
}

static int compare_keys(const void *a, const void *b) {
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* malloc'ed: the keys, sorted and joined by commas. */
static char *join_keys(const json_t *map) {
  size_t n = 0, size = 1;
  const char **keys = xcalloc(json_object_size(map) + 1, sizeof *keys);
  const char *key;
  json_t *v;
  json_object_foreach((json_t *)map, key, v) {
    keys[n++] = key;
    size += strlen(key) + 1;
  }
  qsort(keys, n, sizeof *keys, compare_keys);
  char *joined = calloc(1, size), *end = joined;
  if (!joined)
    abort();
  for (size_t i = 0; i < n; i++) {
    if (i > 0)
      *end++ = ',';
    end = stpcpy(end, keys[i]);
  }
  free(keys);
  return joined;
}

/* A list that was never written is as good as an empty one; one that was stays, so that it is known to be empty. */
static void record(const Sort *sort, json_t *pod, const json_t *user) {
  CLEANUP(str_freep) char *keys = join_keys(user);
  if (*keys || kube_annotation(pod, sort->list))
    kube_set_annotation(pod, sort->list, keys);
} // NOLINT(clang-analyzer-unix.Malloc): CLEANUP frees the keys, which the analyzer does not see

static void copy(const Sort *sort, json_t *pod, json_t *user) {
  const char *key;
  json_t *v;
  json_object_foreach(user, key, v) set(sort, pod, key, json_string_value(v));
}

const char *pod_metadata_created_by(const char *value) {
  static const char *const KNOWN[] = {"go-client", "python-client", "controller"};
  if (!value)
    return NULL;
  for (size_t i = 0; i < ARRAY_LEN(KNOWN); i++) {
    if (str_equal(value, KNOWN[i]))
      return KNOWN[i];
  }
  return "unknown";
}

/* A pool's label ends with the pool's ownership, or NetworkPolicies and pools would still count the Pod; the
 * template's stays with every owner, for the template's NetworkPolicy selects by it. So it does with a member that has
 * none: its pool was deleted, or never was an object, and whoever holds it shall not get round the policy by that. */
static void set_own_labels(const json_t *sandbox, json_t *pod) {
  const json_t *controller = kube_controller(sandbox);
  const char *version = kube_text(controller, "apiVersion");
  bool extension = controller ? version && str_starts_with(version, EXTENSIONS_GROUP "/")
                              : kube_annotation(sandbox, ANNOTATION_EPOCH) != NULL;
  bool pooled = kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL);
  char hash[9];
  kube_name_hash(kube_name(sandbox), hash);
  kube_set_label(pod, LABEL_NAME_HASH, hash);
  kube_set_label(pod, LABEL_POOL, pooled ? kube_label(sandbox, LABEL_POOL) : NULL);
  kube_set_label(pod, LABEL_TEMPLATE_REF_HASH, extension ? kube_label(sandbox, LABEL_TEMPLATE_REF_HASH) : NULL);
  kube_set_label(pod, LABEL_CREATED_BY, pod_metadata_created_by(kube_label(sandbox, LABEL_CREATED_BY)));
}

void pod_metadata_sync(const json_t *sandbox, json_t *pod) {
  KUBE_OWNED json_t *labels = user_keys(&LABELS, sandbox);
  KUBE_OWNED json_t *annotations = user_keys(&ANNOTATIONS, sandbox);
  scrub(&LABELS, pod, labels);
  scrub(&ANNOTATIONS, pod, annotations);
  copy(&LABELS, pod, labels);
  copy(&ANNOTATIONS, pod, annotations);
  set_own_labels(sandbox, pod);
  record(&LABELS, pod, labels);
  record(&ANNOTATIONS, pod, annotations);
}
