/* Manifests, and YAML with them. The canonical form of what is taken is a manifest too, and the same one: it is what
 * is stored and what decides whether a sandbox is stale.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/manifest/manifest.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static int on_document(void *arg, const ManifestDocument *doc, Error *err) {
  if (doc->len == 0 || doc->line < 1)
    abort();
  if (manifest_belongs(doc, err) < 0 && !*err->message)
    abort();
  (void)arg;
  return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const char *text = (const char *)data;
  Manifest m, again;
  Error err;
  if (manifest_each(text, size, on_document, NULL, &err) < 0 && !*err.message)
    abort();
  if (manifest_parse(text, size, &m, &err) == 0) {
    if (m.kind == MANIFEST_TEMPLATE) {
      const char *canonical = m.template_.canonical;
      if (manifest_parse(canonical, strlen(canonical), &again, &err) != 0)
        abort();
      if (strcmp(again.template_.canonical, canonical) != 0 || strcmp(again.template_.hash, m.template_.hash) != 0)
        abort();
      manifest_deinit(&again);
    }
    manifest_deinit(&m);
  } else if (!*err.message) {
    abort();
  }
  char word[64] = "";
  memcpy(word, data, size < sizeof word ? size : sizeof word - 1);
  int64_t milli;
  (void)!manifest_quantity(word, &milli);
  return 0;
}
