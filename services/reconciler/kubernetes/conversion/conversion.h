/* Conversion of the Agent Sandbox kinds between v1alpha1 and v1beta1, as the API server asks a webhook for it.
 *
 * v1beta1 is the hub: what is stored and what the controllers know. An object that comes from v1alpha1 carries
 * its whole original as an annotation, so that what v1beta1 cannot say comes back when a v1alpha1 client
 * reads it again. All of this is a function of its input: no clock, no state, no I/O; the input is not
 * changed. An object that cannot be read as its version says (a wrong type where we read, unparsable saved
 * state) is refused: guessing here would be stored.
 *
 * Strings that are empty and numbers that are zero by conversion (status.nodeName, status.observedGeneration)
 * are left out, which is how the API writes them.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CONVERSION_CONVERSION_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_CONVERSION_CONVERSION_H_

#include <jansson.h>
#include <stddef.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"

/* *ret_object: a new object of that version ("agents.x-k8s.io/v1beta1"); of its own version: a copy. -1:
 * a kind, group or version that is not ours, or an object that cannot be read. */
int conversion_convert(const json_t *object, const char *to_api_version, json_t **ret_object, Error *err) MUST_CHECK;

/* body: a ConversionReview of apiextensions.k8s.io, v1 or v1beta1. Puts the answer to it, of the same version,
 * behind what is in *out: all objects in order, or status Failed, a message and none. -1 only when there is
 * nobody to answer to (not JSON, or without request and uid), or not even a refusal fits into *out. */
int conversion_review(const char *body, size_t len, Buf *out, Error *err) MUST_CHECK;

#endif
