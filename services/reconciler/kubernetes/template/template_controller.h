/* The template controller: label and NetworkPolicy of each SandboxTemplate, and its record in the shared state. */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_TEMPLATE_CONTROLLER_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_TEMPLATE_TEMPLATE_CONTROLLER_H_

#include "services/reconciler/kubernetes/cluster/controller.h"

Controller *template_controller_new(Cluster *c);

#endif
