/* See conversion.h. */
#include "services/reconciler/kubernetes/conversion/conversion.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/conversion/convert.h"
#include "services/reconciler/kubernetes/object/well_known.h"

#define HUB "v1beta1"
#define SPOKE "v1alpha1"
#define REVIEW_GROUP "apiextensions.k8s.io/"

typedef struct Kind {
  const char *group, *kind, *state_key;
  bool restores; /* reads the saved state back; the others only drop it */
  int (*to_hub)(json_t *object, Error *err);
  int (*to_spoke)(json_t *object, const json_t *state, Error *err);
} Kind;

static const Kind KINDS[] = {
    {AGENTS_GROUP, KIND_SANDBOX, ANNOTATION_V1ALPHA1_SANDBOX, true, convert_sandbox_to_v1beta1,
     convert_sandbox_to_v1alpha1},
    {EXTENSIONS_GROUP, KIND_CLAIM, ANNOTATION_V1ALPHA1_CLAIM, true, convert_claim_to_v1beta1,
     convert_claim_to_v1alpha1},
    {EXTENSIONS_GROUP, KIND_TEMPLATE, ANNOTATION_V1ALPHA1_TEMPLATE, false, convert_template_to_v1beta1,
     convert_template_to_v1alpha1},
    {EXTENSIONS_GROUP, KIND_POOL, ANNOTATION_V1ALPHA1_POOL, false, convert_pool_to_v1beta1, convert_pool_to_v1alpha1},
};

/* Jansson answers NULL when there is no memory; depth and encoding were checked when it was parsed. */
static json_t *copy_of(const json_t *object) {
  json_t *copy = json_deep_copy(object);
  if (!copy)
    abort();
  return copy;
}

/* The version in "group/version" when the group is that one and the version one of ours; else NULL. */
static const char *version_in(const char *api_version, const char *group) {
  size_t n = strlen(group);
  if (!api_version || strncmp(api_version, group, n) != 0 || api_version[n] != '/')
    return NULL;
  const char *version = api_version + n + 1;
  return str_equal(version, HUB) || str_equal(version, SPOKE) ? version : NULL;
}

/* The whole of the object as compact JSON, without a state saved earlier, so that they never nest. With its keys in
 * order: writing back what was read must store the same bytes, or the API server counts a change. */
static void save_state(json_t *object, const json_t *original, const char *key) {
  KUBE_OWNED json_t *bare = copy_of(original);
  convert_remove_annotation(bare, key);
  CLEANUP(str_freep) char *text = json_dumps(bare, JSON_COMPACT | JSON_SORT_KEYS);
  if (!text)
    abort();
  kube_set_annotation(object, key, text);
}

static int to_hub(const Kind *kind, const json_t *original, json_t *object, Error *err) {
  const char *unused;
  if (convert_annotation(object, kind->state_key, &unused, err) || kind->to_hub(object, err))
    return -1;
  save_state(object, original, kind->state_key);
  return 0;
}

static int to_spoke(const Kind *kind, json_t *object, Error *err) {
  const char *text;
  if (convert_annotation(object, kind->state_key, &text, err))
    return -1;
  KUBE_OWNED json_t *state = NULL;
  if (text && kind->restores) {
    state = json_loads(text, JSON_ALLOW_NUL, NULL);
    if (!json_is_object(state))
      return error_field(err, "metadata.annotations", "annotation %s is not a JSON object", kind->state_key);
  }
  convert_remove_annotation(object, kind->state_key);
  return kind->to_spoke(object, state, err);
}

/* The table's row for the object, and its version; NULL and err when there is no way from there to the other. */
static const Kind *find_kind(const json_t *object, const char *to, const char **ret_from, Error *err) {
  const char *api_version, *name;
  if (!json_is_object(object)) {
    error_set(err, ERROR_INVALID_ARGUMENT, "it is not a JSON object");
    return NULL;
  }
  if (convert_text(object, "apiVersion", &api_version, err) || convert_text(object, "kind", &name, err))
    return NULL;
  for (size_t i = 0; i < ARRAY_LEN(KINDS); i++) {
    if (!str_equal(KINDS[i].kind, name) || !(*ret_from = version_in(api_version, KINDS[i].group)))
      continue;
    if (!version_in(to, KINDS[i].group))
      break;
    return &KINDS[i];
  }
  error_set(err, ERROR_INVALID_ARGUMENT, "there is no conversion of kind '%s' from '%s' to '%s'", name ? name : "",
            api_version ? api_version : "", to ? to : "");
  return NULL;
}

int conversion_convert(const json_t *object, const char *to_api_version, json_t **ret_object, Error *err) {
  const char *from;
  json_t *unused;
  const Kind *kind = find_kind(object, to_api_version, &from, err);
  if (!kind)
    return -1;
  const char *to = version_in(to_api_version, kind->group);
  KUBE_OWNED json_t *copy = copy_of(object);
  if (!str_equal(from, to)) {
    bool to_the_hub = str_equal(to, HUB);
    if (convert_map(object, "metadata.annotations", &unused, err) || convert_map(object, "spec", &unused, err) ||
        convert_map(object, "status", &unused, err))
      return -1;
    kube_set(copy, "apiVersion", json_string(to_api_version));
    if (to_the_hub ? to_hub(kind, object, copy, err) : to_spoke(kind, copy, err))
      return -1;
  }
  *ret_object = copy;
  copy = NULL;
  return 0;
}

/* ---- the review ---- */

/* A list of the converted objects; NULL and err, which names the first that cannot be. */
static json_t *convert_all(const json_t *request, Error *err) {
  const char *to;
  if (convert_text(request, "desiredAPIVersion", &to, err))
    return NULL;
  const json_t *objects = json_object_get(request, "objects");
  if (objects && !json_is_array(objects) && !json_is_null(objects)) {
    error_field(err, "request.objects", "request.objects is not a list");
    return NULL;
  }
  json_t *list = json_array();
  for (size_t i = 0; i < json_array_size(objects); i++) {
    const json_t *object = json_array_get(objects, i);
    json_t *converted;
    if (conversion_convert(object, to, &converted, err)) {
      const char *name = kube_name(object), *namespace = kube_namespace(object);
      error_prefix(err, "object %zu (%s/%s)", i, namespace ? namespace : "", name ? name : "");
      json_decref(list);
      return NULL;
    }
    if (json_array_append_new(list, converted) != 0)
      abort();
  }
  return list;
}

/* A message that was cut within a character is no text for JSON: its last bytes go. */
static json_t *text_of_error(Error *err) {
  for (size_t n = strlen(err->message);; n--) {
    json_t *text = json_stringn(err->message, n);
    if (text)
      return text;
    if (n == 0)
      abort();
  }
}

static int append(const char *data, size_t len, void *arg) {
  return buf_append(arg, data, len);
}

/* Takes objects, which may be NULL. -1: it does not fit, and *out is as it was. */
static int write_answer(const char *api_version, const json_t *uid, json_t *objects, Error *refusal, Buf *out) {
  size_t len = out->len;
  KUBE_OWNED json_t *review = json_object();
  kube_set(review, "apiVersion", json_string(api_version));
  kube_set(review, "kind", json_string("ConversionReview"));
  kube_set(review, "response.uid", json_deep_copy(uid));
  kube_set(review, "response.result.status", json_string(objects ? "Success" : "Failed"));
  if (objects)
    kube_set(review, "response.convertedObjects", objects);
  else
    kube_set(review, "response.result.message", text_of_error(refusal));
  if (json_dump_callback(review, append, out, JSON_COMPACT) == 0)
    return 0;
  out->len = len;
  return -1;
}

int conversion_review(const char *body, size_t len, Buf *out, Error *err) {
  json_error_t bad;
  KUBE_OWNED json_t *review = json_loadb(body, len, JSON_ALLOW_NUL, &bad);
  if (!review)
    return error_set(err, ERROR_INVALID_ARGUMENT, "the body is not JSON (line %d): %s", bad.line, bad.text);
  const json_t *request = json_object_get(review, "request");
  const json_t *uid = json_object_get(request, "uid");
  if (json_string_length(uid) == 0)
    return error_field(err, "request.uid", "the body has no request with a uid");
  const char *api_version = kube_text(review, "apiVersion");
  bool known = str_equal(api_version, REVIEW_GROUP "v1") || str_equal(api_version, REVIEW_GROUP "v1beta1");
  json_t *objects = NULL;
  Error refusal = {0};
  if (!known || !str_equal(kube_text(review, "kind"), "ConversionReview")) {
    error_set(&refusal, ERROR_INVALID_ARGUMENT, "the body is not a ConversionReview of " REVIEW_GROUP "v1 or v1beta1");
    api_version = known ? api_version : REVIEW_GROUP "v1";
  } else {
    objects = convert_all(request, &refusal);
  }
  if (write_answer(api_version, uid, objects, &refusal, out) == 0)
    return 0;
  error_set(&refusal, ERROR_RESOURCE_EXHAUSTED, "the converted objects are too large for one answer");
  if (!objects || write_answer(api_version, uid, NULL, &refusal, out))
    return error_set(err, ERROR_RESOURCE_EXHAUSTED, "the answer is larger than its buffer");
  return 0;
}
