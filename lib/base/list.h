/* A doubly linked list whose links stand inside its members.
 *
 * A member may leave without the list at hand, in constant time; nothing is allocated. The list owns no member. One
 * thread.
 *
 *   typedef struct Waiter { ListLink link; ... } Waiter;
 *   List waiters = LIST_INIT(waiters);
 *   list_append(&waiters, &w->link);
 *   LIST_EACH(Waiter, w, &waiters, link) ...
 */
#ifndef SANDPLANE_LIB_BASE_LIST_H_
#define SANDPLANE_LIB_BASE_LIST_H_

#include <stdbool.h>
#include <stddef.h>

/* Zeroed: in no list. */
typedef struct ListLink {
  struct ListLink *prev, *next;
} ListLink;

/* A ring through its own head, which is in no member. Must not be moved. */
typedef struct List {
  ListLink head;
} List;

#define LIST_INIT(list)            \
  {                                \
    { &(list).head, &(list).head } \
  }

/* The struct of this type whose field `member` is *ptr. */
#define CONTAINER_OF(ptr, type, member) ((type *)((char *)(ptr)-offsetof(type, member)))

static inline void list_init(List *list) {
  list->head.prev = list->head.next = &list->head;
}

static inline bool list_is_empty(const List *list) {
  return list->head.next == &list->head;
}

static inline bool list_is_linked(const ListLink *link) {
  return link->next != NULL;
}

/* A link that is in no list. */
static inline void list_append(List *list, ListLink *link) {
  link->prev = list->head.prev;
  link->next = &list->head;
  link->prev->next = link->next->prev = link;
}

/* No-op for one that is in no list. */
static inline void list_remove(ListLink *link) {
  if (!link->next)
    return;
  link->prev->next = link->next;
  link->next->prev = link->prev;
  link->prev = link->next = NULL;
}

/* NULL: empty. */
static inline ListLink *list_first(const List *list) {
  return list_is_empty(list) ? NULL : list->head.next;
}

/* Takes it out of the list; NULL: empty. */
static inline ListLink *list_take_first(List *list) {
  ListLink *first = list_first(list);
  if (!first)
    return NULL;
  /* not list_remove, in which the analyzer does not see that the head is changed */
  list->head.next = first->next;
  list->head.next->prev = &list->head;
  first->prev = first->next = NULL;
  return first;
}

/* Each member, oldest first. The one at hand may be removed and freed, and the list with the last; the others must
 * stay. */
#define LIST_EACH(type, var, list, member)                                                \
  for (ListLink *var##_at = (list)->head.next, *var##_next;                               \
       var##_at != &(list)->head && (var##_next = var##_at->next); var##_at = var##_next) \
    for (type *var = CONTAINER_OF(var##_at, type, member); var; var = NULL)

#endif
