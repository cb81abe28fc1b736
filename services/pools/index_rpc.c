/* See index_rpc.h. */
#include "services/pools/index_rpc.h"

#include <stdio.h>

#include "api/sandplane/v1/pool_service.pb-c.h"
#include "lib/base/str.h"

enum { NAMES_STEP = 100 };

static void finish(IndexPage *page, bool more) {
  CLEANUP(str_freep) char *token = more ? resource_token_seal(page->query, page->after) : NULL;
  page->kind->reply(page, token);
}

void index_page_fail(IndexPage *page, const Error *err) {
  rpc_request_fail(&page->request, err);
}

void index_page_add(IndexPage *page, ProtobufCMessage *item) {
  page->items[page->n_items++] = item;
  page->bytes += protobuf_c_message_get_packed_size(item);
}

static void on_names(void *arg, const StateNames *names, const Error *err) {
  IndexPage *page = arg;
  if (err) {
    index_page_fail(page, err);
    return;
  }
  Arena *arena = page->request.arena;
  page->names = arena_alloc(arena, names->n_names * sizeof *page->names);
  for (size_t i = 0; i < names->n_names; i++)
    page->names[i] = arena_strdup(arena, names->names[i]);
  page->n_names = names->n_names;
  page->at_name = 0;
  page->last_batch = names->n_names < NAMES_STEP;
  index_page_next(page);
}

/* Names in namespaces that the caller may not use. */
static void pass_over(IndexPage *page) {
  char ns[STATE_NAME_MAX + 1];
  for (; page->at_name < page->n_names; page->at_name++) {
    const char *key = page->names[page->at_name];
    if (state_name_split(key, ns) && authz_may_use(page->who, ns))
      return;
    snprintf(page->after, sizeof page->after, "%s", key);
  }
}

void index_page_next(IndexPage *page) {
  pass_over(page);
  bool at_end = page->at_name == page->n_names;
  if (at_end && page->last_batch) {
    finish(page, false);
    return;
  }
  if (page->n_items == page->size || page->bytes >= INDEX_BYTES_MAX) {
    finish(page, true);
    return;
  }
  if (at_end) {
    page->kind->read_names(pools_of(page->request.service)->state, page->ns, page->after, NAMES_STEP, on_names, page);
    return;
  }
  const char *key = page->names[page->at_name++];
  snprintf(page->after, sizeof page->after, "%s", key);
  char ns[STATE_NAME_MAX + 1] = "";
  const char *name = state_name_split(key, ns);
  page->kind->read(page, ns, name ? name : key);
}

/* ListTemplatesRequest and ListPoolsRequest have the same fields at the same numbers, so one is read for
 * both. */
void index_page_start(RpcCall *call, void *pools, const IndexKind *kind, const ProtobufCMessageDescriptor *descriptor,
                      const uint8_t *data, size_t len) {
  IndexPage *page = rpc_request_new(call, pools, sizeof *page);
  page->kind = kind;
  page->who = pools_caller(call, &page->room);
  Arena *arena = page->request.arena;
  Error err = {0};
  const Sandplane__V1__ListPoolsRequest *in =
      rpc_pb_unpack(&sandplane__v1__list_pools_request__descriptor, arena, data, len, &err);
  if (!in || resource_parent_parse(in->parent, true, "parent", page->ns, &err) < 0 ||
      resource_page_size(in->page_size, &page->size, &err) < 0 ||
      (page->ns[0] && authz_check_namespace(page->who, page->ns, &err) < 0)) {
    index_page_fail(page, &err);
    return;
  }
  page->query = arena_printf(arena, "%s\n%s", descriptor->short_name, in->parent);
  if (resource_page_position(in->page_token, page->query, page->after, &err) < 0) {
    index_page_fail(page, &err);
    return;
  }
  page->items = arena_alloc(arena, page->size * sizeof(ProtobufCMessage *));
  index_page_next(page);
}
