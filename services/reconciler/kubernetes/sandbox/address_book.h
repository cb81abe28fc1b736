/* Where Sandboxes answer that have no record of their own name in the shared state: made by hand, cold, or moved. The
 * router looks here for what it does not find as a record.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_ADDRESS_BOOK_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_SANDBOX_ADDRESS_BOOK_H_

#include "services/reconciler/kubernetes/cluster/controller.h"

typedef struct AddressBook AddressBook;

AddressBook *address_book_new(Cluster *c);
void address_book_free(AddressBook *a); /* NULL-safe; after cluster_disconnect */
/* To lead, and to tell again. */
Controller *address_book_controller(AddressBook *a);
void address_book_on_sandbox(AddressBook *a, const json_t *before, const json_t *after);

#endif
