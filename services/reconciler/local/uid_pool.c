/* See uid_pool.h. Taken in a circle, so that what is left of a user's last sandbox (a key that expires, a page that the
 * kernel writes back) is gone before the number comes again. */
#include "services/reconciler/local/uid_pool.h"

#include <stdlib.h>

#include "lib/base/alloc.h"

struct UidPool {
  uid_t base;
  size_t count, next, n_lent;
  bool *lent;
};

UidPool *uid_pool_new(uid_t base, size_t count) {
  UidPool *p = new0(UidPool);
  *p = (UidPool){.base = base, .count = count, .lent = xcalloc(count, sizeof(bool))};
  return p;
}

void uid_pool_free(UidPool *p) {
  if (!p)
    return;
  free(p->lent);
  free(p);
}

static void lend(UidPool *p, size_t i) {
  p->lent[i] = true;
  p->n_lent++;
}

uid_t uid_pool_take(UidPool *p) {
  if (p->n_lent == p->count)
    return 0;
  while (p->lent[p->next])
    p->next = (p->next + 1) % p->count;
  size_t i = p->next;
  p->next = (i + 1) % p->count;
  lend(p, i);
  return p->base + (uid_t)i;
}

static bool is_ours(const UidPool *p, uid_t uid) {
  return uid >= p->base && uid - p->base < p->count;
}

bool uid_pool_hold(UidPool *p, uid_t uid) {
  if (!is_ours(p, uid) || p->lent[uid - p->base])
    return false;
  lend(p, uid - p->base);
  /* those before it were lent before, some of them a moment ago */
  if (uid - p->base >= p->next)
    p->next = (uid - p->base + 1) % p->count;
  return true;
}

void uid_pool_give_back(UidPool *p, uid_t uid) {
  if (!is_ours(p, uid) || !p->lent[uid - p->base])
    return;
  p->lent[uid - p->base] = false;
  p->n_lent--;
}
