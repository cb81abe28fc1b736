/* How one call waits for what it asks of the state: one sandbox (claim_store) or several (batch_store).
 *
 *               placed             told, again
 *   ASKING ---------------> QUEUED -----------> ASKING or CONFIRMING
 *     | ^                     |                          |
 *     | +-- once more --+     | over, cancelled          |
 *     v                       v                          v
 *   DONE <---------------- LEAVING <---------------------+ when it is over meanwhile
 *
 * While it is QUEUED nothing of it is under way, and whatever comes moves it at once: word that there is something for
 * it, the end of its wait, its caller's leaving. In the other states the answer that is under way decides; what comes
 * meanwhile is kept (told, end) and looked at then. One function moves a wait from state to state, and refuses any
 * other way.
 *
 * A call is listed under its token from the first question on, because word for it may overtake the answer that says
 * QUEUED. Several calls may have one token: those with the same request_id share a place in the state's queue, and the
 * place is given up by the last that leaves. On the loop's thread.
 */
#ifndef SANDPLANE_SERVICES_CLAIMS_CLAIM_WAIT_H_
#define SANDPLANE_SERVICES_CLAIMS_CLAIM_WAIT_H_

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/compiler.h"
#include "lib/base/list.h"
#include "lib/loop/loop.h"

typedef enum WaitState { WAIT_ASKING, WAIT_QUEUED, WAIT_CONFIRMING, WAIT_LEAVING, WAIT_DONE } WaitState;
typedef enum WaitEnd { WAIT_GOES_ON, WAIT_EXPIRED, WAIT_CANCELLED } WaitEnd;

/* The calls of one kind that wait in this replica. */
typedef struct WaitQueue WaitQueue;

/* What a kind of call does, as the wait asks for it; op is the caller's own. Each sends a command whose answer goes on.
 */
typedef struct WaitKind {
  void (*ask)(void *op);
  void (*told)(void *op); /* there is something for it */
  /* It is over, and `end` tells why. shared: another call here has the same place, so nothing is to be given up. */
  void (*leave)(void *op, bool shared);
} WaitKind;

/* Embedded in the caller's struct, which moves it through the functions below and only reads these. */
typedef struct Wait {
  const WaitKind *kind;
  void *op;
  Loop *loop;
  WaitQueue *queue;
  WaitState state;
  WaitEnd end;
  bool placed; /* the state has it in its queue */
  bool told;   /* while an answer was under way */
  bool listed; /* under token */
  bool asked_twice;
  bool in_doubt;        /* what was asked last was not answered: it may hold something by now */
  bool call_ends_first; /* before max_wait */
  int64_t give_up_ms;   /* monotonic */
  char token[80];       /* the last one it was listed under */
  ListLink link;
  LoopTimer *over, *again;
} Wait;

WaitQueue *wait_queue_new(void);
void wait_queue_free(WaitQueue *queue);
/* How many have a place in the state's queue. */
size_t wait_queue_placed(const WaitQueue *queue);
/* There may be something for those with this token (NULL: for all). */
void wait_queue_tell(WaitQueue *queue, const char *token);

/* ASKING, without a question yet. call_ms: what is left of the call. */
void wait_begin(Wait *w, WaitQueue *queue, Loop *loop, const WaitKind *kind, void *op, int64_t max_wait_ms,
                int64_t call_ms);
/* To ASKING or CONFIRMING: the command is sent right after. Word that came before it is of no more use. */
void wait_sends(Wait *w, WaitState state);
/* How long the state shall keep a place for it should this replica die; 0: there is no time to wait. */
int64_t wait_place_ms(const Wait *w);

/* The token it is listed under from here on. */
void wait_list(Wait *w, const char *token);
/* It gives up its token, and its place is no longer counted. */
void wait_unlist(Wait *w);

/* The answer: it has a place, under this token. again: it asks again by itself every second. */
void wait_placed(Wait *w, const char *token, bool again);
/* The state did not answer the question. false: it was asked twice, nobody knows what took place, and it is the
 * caller's. */
bool wait_unanswered(Wait *w) MUST_CHECK;
/* Not answered: goes on as QUEUED and asks again in a second. */
void wait_again(Wait *w);
/* The state has answered a question. */
void wait_answered(Wait *w);
/* To LEAVING, and its kind's leave. */
void wait_leave(Wait *w);
/* The same, after a question that was not answered. */
void wait_leave_in_doubt(Wait *w);
/* To LEAVING, by a command that the caller sends right after. */
void wait_gives_back(Wait *w);
/* The call's caller has gone: leaves, now or with the answer under way. */
void wait_cancel(Wait *w);
/* To DONE; the struct belongs to the caller again. */
void wait_done(Wait *w);

#endif
