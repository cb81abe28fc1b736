/* ConversionReviews of any content: the answer to one is JSON, names its uid, and says Success with as many objects
 * as were asked about, or Failed and why.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/kube/kube_object.h"
#include "services/reconciler/kubernetes/conversion/conversion.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_answer(const json_t *review, const json_t *answer) {
  if (!kube_text(answer, "response.uid") ||
      strcmp(kube_text(answer, "response.uid"), kube_text(review, "request.uid")) != 0)
    abort();
  const char *status = kube_text(answer, "response.result.status");
  const json_t *objects = kube_get(answer, "response.convertedObjects"), *asked = kube_get(review, "request.objects");
  if (str_equal(status, "Success")) {
    if (json_array_size(objects) != json_array_size(asked))
      abort();
  } else if (!str_equal(status, "Failed") || json_array_size(objects) != 0 ||
             !kube_text(answer, "response.result.message")) {
    abort();
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CLEANUP(buf_deinit) Buf out = BUF_INIT(8 << 20);
  Error err;
  if (conversion_review((const char *)data, size, &out, &err) != 0)
    return 0;
  KUBE_OWNED json_t *answer = json_loadb((const char *)out.data, out.len, 0, NULL);
  if (!answer)
    abort();
  KUBE_OWNED json_t *review = json_loadb((const char *)data, size, 0, NULL);
  if (review)
    check_answer(review, answer);
  return 0;
}
