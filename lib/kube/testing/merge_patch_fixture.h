/* What a merge patch does to an object, by RFC 7396 and not by what makes our patches. */
#ifndef SANDPLANE_LIB_KUBE_TESTING_MERGE_PATCH_FIXTURE_H_
#define SANDPLANE_LIB_KUBE_TESTING_MERGE_PATCH_FIXTURE_H_

#include <jansson.h>

/* New reference. */
json_t *merge_patch(const json_t *target, const json_t *patch);

#endif
