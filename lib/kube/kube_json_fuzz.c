/* JSON text of an API server: what jansson takes as it is must mean the same here, and what is mended must be JSON
 * to anybody else. Also what a refusal's body is made into.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/kube/kube_json.h"
#include "lib/kube/kube_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  char *text = xmalloc(size ? size : 1);
  if (size)
    memcpy(text, data, size);
  KUBE_OWNED json_t *plain = json_loadb((const char *)data, size, 0, NULL);
  KUBE_OWNED json_t *value = kube_json_parse(text, size);
  free(text);
  if (plain && (!value || !json_equal(plain, value)))
    abort();
  if (!value)
    return 0;
  char *again = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY);
  KUBE_OWNED json_t *same = again ? json_loads(again, JSON_DECODE_ANY, NULL) : NULL;
  if (!same)
    abort();
  free(again);
  for (int status = 400; status < 600; status += 11) {
    Error err;
    kube_status_error(&err, status, value, "GET /x");
    if (err.kind == ERROR_NONE || memchr(err.message, 0, sizeof err.message) == NULL)
      abort();
  }
  return 0;
}
