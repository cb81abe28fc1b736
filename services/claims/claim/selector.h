/* Label selectors of lists and watches: requirements, comma separated, all of which must hold. */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIM_SELECTOR_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIM_SELECTOR_H_

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/compiler.h"
#include "lib/base/error.h"
#include "lib/state/state_record.h"

enum {
  SELECTOR_MAX_TERMS = 64, /* as many as a sandbox may have labels */
  SELECTOR_MAX_BYTES = 16 << 10,
};

typedef struct Selector Selector;

/* "key", "!key", "key=value", "key==value", "key!=value"; blanks around each are ignored. Empty or NULL
 * text: matches everything. NULL and field "label_selector" in err when it is malformed. */
Selector *selector_parse(const char *text, Error *err);
void selector_free(Selector *selector);
bool selector_matches(const Selector *selector, const StatePair *labels, size_t n_labels);

#endif
