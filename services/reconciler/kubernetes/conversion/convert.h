/* What the kinds' conversions share: reading that refuses wrong types, and their entries.
 *
 * Each works in place on a copy that is already of the new apiVersion; conversion.c keeps the saved state.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CONVERSION_CONVERT_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CONVERSION_CONVERT_H_

#include <jansson.h>
#include <stdint.h>

#include "lib/base/error.h"

/* What convert_int answers for a number that is not there. */
#define CONVERT_NO_INT INT64_MIN

/* Paths as in kube_object.h. null counts as not there, as everywhere in the API. -1 with the path as the
 * error's field when a value on the way is of another type. */
int convert_map(const json_t *object, const char *path, json_t **ret_map, Error *err) MUST_CHECK;
int convert_text(const json_t *object, const char *path, const char **ret_text, Error *err) MUST_CHECK;
/* An int32. */
int convert_int(const json_t *object, const char *path, int64_t *ret_value, Error *err) MUST_CHECK;
/* The annotation, NULL when it is not there. */
int convert_annotation(const json_t *object, const char *key, const char **ret_value, Error *err) MUST_CHECK;
/* Takes the annotation away, and the map when it was the last. */
void convert_remove_annotation(json_t *object, const char *key);
/* object[parent][key] goes, if it is there. */
void convert_remove(json_t *object, const char *parent, const char *key);

int convert_sandbox_to_v1beta1(json_t *object, Error *err) MUST_CHECK;
int convert_claim_to_v1beta1(json_t *object, Error *err) MUST_CHECK;
int convert_template_to_v1beta1(json_t *object, Error *err) MUST_CHECK;
int convert_pool_to_v1beta1(json_t *object, Error *err) MUST_CHECK;

/* state: the v1alpha1 object it once was, or NULL; templates and pools have no use for it. */
int convert_sandbox_to_v1alpha1(json_t *object, const json_t *state, Error *err) MUST_CHECK;
int convert_claim_to_v1alpha1(json_t *object, const json_t *state, Error *err) MUST_CHECK;
int convert_template_to_v1alpha1(json_t *object, const json_t *state, Error *err) MUST_CHECK;
int convert_pool_to_v1alpha1(json_t *object, const json_t *state, Error *err) MUST_CHECK;

#endif
