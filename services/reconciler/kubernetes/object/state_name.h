/* Names of pools and templates in the shared state, which takes fewer than the API server: DNS labels, and so short
 * that a member's name still is one.
 */
#ifndef SANDPLANE_SERVICES_RECONCILER_KUBERNETES_OBJECT_STATE_NAME_H_
#define SANDPLANE_SERVICES_RECONCILER_KUBERNETES_OBJECT_STATE_NAME_H_

#include <stdbool.h>

enum {
  STATE_NAME_SIZE = 64,
  STATE_NAME_POOL_MAX = 57,     /* leaves room for "-xxxxx" */
  STATE_NAME_TEMPLATE_MAX = 63, /* as it is; */
  STATE_NAME_TEMPLATE_CUT = 45, /* one that has to be cut leaves room for "shadow-pool-", too */
};

/* Itself where the state takes it; otherwise cut, hyphens for dots, and behind it a hash of the whole. */
void state_name_of_pool(const char *name, char out[STATE_NAME_SIZE]);
void state_name_of_template(const char *name, char out[STATE_NAME_SIZE]);

#endif
