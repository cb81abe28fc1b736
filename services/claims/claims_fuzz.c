/* Label selectors, and the positions in resume tokens. A token's checksum keeps a fuzzer out, and not a liar: here the
 * input is sealed, as anybody could do.
 *
 * Up to a line's end the input is a selector, behind it a position.
 */
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "services/claims/claim/selector.h"
#include "services/claims/watch/resume.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void select_by(const char *text) {
  static const StatePair LABELS[] = {{"app", "web"}, {"a/b", ""}, {"tier", "x"}};
  Error err = {0};
  Selector *selector = selector_parse(text, &err);
  if (!selector && !*err.message)
    abort();
  if (selector) {
    bool all = selector_matches(selector, LABELS, ARRAY_LEN(LABELS)), none = selector_matches(selector, NULL, 0);
    if (!*text && (!all || !none))
      abort();
  }
  selector_free(selector);
}

static void resume_from(const char *text) {
  if (strlen(text) > 8192)
    return;
  CLEANUP(str_freep) char *token = resource_token_seal("q", text);
  Error err = {0};
  Resume r = {0}, again = {0};
  if (resume_parse(token, "q", &r, &err) == 0) {
    CLEANUP(str_freep) char *same = resume_token(&r, "q");
    if (resume_parse(same, "q", &again, &err) != 0 || again.n_entries != r.n_entries)
      abort();
    for (size_t i = 0; i < r.n_entries; i++) {
      const char *at = resume_get(&again, r.entries[i].pool);
      if (!at || strcmp(at, r.entries[i].stream_id) != 0)
        abort();
      resume_ms(at);
    }
    resume_deinit(&again);
  } else if (!*err.message) {
    abort();
  }
  resume_deinit(&r);
  if (resume_parse(text, "q", &r, &err) == 0)
    resume_deinit(&r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  CLEANUP(str_freep) char *text = str_ndup((const char *)data, size);
  char *line_end = strchr(text, '\n');
  if (line_end)
    *line_end = 0;
  select_by(text);
  resume_from(line_end ? line_end + 1 : "");
  return 0;
}
