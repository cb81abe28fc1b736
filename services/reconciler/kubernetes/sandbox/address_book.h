/* Where Sandboxes answer that have no record of their own name in the shared state: made by hand, cold, or moved. The
 * router looks here for what it does not find as a record.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_ADDRESS_BOOK_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_ADDRESS_BOOK_H_

#include "services/reconciler/kubernetes/cluster/controller.h"

Controller *address_book_new(Cluster *c);

#endif
