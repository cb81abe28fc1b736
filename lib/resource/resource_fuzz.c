/* Resource names, parents and page tokens. A name that is taken is written again as it was; a token that is opened
 * is one that we would have made.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "lib/resource/resource.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CLEANUP(str_freep) char *text = str_ndup((const char *)data, size);
  Error err;
  ResourceName name;
  char again[RESOURCE_NAME_SIZE], ns[RESOURCE_SEGMENT_MAX + 1], position[RESOURCE_POSITION_MAX + 1];
  static const char *const COLLECTIONS[] = {"sandboxes", "pools", "templates"};
  for (size_t i = 0; i < ARRAY_LEN(COLLECTIONS); i++) {
    if (resource_name_parse(text, COLLECTIONS[i], "name", &name, &err) != 0)
      continue;
    resource_name_format(again, name.ns, COLLECTIONS[i], name.id);
    if (strcmp(again, text) != 0)
      abort();
  }
  for (int wildcard = 0; wildcard < 2; wildcard++) {
    if (resource_parent_parse(text, wildcard, "parent", ns, &err) == 0 && strlen(ns) > RESOURCE_SEGMENT_MAX)
      abort();
  }
  if (resource_page_position(text, "q", position, &err) == 0 && *text) {
    CLEANUP(str_freep) char *sealed = resource_token_seal("q", position);
    if (strcmp(sealed, text) != 0)
      abort();
  }
  if (strlen(text) > RESOURCE_POSITION_MAX)
    return 0;
  CLEANUP(str_freep) char *token = resource_token_seal(text, text);
  if (resource_page_position(token, text, position, &err) != 0 || strcmp(position, text) != 0)
    abort();
  return 0;
}
