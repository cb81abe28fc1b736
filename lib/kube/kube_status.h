/* What an answer of the API server that is no success means (metav1.Status, API conventions). */
#ifndef SANDPLANE_LIB_KUBE_KUBE_STATUS_H_
#define SANDPLANE_LIB_KUBE_KUBE_STATUS_H_

#include "lib/base/error.h"
#include "lib/kube/kube_object.h"

/* Fills *err by the table of kube_client.h; body: the Status, or NULL. Also for the ERROR event of a watch. */
void kube_status_error(Error *err, int http_status, const json_t *body, const char *what);

#endif
