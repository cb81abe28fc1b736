/* See sandbox_read.h. */
#include "services/reconciler/kubernetes/object/sandbox_read.h"

#include <stdio.h>

#include "services/reconciler/kubernetes/object/well_known.h"

const char *sandbox_read_id(const json_t *sandbox) {
  /* a claim of a v1alpha1 client has a Sandbox of its own name and, until that is made anew, the Pod of the member it
   * got; the Pod's name alone is there where it was got before the member's was written down */
  const char *member = kube_annotation(sandbox, ANNOTATION_MEMBER);
  if (!member)
    member = kube_annotation(sandbox, ANNOTATION_POD_NAME);
  return member && kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_CLAIM) ? member : kube_name(sandbox);
}

bool sandbox_read_route(const json_t *sandbox, char *out, size_t size) {
  const char *ip = json_string_value(json_array_get(kube_get(sandbox, "status.podIPs"), 0));
  if (ip)
    snprintf(out, size, "pod:%s", ip);
  return ip != NULL;
}

bool sandbox_read_is_member(const json_t *sandbox) {
  if (!sandbox)
    return false;
  if (!kube_controller(sandbox))
    return kube_annotation(sandbox, ANNOTATION_EPOCH) != NULL;
  return kube_label(sandbox, LABEL_POOL) && kube_controller_is(sandbox, EXTENSIONS_GROUP, KIND_POOL);
}
