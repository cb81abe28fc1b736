/* See index_rpc.h. */
#include "services/pools/index_rpc.h"

#include "api/sandplane/v1/pool_service.pb-c.h"
#include "lib/base/str.h"

static void finish(IndexPage *page, bool more) {
  CLEANUP(str_freep) char *token = more ? resource_token_seal(page->query, page->cursor.at) : NULL;
  page->kind->reply(page, token);
}

void index_page_fail(IndexPage *page, const Error *err) {
  rpc_request_fail(&page->request, err);
}

void index_page_add(IndexPage *page, ProtobufCMessage *item) {
  page->items[page->n_items++] = item;
  page->bytes += protobuf_c_message_get_packed_size(item);
}

static void on_name(void *arg, const char *ns, const char *name, const Error *err) {
  IndexPage *page = arg;
  if (name)
    page->kind->read(page, ns, name);
  else if (err)
    index_page_fail(page, err);
  else
    finish(page, false);
}

void index_page_next(IndexPage *page) {
  if (!state_cursor_ended(&page->cursor) && (page->n_items == page->size || page->bytes >= INDEX_BYTES_MAX))
    finish(page, true);
  else
    state_cursor_next(&page->cursor);
}

/* ListTemplatesRequest and ListPoolsRequest have the same fields at the same numbers, so one is read for
 * both. */
void index_page_start(RpcCall *call, void *pools, const IndexKind *kind, const ProtobufCMessageDescriptor *descriptor,
                      const uint8_t *data, size_t len) {
  IndexPage *page = rpc_request_new(call, pools, sizeof *page);
  page->kind = kind;
  Arena *arena = page->request.arena;
  Error err = {0};
  const Sandplane__V1__ListPoolsRequest *in =
      rpc_pb_unpack(&sandplane__v1__list_pools_request__descriptor, arena, data, len, &err);
  if (!in || resource_parent_parse(in->parent, true, "parent", page->ns, &err) < 0 ||
      resource_page_size(in->page_size, &page->size, &err) < 0) {
    index_page_fail(page, &err);
    return;
  }
  char after[RESOURCE_POSITION_MAX + 1];
  page->query = arena_printf(arena, "%s\n%s", descriptor->short_name, in->parent);
  if (resource_page_position(in->page_token, page->query, after, &err) < 0) {
    index_page_fail(page, &err);
    return;
  }
  page->cursor = (StateCursor){pools_of(pools)->state,    arena, kind->read_names, page->ns, on_name, page,
                               arena_strdup(arena, after)};
  page->items = arena_alloc(arena, page->size * sizeof(ProtobufCMessage *));
  index_page_next(page);
}
