/* See watch.h. */
#include "services/claims/watch/watch.h"

#include <search.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/alloc.h"
#include "lib/base/str.h"

bool watch_sees(const WatchFilter *filter, const SandboxRecord *record) {
  if (!record)
    return false;
  if (!filter->show_unclaimed && str_empty(record->uid))
    return false;
  if (!authz_may_see(filter->who, record->tenant))
    return false;
  return selector_matches(filter->selector, record->labels, record->n_labels);
}

WatchChange watch_change(bool saw, bool sees) {
  if (sees)
    return saw ? WATCH_MODIFIED : WATCH_ADDED;
  return saw ? WATCH_DELETED : WATCH_NOTHING;
}

WatchChange watch_change_resumed(const WatchFilter *filter, const SandboxRecord *record, const char *uid,
                                 const char *tenant, int64_t since_ms) {
  if (watch_sees(filter, record)) {
    int64_t appeared_ms = filter->show_unclaimed ? record->create_ms : record->claim_ms;
    return appeared_ms > since_ms ? WATCH_ADDED : WATCH_MODIFIED;
  }
  /* never seen: it was another's */
  if (!authz_may_see(filter->who, record && !str_empty(record->uid) ? record->tenant : tenant))
    return WATCH_NOTHING;
  return filter->show_unclaimed || !str_empty(uid) ? WATCH_DELETED : WATCH_NOTHING;
}

/* The first member is the key. */
typedef struct Seen {
  char id[STATE_NAME_MAX + 1];
  char uid[];
} Seen;

static int compare(const void *a, const void *b) {
  return strcmp(a, b);
}

void watch_set_deinit(WatchSet *set) {
  tdestroy(set->root, free);
  *set = (WatchSet){0};
}

static Seen *lookup(const WatchSet *set, const char *id) {
  Seen **node = tfind(id, &set->root, compare);
  return node ? *node : NULL;
}

const char *watch_set_get(const WatchSet *set, const char *id) {
  const Seen *seen = lookup(set, id);
  return seen ? seen->uid : NULL;
}

void watch_set_put(WatchSet *set, const char *id, const char *uid) {
  const Seen *old = lookup(set, id);
  if (old && str_equal(old->uid, uid))
    return;
  watch_set_remove(set, id);
  Seen *seen = xcalloc(1, sizeof *seen + strlen(uid) + 1);
  snprintf(seen->id, sizeof seen->id, "%s", id);
  memcpy(seen->uid, uid, strlen(uid) + 1);
  if (!tsearch(seen, &set->root, compare))
    abort();
  set->n++;
}

void watch_set_remove(WatchSet *set, const char *id) {
  Seen *seen = lookup(set, id);
  if (!seen)
    return;
  tdelete(id, &set->root, compare);
  free(seen);
  set->n--;
}

typedef struct Each {
  void (*fn)(void *arg, const char *id, const char *uid);
  void *arg;
} Each;

static void visit(const void *node, VISIT which, void *closure) {
  if (which != postorder && which != leaf)
    return;
  const Each *each = closure;
  const Seen *seen = *(Seen *const *)node;
  each->fn(each->arg, seen->id, seen->uid);
}

void watch_set_each(const WatchSet *set, void (*fn)(void *arg, const char *id, const char *uid), void *arg) {
  Each each = {fn, arg};
  twalk_r(set->root, visit, &each);
}
