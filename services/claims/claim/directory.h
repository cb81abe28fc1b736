/* The pools there are, as this replica last read them: name, template, how many are ready.
 *
 * It answers which pool may serve a claim from a template, and tells the expiry loop and the watches which
 * pools exist. It is a hint and never decides anything: the claim script does. Every pool is read again when
 * a hint names it (at most once in DIRECTORY_TICK_MS, so that a busy pool is not read for every claim) and
 * all are read after a reconnect and every DIRECTORY_REFRESH_MS.
 */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIM_DIRECTORY_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIM_DIRECTORY_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/loop/loop.h"
#include "lib/state/state.h"

enum { DIRECTORY_TICK_MS = 20, DIRECTORY_REFRESH_MS = 5000 };

typedef struct Directory Directory;

typedef struct DirectoryPool {
  char ns[STATE_NAME_MAX + 1];
  char name[STATE_NAME_MAX + 1];
  char template_name[STATE_NAME_MAX + 1];
  bool usable; /* declared and not deleted */
  int64_t n_ready;
} DirectoryPool;

/* fn runs whenever a pool was read, and with present false when it is gone. */
Directory *directory_new(Loop *loop, State *state,
                         void (*fn)(void *arg, const char *ns, const char *pool, bool present), void *arg);
void directory_free(Directory *directory);
/* Reads all again. */
void directory_refresh(Directory *directory);
size_t directory_size(const Directory *directory);
/* The usable pool of a template with most ready sandboxes that is not among the tried; NULL: none. */
const DirectoryPool *directory_pick(const Directory *directory, const char *ns, const char *template_name,
                                    const char (*tried)[STATE_NAME_MAX + 1], size_t n_tried);

#endif
