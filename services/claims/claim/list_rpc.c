/* See list_rpc.h.
 *
 * Sandboxes are listed pool by pool, pools in the order of "namespace/pool", sandboxes within one by id. A
 * page's position is "namespace/pool id": the pool it ended in and the last id looked at, so a sandbox that
 * stays during the whole list is listed exactly once, whatever comes and goes meanwhile. A page may end short
 * of page_size, with a token: after SCAN_MAX sandboxes read, so that a selector that matches little does not
 * hold up a call, and at BYTES_MAX, so that the answer stays below the message limit of gRPC clients.
 */
#include "services/claims/claim/list_rpc.h"

#include <stdio.h>
#include <string.h>

#include "api/sandplane/v1/sandbox.pb-c.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_request.h"
#include "lib/state/state_cursor.h"
#include "lib/state/state_pool.h"
#include "lib/state/state_sandbox.h"
#include "services/claims/claim/message_rpc.h"
#include "services/claims/claim/selector.h"
#include "services/claims/claims.h"
#include "services/claims/watch/watch.h"

enum { SCAN_MAX = 5000, SCAN_STEP = 500, BYTES_MAX = 3 << 20, POOL_KEY_SIZE = 2 * (STATE_NAME_MAX + 1) };

typedef struct List {
  RpcRequest request;
  char ns[STATE_NAME_MAX + 1]; /* empty: all */
  bool one_pool;
  size_t size;
  size_t scanned, bytes;
  Selector *selector;
  WatchFilter filter;
  const char *query;
  /* Where the list stands. */
  StateCursor pools;
  char after[STATE_NAME_MAX + 1];
  Sandplane__V1__ListSandboxesResponse answer;
} List;

static void list_pool(List *list);
static void next_pool(List *list);

static void finish(List *list, bool more) {
  selector_free(list->selector);
  char *token = NULL;
  if (more) {
    char position[RESOURCE_POSITION_MAX + 1];
    snprintf(position, sizeof position, "%s %s", list->pools.at, list->after);
    token = resource_token_seal(list->query, position);
    list->answer.next_page_token = token;
  }
  rpc_request_reply(&list->request, &list->answer.base);
  str_freep(&token);
}

static void fail(List *list, const Error *err) {
  selector_free(list->selector);
  rpc_request_fail(&list->request, err);
}

static void add(List *list, const SandboxRecord *record) {
  Sandplane__V1__Sandbox *box =
      message_sandbox(list->request.arena, record, claims_of(list->request.service)->config->router_url);
  list->answer.sandboxes[list->answer.n_sandboxes++] = box;
  list->bytes += protobuf_c_message_get_packed_size(&box->base);
}

static void on_page(void *arg, const SandboxPage *page, const Error *err) {
  List *list = arg;
  if (err) {
    fail(list, err);
    return;
  }
  for (size_t i = 0; i < page->n_records; i++) {
    if (watch_sees(&list->filter, &page->records[i]))
      add(list, &page->records[i]);
    snprintf(list->after, sizeof list->after, "%s", page->records[i].id);
    if (list->answer.n_sandboxes == list->size || list->bytes >= BYTES_MAX) {
      finish(list, true);
      return;
    }
  }
  list->scanned += page->n_records;
  if (!page->next) {
    next_pool(list);
    return;
  }
  snprintf(list->after, sizeof list->after, "%s", page->next);
  if (list->scanned >= SCAN_MAX)
    finish(list, true);
  else
    list_pool(list);
}

static void list_pool(List *list) {
  char ns[STATE_NAME_MAX + 1];
  const char *pool = state_name_split(list->pools.at, ns);
  state_list(claims_of(list->request.service)->state, ns, pool, list->after, SCAN_STEP, on_page, list);
}

static void on_pool(void *arg, const char *ns, const char *pool, const Error *err) {
  List *list = arg;
  list->after[0] = '\0';
  if (pool)
    list_pool(list);
  else if (err)
    fail(list, err);
  else
    finish(list, false);
}

static void next_pool(List *list) {
  if (list->one_pool)
    finish(list, false);
  else
    state_cursor_next(&list->pools);
}

/* Position of the request's token, or the first pool asked for. */
static int start_at(List *list, const Sandplane__V1__ListSandboxesRequest *in, Error *err) {
  char position[RESOURCE_POSITION_MAX + 1];
  if (resource_page_position(in->page_token, list->query, position, err) < 0)
    return -1;
  char ns[STATE_NAME_MAX + 1];
  char *space = strchr(position, ' ');
  if (!position[0])
    return 0;
  if (space)
    *space = '\0';
  if (!space || !state_name_split(position, ns) || space - position >= POOL_KEY_SIZE ||
      strlen(space + 1) > STATE_NAME_MAX)
    return error_field(err, "page_token", "is not a token of this service");
  list->pools.at = arena_strdup(list->request.arena, position);
  snprintf(list->after, sizeof list->after, "%s", space + 1);
  return 0;
}

static int prepare(List *list, const Sandplane__V1__ListSandboxesRequest *in, Error *err) {
  ResourceName pool = {0};
  if (resource_parent_parse(in->parent, true, "parent", list->ns, err) < 0 ||
      resource_page_size(in->page_size, &list->size, err) < 0)
    return -1;
  list->one_pool = !str_empty(in->pool);
  if (list->one_pool) {
    if (resource_name_parse(in->pool, "pools", "pool", &pool, err) < 0)
      return -1;
    if (list->ns[0] && !str_equal(list->ns, pool.ns))
      return error_field(err, "pool", "must be in the namespace of parent");
    list->pools.at = arena_printf(list->request.arena, "%s/%s", pool.ns, pool.id);
  }
  list->query = arena_printf(list->request.arena, "list\n%s\n%s\n%s\n%d", in->parent, in->pool, in->label_selector,
                             in->show_unclaimed);
  if (start_at(list, in, err) < 0)
    return -1;
  list->selector = selector_parse(in->label_selector, err);
  if (!list->selector)
    return -1;
  list->filter = (WatchFilter){list->selector, in->show_unclaimed};
  return 0;
}

void list_rpc(RpcCall *call, void *claims, const uint8_t *data, size_t len) {
  List *list = rpc_request_new(call, claims, sizeof *list);
  list->pools =
      (StateCursor){claims_of(claims)->state, list->request.arena, state_pool_names, list->ns, on_pool, list, ""};
  Error err = {0};
  const Sandplane__V1__ListSandboxesRequest *in =
      rpc_pb_unpack(&sandplane__v1__list_sandboxes_request__descriptor, list->request.arena, data, len, &err);
  if (!in || prepare(list, in, &err) < 0) {
    fail(list, &err);
    return;
  }
  sandplane__v1__list_sandboxes_response__init(&list->answer);
  list->answer.sandboxes = arena_alloc(list->request.arena, list->size * sizeof(Sandplane__V1__Sandbox *));
  if (!str_empty(list->pools.at))
    list_pool(list);
  else
    next_pool(list);
}
