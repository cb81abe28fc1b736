/* What a watcher is told about one sandbox: decisions only, no input or output.
 *
 * A watcher sees a sandbox or does not (its labels match; somebody holds it, unless unclaimed ones are asked
 * for). What it is told follows from whether it saw it before and sees it now, so a sandbox whose labels stop
 * matching is DELETED for this watcher, and one whose labels begin to match is ADDED.
 *
 * What it saw before is a set of ids per pool. Right after a resume that set is not known for the time of the
 * token; there the rules lean to saying more: a change seen since then is ADDED when the sandbox came to be
 * seen after the token, MODIFIED otherwise; whatever may have been seen and is not now is DELETED, even if
 * this watcher never heard of it. So replaying events over a map keyed by name always ends in the true set.
 */
#ifndef SANDPLANE_SERVICES_CLAIMS_WATCH_WATCH_H_
#define SANDPLANE_SERVICES_CLAIMS_WATCH_WATCH_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/authz/authz.h"
#include "lib/state/state_record.h"
#include "services/claims/claim/selector.h"

typedef enum WatchChange { WATCH_NOTHING, WATCH_ADDED, WATCH_MODIFIED, WATCH_DELETED } WatchChange;

typedef struct WatchFilter {
  const Selector *selector;
  bool show_unclaimed;
  const AuthzPrincipal *who; /* sees what authz_may_see says; NULL: everything */
} WatchFilter;

/* record NULL: gone. Lists use it as well. */
bool watch_sees(const WatchFilter *filter, const SandboxRecord *record);

WatchChange watch_change(bool saw, bool sees);
/* since_ms: time of the token. uid, tenant: of the event, empty when nobody had claimed it. */
WatchChange watch_change_resumed(const WatchFilter *filter, const SandboxRecord *record, const char *uid,
                                 const char *tenant, int64_t since_ms);

/* The sandboxes of one pool that a watcher has seen. */
typedef struct WatchSet {
  void *root; /* tsearch(3) */
  size_t n;
} WatchSet;

void watch_set_deinit(WatchSet *set);
/* The uid it was last seen with (empty: unclaimed); NULL: not seen. */
const char *watch_set_get(const WatchSet *set, const char *id);
void watch_set_put(WatchSet *set, const char *id, const char *uid);
void watch_set_remove(WatchSet *set, const char *id);
/* Calls fn for each; fn must not change the set. */
void watch_set_each(const WatchSet *set, void (*fn)(void *arg, const char *id, const char *uid), void *arg);

#endif
