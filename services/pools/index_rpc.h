/* Paging over an index of "namespace/name": the same for ListTemplates and ListPools.
 *
 * A page's position is the last name that was looked at. Objects are read one after the other; one that went
 * meanwhile, or that show refuses, is passed over. A page ends short at INDEX_BYTES_MAX, so that the answer
 * stays below the message limit of gRPC clients.
 */
#ifndef SANDPLANE_SERVICES_POOLS_INDEX_RPC_H_
#define SANDPLANE_SERVICES_POOLS_INDEX_RPC_H_

#include "lib/resource/resource.h"
#include "lib/rpc/rpc_request.h"
#include "lib/state/state_cursor.h"
#include "services/pools/pools.h"

enum { INDEX_BYTES_MAX = 3 << 20 };

typedef struct IndexPage {
  RpcRequest request;
  const struct IndexKind *kind;
  char ns[RESOURCE_SEGMENT_MAX + 1]; /* empty: all */
  const char *query;
  size_t size;
  StateCursor cursor;
  ProtobufCMessage **items;
  size_t n_items, bytes;
} IndexPage;

/* What is listed. */
typedef struct IndexKind {
  StateNamesRead read_names;
  /* Reads one; index_page_add or nothing, then index_page_next, or index_page_fail. */
  void (*read)(IndexPage *page, const char *ns, const char *name);
  /* Ends the call with items and token (NULL: the end). */
  void (*reply)(IndexPage *page, char *next_page_token);
} IndexKind;

void index_page_start(RpcCall *call, void *pools, const IndexKind *kind, const ProtobufCMessageDescriptor *descriptor,
                      const uint8_t *data, size_t len);
void index_page_add(IndexPage *page, ProtobufCMessage *item);
void index_page_next(IndexPage *page);
void index_page_fail(IndexPage *page, const Error *err);

#endif
