/* The JSON text of a value as Go writes it; see blueprint.h. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_BLUEPRINT_TEXT_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_BLUEPRINT_TEXT_H_

#include "lib/kube/kube_object.h"

/* malloc'ed; type is a row of blueprint_fields.h ("PodSpec"). NULL values count as {}. */
char *blueprint_text(const json_t *value, const char *type);
/* A quantity in its canonical form ("0.5" is "500m"), malloc'ed; what we cannot reckon with stays as it is. */
char *blueprint_quantity(const char *text);

#endif
