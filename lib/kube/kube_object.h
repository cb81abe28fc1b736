/* Kubernetes objects as JSON values, read narrowly and changed minimally.
 *
 * jansson's json_t is the type for JSON everywhere above this floor. Readers are NULL-safe and answer NULL (or
 * the default) for what is absent or of another type, so a path needs no checks on its way; what they return
 * is borrowed from the object. Paths are keys joined by dots ("spec.podTemplate.spec"); a key that itself has
 * dots (labels, annotations) has readers of its own.
 */
#ifndef SANDPLANE_LIB_KUBE_KUBE_OBJECT_H_
#define SANDPLANE_LIB_KUBE_KUBE_OBJECT_H_

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/base/compiler.h"

json_t *kube_get(const json_t *object, const char *path);
/* NULL when it is not a string. */
const char *kube_text(const json_t *object, const char *path);
int64_t kube_int(const json_t *object, const char *path, int64_t otherwise);
/* 1, 0, or -1 when it is not there: for fields where unset is not false. */
int kube_bool(const json_t *object, const char *path);

/* ---- metadata ---- */

const char *kube_name(const json_t *object);
const char *kube_namespace(const json_t *object);
const char *kube_uid(const json_t *object);
const char *kube_label(const json_t *object, const char *key);
const char *kube_annotation(const json_t *object, const char *key);
bool kube_is_deleting(const json_t *object);
/* The owner reference with controller: true. */
json_t *kube_controller(const json_t *object);
bool kube_is_controlled_by(const json_t *object, const char *uid);
/* Whether the controller is of this group and kind, in whatever version. */
bool kube_controller_is(const json_t *object, const char *group, const char *kind);
/* New reference: one owner reference with controller and blockOwnerDeletion set. */
json_t *kube_owner_reference(const char *api_version, const char *kind, const char *name, const char *uid);

/* ---- building ---- */

/* Objects of others are not of the shape we want: on what is no object, nothing is set. */

/* Sets object[a][b]... = value (stolen), making the objects on the way. */
void kube_set(json_t *object, const char *path, json_t *value);
/* object.metadata.labels[key] = value; NULL removes it. Also for a podTemplate, which has metadata as well. */
void kube_set_label(json_t *object, const char *key, const char *value);
void kube_set_annotation(json_t *object, const char *key, const char *value);
/* New reference: the JSON merge patch (RFC 7396) that makes `to` of `from`, or NULL when they are equal. Lists
 * are replaced whole. A null is as good as a key that is not there, for such a patch cannot say it. */
json_t *kube_merge_patch(const json_t *from, const json_t *to);

/* ---- conditions (metav1.Condition) ---- */

typedef struct KubeCondition {
  const char *type, *status, *reason, *message;
  int64_t observed_generation;
  /* Taken at the first insertion or when the status moves; NULL: `now` of kube_condition_set. RFC 3339. */
  const char *last_transition_time;
} KubeCondition;

/* The condition in a list of conditions (may be NULL). */
json_t *kube_condition(const json_t *conditions, const char *type);
bool kube_condition_is(const json_t *conditions, const char *type, const char *status);
/* Inserts or changes it in place; lastTransitionTime moves only when status does. True when anything changed. */
bool kube_condition_set(json_t *conditions, const KubeCondition *c, const char *now);
bool kube_condition_remove(json_t *conditions, const char *type);

/* ---- names ---- */

/* NameHash of the Agent Sandbox API: FNV-1a, 32 bits, 8 hexadecimal digits. */
void kube_name_hash(const char *name, char out[9]);
/* RFC 3339 in UTC: seconds ("2026-01-31T12:00:00Z", as metav1.Time), and to milliseconds since 1970; -1: not
 * a time. Fractions and offsets are understood. */
void kube_format_time(int64_t wall_ms, char out[21]);
int64_t kube_parse_time(const char *s);

static inline void kube_unrefp(json_t **p) {
  json_decref(*p);
}
/* A local that owns its value: KUBE_OWNED json_t *x = ... */
#define KUBE_OWNED CLEANUP(kube_unrefp)

#endif
