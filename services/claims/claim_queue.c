/* See claim_queue.h. A fixed table of chains: a server has at most 10,000 calls at once. */
#include "services/claims/claim_queue.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/str.h"
#include "services/claims/claim_store.h"

enum { N_BUCKETS = 4096 };

struct ClaimQueue {
  ClaimOp *buckets[N_BUCKETS];
};

static size_t bucket(const char *token) {
  return str_fnv1a32(token, strlen(token)) % N_BUCKETS;
}

void claim_queue_put(ClaimQueue *queue, ClaimOp *op, const char *token) {
  claim_queue_remove(queue, op);
  snprintf(op->token, sizeof op->token, "%s", token);
  ClaimOp **head = &queue->buckets[bucket(op->token)];
  op->next = *head;
  *head = op;
  op->listed = true;
}

void claim_queue_remove(ClaimQueue *queue, ClaimOp *op) {
  if (!op->listed)
    return;
  ClaimOp **at = &queue->buckets[bucket(op->token)];
  while (*at != op)
    at = &(*at)->next;
  *at = op->next;
  op->listed = false;
}

bool claim_queue_shares(const ClaimQueue *queue, const ClaimOp *op) {
  for (const ClaimOp *o = queue->buckets[bucket(op->token)]; o; o = o->next)
    if (o != op && str_equal(o->token, op->token))
      return true;
  return false;
}

static void each_in(ClaimQueue *queue, size_t i, const char *token, void (*fn)(ClaimOp *op)) {
  for (ClaimOp *op = queue->buckets[i], *next; op; op = next) {
    next = op->next;
    if (!token || str_equal(op->token, token))
      fn(op);
  }
}

void claim_queue_each(ClaimQueue *queue, const char *token, void (*fn)(ClaimOp *op)) {
  if (token) {
    each_in(queue, bucket(token), token, fn);
    return;
  }
  for (size_t i = 0; i < N_BUCKETS; i++)
    each_in(queue, i, NULL, fn);
}

ClaimQueue *claim_queue_new(void) {
  ClaimQueue *queue = calloc(1, sizeof *queue);
  if (!queue)
    abort();
  return queue;
}

void claim_queue_free(ClaimQueue *queue) {
  free(queue);
}
