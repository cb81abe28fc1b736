/* Equal parts of kept objects kept once: what thousands of objects made from one template have in common.
 *
 * A fixed number of recent values is remembered, so an object only ever loses a chance to share, and what is no longer
 * used is forgotten as other values come. Shared values must not be changed: kept objects are not (kube_informer.h).
 */
#ifndef SANDPLANE_LIB_KUBE_KUBE_SHARE_H_
#define SANDPLANE_LIB_KUBE_KUBE_SHARE_H_

#include <jansson.h>

typedef struct KubeShare KubeShare;

KubeShare *kube_share_new(void);
void kube_share_free(KubeShare *share); /* NULL-safe */
/* Replaces parts of the object by equal ones seen before. What makes an object this object (its first level, its
 * metadata and its status) stays its own. */
void kube_share(KubeShare *share, json_t *object);

#endif
