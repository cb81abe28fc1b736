/* The blueprint: what a template says about the Sandboxes made of it, and how its changes are noticed.
 *
 * The hash is over the JSON text that Go writes for these types: known fields in the order of the Go structs
 * (blueprint_fields.h), empty values left out, map keys sorted, quantities in canonical form. Fields we do not
 * know follow, sorted. The text makes two equal specs equal whoever wrote them, so that it also decides whether
 * a Sandbox is stale. Nobody may rely on the hash being the same in another implementation. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_BLUEPRINT_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_BLUEPRINT_H_

#include <stdbool.h>

#include "lib/kube/kube_object.h"

/* New reference: {podTemplate, volumeClaimTemplates, service}, each only when the template has it. The metadata
 * of podTemplate and everything else are copies. */
json_t *blueprint_of(const json_t *template);
/* Of the template as stored, without secure defaults. */
void blueprint_hash(const json_t *template, char out[9]);
/* Of what makes a Sandbox stale when it changes (see blueprint_differs): the template's name and all but metadata. */
void blueprint_meaning_hash(const json_t *template, char out[9]);
void blueprint_pod_hash(const json_t *template, char out[9]);
/* Whether a Sandbox made of this template (by its ref-hash label) no longer matches it: ref-hash label, then the
 * hash label, then meaning: pod spec with secure defaults, VCTs by index on name and spec, service. Metadata of
 * pods and VCTs is not compared. */
bool blueprint_differs(const json_t *sandbox, const json_t *template);
/* For Sandboxes that a controller makes: no service account token unless asked for; public DNS where the default
 * network policy blocks the cluster's. */
void blueprint_apply_secure_defaults(json_t *pod_spec, const json_t *template);

#endif
