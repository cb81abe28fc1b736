/* The template controller: label and NetworkPolicy of each SandboxTemplate, and its record in the shared state. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_TEMPLATE_CONTROLLER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_TEMPLATE_CONTROLLER_H_

#include "services/reconciler/kubernetes/cluster/cluster.h"

typedef struct TemplateController TemplateController;

TemplateController *template_controller_new(Cluster *c);
void template_controller_free(TemplateController *t); /* NULL-safe; after cluster_disconnect */
void template_controller_lead(TemplateController *t, bool leads);
void template_controller_on_template(TemplateController *t, const json_t *before, const json_t *after);
void template_controller_on_policy(TemplateController *t, const json_t *before, const json_t *after);
/* The shared state may have lost what it was told. */
void template_controller_tell_again(TemplateController *t);

#endif
