/* Reads the state for one watcher and tells what it should see, in order and without gaps.
 *
 * For each pool in scope it notes the end of the pool's history, reads the pool's sandboxes, and then follows
 * the history from where it noted: what changed while it read is looked at again. An event in the history
 * only says which sandbox changed; what is told is the sandbox as it is now, so several changes in a row may
 * be told as one. Going on from a resume token, it reads the history since then first.
 *
 * One read is under way at a time, so a watcher costs the state no more than it can take in; while it is full
 * (a slow reader) nothing is read. One that falls behind the retained history is ended with OUT_OF_RANGE.
 * While the state is away the feed rests and goes on by itself.
 */
#ifndef SANDPLANE_SERVICES_CLAIMS_WATCH_WATCH_FEED_H_
#define SANDPLANE_SERVICES_CLAIMS_WATCH_WATCH_FEED_H_

#include "lib/state/state.h"
#include "services/claims/watch/resume.h"
#include "services/claims/watch/watch.h"
#include "services/claims/watch/watch_pools.h"

typedef struct WatchFeed WatchFeed;

typedef struct WatchEvent {
  WatchChange change;
  const char *ns, *pool, *id, *uid;
  const SandboxRecord *record; /* NULL for DELETED */
} WatchEvent;

typedef struct WatchFeedHandlers {
  void (*event)(void *arg, const WatchEvent *event);
  /* The initial set is complete; not called after a resume. */
  void (*synced)(void *arg);
  /* True: tell nothing more until watch_feed_pump. */
  bool (*full)(void *arg);
  /* The feed is over; free it. */
  void (*failed)(void *arg, const Error *err);
} WatchFeedHandlers;

/* from: where to go on, taken over; resumed false: from is empty and the current set comes first. filter and
 * handlers must outlive it. Nothing is told before watch_feed_pump. */
WatchFeed *watch_feed_new(State *state, const WatchScope *scope, const WatchFilter *filter, bool resumed, Resume *from,
                          const WatchFeedHandlers *handlers, void *arg);
/* Allowed inside failed. */
void watch_feed_free(WatchFeed *feed);
void watch_feed_pump(WatchFeed *feed);
/* The pool's history may have grown; NULL: all of them. */
void watch_feed_changed(WatchFeed *feed, const char *ns, const char *pool);
/* The pool exists; it is begun if it is new to the watcher. */
void watch_feed_found(WatchFeed *feed, const char *ns, const char *pool);
/* The pool is no more. */
void watch_feed_gone(WatchFeed *feed, const char *ns, const char *pool);
/* How far the watcher has been told. */
const Resume *watch_feed_position(const WatchFeed *feed);

#endif
