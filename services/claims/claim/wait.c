/* See wait.h. */
#include "services/claims/claim/wait.h"

#include <stdio.h>

#include "lib/base/alloc.h"
#include "lib/base/map.h"
#include "lib/base/str.h"

enum {
  AGAIN_MS = 1000,
  /* The state drops one that waits by itself this long after its caller should have, in case this replica dies. */
  PLACE_MARGIN_MS = 1000,
};

struct WaitQueue {
  Map *places; /* Place by token */
  size_t n_placed;
};

/* Those with one token. */
typedef struct Place {
  List waits;
} Place;

/* ---- states ---- */

#define BIT(state) (1u << (state))

static void move(Wait *w, WaitState to) {
  static const unsigned FROM[] = {
      /* another pool, once more, told */
      [WAIT_ASKING] = BIT(WAIT_ASKING) | BIT(WAIT_QUEUED) | BIT(WAIT_CONFIRMING),
      [WAIT_QUEUED] = BIT(WAIT_ASKING) | BIT(WAIT_CONFIRMING),
      /* a grant may stand in the answer to the question itself, or of another call with this token */
      [WAIT_CONFIRMING] = BIT(WAIT_ASKING) | BIT(WAIT_QUEUED) | BIT(WAIT_CONFIRMING),
      [WAIT_LEAVING] = BIT(WAIT_ASKING) | BIT(WAIT_QUEUED) | BIT(WAIT_CONFIRMING),
      [WAIT_DONE] = BIT(WAIT_ASKING) | BIT(WAIT_CONFIRMING) | BIT(WAIT_LEAVING),
  };
  if (!(FROM[to] & BIT(w->state)))
    abort();
  w->state = to;
}

void wait_sends(Wait *w, WaitState state) {
  move(w, state);
  w->told = false;
}

void wait_gives_back(Wait *w) {
  wait_unlist(w);
  move(w, WAIT_LEAVING);
}

void wait_leave(Wait *w) {
  const Place *place = w->listed ? map_get(w->queue->places, w->token) : NULL;
  bool shared = place && list_first(&place->waits)->next != &place->waits.head;
  wait_gives_back(w);
  w->kind->leave(w->op, shared);
}

static void on_over(void *arg) {
  Wait *w = arg;
  if (w->end == WAIT_GOES_ON)
    w->end = WAIT_EXPIRED;
  if (w->state == WAIT_QUEUED)
    wait_leave(w);
}

static void on_again(void *arg) {
  Wait *w = arg;
  if (w->state == WAIT_QUEUED)
    w->kind->ask(w->op);
}

void wait_cancel(Wait *w) {
  w->end = WAIT_CANCELLED;
  if (w->state == WAIT_QUEUED)
    wait_leave(w);
}

static void ask_again_later(Wait *w) {
  if (!w->again)
    w->again = loop_timer_new(w->loop, on_again, w);
  loop_timer_start(w->again, AGAIN_MS);
}

void wait_answered(Wait *w) {
  w->in_doubt = false;
}

void wait_leave_in_doubt(Wait *w) {
  w->in_doubt = true;
  wait_leave(w);
}

void wait_again(Wait *w) {
  w->in_doubt = true;
  move(w, WAIT_QUEUED);
  ask_again_later(w);
}

void wait_placed(Wait *w, const char *token, bool again) {
  move(w, WAIT_QUEUED);
  wait_list(w, token);
  w->queue->n_placed += !w->placed;
  w->placed = true;
  if (w->end) {
    wait_leave(w);
    return;
  }
  if (!w->over) {
    w->over = loop_timer_new(w->loop, on_over, w);
    int64_t left = w->give_up_ms - loop_now_ms(w->loop);
    loop_timer_start(w->over, left > 0 ? left : 0);
  }
  if (again)
    ask_again_later(w);
  /* it may have overtaken this answer */
  if (w->told)
    w->kind->told(w->op);
}

bool wait_unanswered(Wait *w) {
  if (w->placed && !w->end) {
    wait_again(w);
    return true;
  }
  if (w->asked_twice || w->end == WAIT_CANCELLED)
    return false;
  w->asked_twice = true;
  w->kind->ask(w->op);
  return true;
}

void wait_done(Wait *w) {
  move(w, WAIT_DONE);
  wait_unlist(w);
  loop_timer_free(w->over);
  loop_timer_free(w->again);
}

void wait_begin(Wait *w, WaitQueue *queue, Loop *loop, const WaitKind *kind, void *op, int64_t max_wait_ms,
                int64_t call_ms) {
  bool call_ends_first = call_ms < max_wait_ms;
  *w = (Wait){.kind = kind,
              .op = op,
              .loop = loop,
              .queue = queue,
              .call_ends_first = call_ends_first,
              .give_up_ms = loop_now_ms(loop) + (call_ends_first ? call_ms : max_wait_ms)};
}

int64_t wait_place_ms(const Wait *w) {
  int64_t left = w->give_up_ms - loop_now_ms(w->loop);
  return left > 0 ? left + PLACE_MARGIN_MS : 0;
}

/* ---- who waits ---- */

static void unlist(Wait *w) {
  if (!w->listed)
    return;
  w->listed = false;
  Place *place = map_get(w->queue->places, w->token);
  list_remove(&w->link);
  if (list_is_empty(&place->waits)) {
    map_remove(w->queue->places, w->token);
    free(place);
  }
}

void wait_unlist(Wait *w) {
  unlist(w);
  w->queue->n_placed -= w->placed;
  w->placed = false;
}

void wait_list(Wait *w, const char *token) {
  if (w->listed && str_equal(w->token, token))
    return;
  unlist(w);
  snprintf(w->token, sizeof w->token, "%s", token);
  Place *place = map_get(w->queue->places, w->token);
  if (!place) {
    place = new0(Place);
    list_init(&place->waits);
    map_put(w->queue->places, w->token, place);
  }
  list_append(&place->waits, &w->link);
  w->listed = true;
}

static void tell_all(void *arg, const char *token, void *value) {
  Place *place = value;
  LIST_EACH(Wait, w, &place->waits, link) {
    if (w->state == WAIT_QUEUED)
      w->kind->told(w->op);
    else
      w->told = true;
  }
}

void wait_queue_tell(WaitQueue *queue, const char *token) {
  if (!token) {
    map_each(queue->places, tell_all, NULL);
    return;
  }
  Place *place = map_get(queue->places, token);
  if (place)
    tell_all(NULL, token, place);
}

size_t wait_queue_placed(const WaitQueue *queue) {
  return queue->n_placed;
}

WaitQueue *wait_queue_new(void) {
  WaitQueue *queue = new0(WaitQueue);
  queue->places = map_new();
  return queue;
}

void wait_queue_free(WaitQueue *queue) {
  if (!queue)
    return;
  map_free(queue->places);
  free(queue);
}
