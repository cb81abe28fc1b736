/* See message_rpc.h. */
#include "services/claims/claim/message_rpc.h"

#include <stdlib.h>
#include <string.h>

#include "lib/resource/resource_pb.h"

static void add_condition(Arena *arena, Sandplane__V1__Sandbox *box, const SandboxRecord *record) {
  ClaimCondition ready = claim_ready_condition(record);
  Sandplane__V1__Condition *condition = arena_alloc(arena, sizeof *condition);
  sandplane__v1__condition__init(condition);
  condition->type = resource_pb_text(arena, "Ready");
  condition->status = resource_pb_text(arena, ready.status);
  condition->reason = resource_pb_text(arena, ready.reason);
  condition->message = resource_pb_text(arena, ready.message);
  condition->last_transition_time = resource_pb_time(arena, ready.transition_ms);
  box->conditions = arena_alloc(arena, sizeof(Sandplane__V1__Condition *));
  box->conditions[0] = condition;
  box->n_conditions = 1;
}

static void add_labels(Arena *arena, Sandplane__V1__Sandbox *box, const SandboxRecord *record) {
  box->n_labels = record->n_labels;
  box->labels = arena_alloc(arena, record->n_labels * sizeof(Sandplane__V1__Sandbox__LabelsEntry *));
  for (size_t i = 0; i < record->n_labels; i++) {
    Sandplane__V1__Sandbox__LabelsEntry *entry = arena_alloc(arena, sizeof *entry);
    sandplane__v1__sandbox__labels_entry__init(entry);
    entry->key = resource_pb_text(arena, record->labels[i].key);
    entry->value = resource_pb_text(arena, record->labels[i].value);
    box->labels[i] = entry;
  }
}

Sandplane__V1__Sandbox *message_gone(Arena *arena, const char *ns, const char *pool, const char *id, const char *uid) {
  Sandplane__V1__Sandbox *box = arena_alloc(arena, sizeof *box);
  sandplane__v1__sandbox__init(box);
  box->name = resource_pb_name(arena, ns, "sandboxes", id);
  box->pool = resource_pb_name(arena, ns, "pools", pool);
  box->uid = resource_pb_text(arena, uid);
  return box;
}

Sandplane__V1__Sandbox *message_sandbox(Arena *arena, const SandboxRecord *r, const char *router_url) {
  Sandplane__V1__Sandbox *box = message_gone(arena, r->ns, r->pool, r->id, r->uid);
  box->template_ = resource_pb_name(arena, r->ns, "templates", r->template_name);
  box->state = (Sandplane__V1__Sandbox__State)r->state;
  box->address = resource_pb_text(arena, router_url);
  box->runtime_class = resource_pb_text(arena, r->runtime_class);
  box->tenant = resource_pb_text(arena, r->tenant);
  box->create_time = resource_pb_time(arena, r->create_ms);
  box->claim_time = resource_pb_time(arena, r->claim_ms);
  box->expire_time = resource_pb_time(arena, r->expire_ms);
  if (r->idle_timeout_ms > 0)
    box->idle_timeout = resource_pb_duration(arena, r->idle_timeout_ms);
  if (r->claim_ms > 0)
    box->wait_duration = resource_pb_duration(arena, r->wait_ms);
  add_condition(arena, box, r);
  add_labels(arena, box, r);
  return box;
}

typedef struct Numbered {
  StatePair pair;
  size_t at;
} Numbered;

static int by_key_then_place(const void *a, const void *b) {
  const Numbered *x = a, *y = b;
  int cmp = strcmp(x->pair.key, y->pair.key);
  return cmp ? cmp : x->at < y->at ? -1 : 1;
}

/* A map field may come with a key twice on the wire; the last one counts. pairs is put in order of keys. */
static size_t last_of_each(Arena *arena, StatePair *pairs, size_t n) {
  Numbered *sorted = arena_alloc(arena, n * sizeof *sorted);
  for (size_t i = 0; i < n; i++)
    sorted[i] = (Numbered){pairs[i], i};
  qsort(sorted, n, sizeof *sorted, by_key_then_place);
  size_t kept = 0;
  for (size_t i = 0; i < n; i++)
    if (i + 1 == n || strcmp(sorted[i].pair.key, sorted[i + 1].pair.key) != 0)
      pairs[kept++] = sorted[i].pair;
  return kept;
}

/* Every map has an entry type of its own, all with key and value. */
#define TAKE_PAIRS(arena, entries, n_entries, ret_pairs, ret_n)             \
  do {                                                                      \
    StatePair *pairs_ = arena_alloc((arena), (n_entries) * sizeof *pairs_); \
    for (size_t i_ = 0; i_ < (n_entries); i_++)                             \
      pairs_[i_] = (StatePair){(entries)[i_]->key, (entries)[i_]->value};   \
    (ret_n) = last_of_each((arena), pairs_, (n_entries));                   \
    (ret_pairs) = pairs_;                                                   \
  } while (0)

static ClaimTime take_duration(const Google__Protobuf__Duration *d) {
  return d ? (ClaimTime){true, d->seconds, d->nanos} : (ClaimTime){0};
}

ClaimInput message_claim_input(Arena *arena, const Sandplane__V1__CreateSandboxRequest *request) {
  ClaimInput in = {
      .parent = request->parent,
      .pool = request->pool,
      .template_name = request->template_,
      .request_id = request->request_id,
      .ttl = take_duration(request->ttl),
      .idle_timeout = take_duration(request->idle_timeout),
      .max_wait = take_duration(request->max_wait),
      .priority = (int)request->priority,
  };
  TAKE_PAIRS(arena, request->labels, request->n_labels, in.labels, in.n_labels);
  TAKE_PAIRS(arena, request->env, request->n_env, in.env, in.n_env);
  return in;
}

ClaimInput message_batch_input(Arena *arena, const Sandplane__V1__BatchCreateSandboxesRequest *request) {
  ClaimInput in = {
      .parent = request->parent,
      .pool = request->pool,
      .request_id = request->request_id,
      .ttl = take_duration(request->ttl),
      .idle_timeout = take_duration(request->idle_timeout),
      .max_wait = take_duration(request->max_wait),
  };
  TAKE_PAIRS(arena, request->labels, request->n_labels, in.labels, in.n_labels);
  TAKE_PAIRS(arena, request->env, request->n_env, in.env, in.n_env);
  return in;
}

ClaimUpdateInput message_update_input(Arena *arena, const Sandplane__V1__UpdateSandboxRequest *request) {
  ClaimUpdateInput in = {0};
  if (request->update_mask) {
    in.mask = (const char *const *)request->update_mask->paths;
    in.n_mask = request->update_mask->n_paths;
  }
  const Sandplane__V1__Sandbox *box = request->sandbox;
  if (!box)
    return in;
  in.name = box->name;
  in.idle_timeout = take_duration(box->idle_timeout);
  if (box->expire_time)
    in.expire_time = (ClaimTime){true, box->expire_time->seconds, box->expire_time->nanos};
  TAKE_PAIRS(arena, box->labels, box->n_labels, in.labels, in.n_labels);
  return in;
}
