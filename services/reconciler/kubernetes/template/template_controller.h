/* The template controller: label and NetworkPolicy of each SandboxTemplate, and its record in the shared state. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_TEMPLATE_CONTROLLER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_TEMPLATE_CONTROLLER_H_

#include "services/reconciler/kubernetes/cluster/controller.h"

typedef struct TemplateController TemplateController;

TemplateController *template_controller_new(Cluster *c);
void template_controller_free(TemplateController *t); /* NULL-safe; after cluster_disconnect */
/* To lead, and to look and tell again. */
Controller *template_controller_of(TemplateController *t);
void template_controller_on_template(TemplateController *t, const json_t *before, const json_t *after);
void template_controller_on_policy(TemplateController *t, const json_t *before, const json_t *after);

#endif
