/* See pool_rpc.h. Any replica serves these: they change what is declared, and the leader hears of it through
 * the state. A deleted pool whose claimed sandboxes live on is no longer there for its callers. */
#include "services/pools/pool_rpc.h"

#include "google/protobuf/empty.pb-c.h"
#include "lib/base/str.h"
#include "lib/state/state_pool.h"
#include "services/pools/freshen_store.h"
#include "services/pools/index_rpc.h"
#include "services/pools/message_rpc.h"
#include "services/pools/pool.h"

typedef struct Named {
  RpcRequest request;
  ResourceName name;
} Named;

static void reply_pool(Named *named, const PoolRecord *record) {
  Sandplane__V1__Pool *message = message_pool(named->request.arena, record);
  rpc_request_reply(&named->request, &message->base);
}

static void on_pool(void *arg, const PoolRecord *record, const Error *err) {
  Named *named = arg;
  Error out = err ? *err : (Error){0};
  if (record && record->deleted)
    error_set(&out, ERROR_NOT_FOUND, "pool %s in namespace %s is deleted", named->name.id, named->name.ns);
  if (out.kind != ERROR_NONE)
    rpc_request_fail(&named->request, &out);
  else
    reply_pool(named, record);
}

void pool_rpc_get(RpcCall *call, void *pools, const uint8_t *data, size_t len) {
  Named *named = rpc_request_new(call, pools, sizeof *named);
  Error err = {0};
  const Sandplane__V1__GetPoolRequest *in =
      rpc_pb_unpack(&sandplane__v1__get_pool_request__descriptor, named->request.arena, data, len, &err);
  AuthzPrincipal room;
  if (!in || resource_name_parse(in->name, "pools", "name", &named->name, &err) < 0 ||
      authz_check_namespace(pools_caller(call, &room), named->name.ns, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  state_pool_get(pools_of(pools)->state, named->name.ns, named->name.id, on_pool, named);
}

/* ---- apply, scale ---- */

static void on_changed(void *arg, const PoolRecord *record, const Error *err) {
  Named *named = arg;
  if (err) {
    rpc_request_fail(&named->request, err);
    return;
  }
  log_event(LOG_INFO, "pool_changed", LOG_STR("namespace", record->ns), LOG_STR("pool", record->name),
            LOG_STR("template", record->template_name), LOG_INT("replicas", record->replicas),
            LOG_INT("generation", record->generation));
  reply_pool(named, record);
}

/* Another template, or another strategy, counts from here on. */
static void on_told(void *arg, const Error *err) {
  Named *named = arg;
  if (err)
    rpc_request_fail(&named->request, err);
  else
    state_pool_get(pools_of(named->request.service)->state, named->name.ns, named->name.id, on_changed, named);
}

static void on_applied(void *arg, const PoolRecord *record, const Error *err) {
  Named *named = arg;
  if (err)
    rpc_request_fail(&named->request, err);
  else
    freshen_pool(pools_of(named->request.service), named->request.arena, named->name.ns, named->name.id, on_told,
                 named);
}

void pool_rpc_apply(RpcCall *call, void *pools, const uint8_t *data, size_t len) {
  Named *named = rpc_request_new(call, pools, sizeof *named);
  if (!message_may_change(&named->request))
    return;
  Error err = {0};
  const Sandplane__V1__ApplyPoolRequest *in =
      rpc_pb_unpack(&sandplane__v1__apply_pool_request__descriptor, named->request.arena, data, len, &err);
  if (!in) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  PoolInput input = {0};
  if (in->pool)
    input = (PoolInput){in->pool->name, in->pool->template_, in->pool->replicas, (int64_t)in->pool->update_strategy};
  PoolSpec spec;
  if (pool_check(&input, &spec, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  named->name = spec.name;
  PoolRecord record = {
      .ns = spec.name.ns,
      .name = spec.name.id,
      .template_name = spec.template_name,
      .replicas = spec.replicas,
      .strategy = spec.strategy,
  };
  state_pool_apply(pools_of(pools)->state, &record, on_applied, named);
}

void pool_rpc_scale(RpcCall *call, void *pools, const uint8_t *data, size_t len) {
  Named *named = rpc_request_new(call, pools, sizeof *named);
  if (!message_may_change(&named->request))
    return;
  Error err = {0};
  const Sandplane__V1__ScalePoolRequest *in =
      rpc_pb_unpack(&sandplane__v1__scale_pool_request__descriptor, named->request.arena, data, len, &err);
  int replicas;
  if (!in || pool_check_name(in->name, "name", &named->name, &err) < 0 ||
      pool_check_replicas(in->replicas, "replicas", &replicas, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  PoolRecord record = {.ns = named->name.ns, .name = named->name.id, .replicas = replicas};
  state_pool_apply(pools_of(pools)->state, &record, on_changed, named);
}

/* ---- delete ---- */

static void on_deleted(void *arg, const Error *err) {
  Named *named = arg;
  if (err) {
    rpc_request_fail(&named->request, err);
    return;
  }
  log_event(LOG_INFO, "pool_deleted", LOG_STR("namespace", named->name.ns), LOG_STR("pool", named->name.id));
  Google__Protobuf__Empty empty = GOOGLE__PROTOBUF__EMPTY__INIT;
  rpc_request_reply(&named->request, &empty.base);
}

void pool_rpc_delete(RpcCall *call, void *pools, const uint8_t *data, size_t len) {
  Named *named = rpc_request_new(call, pools, sizeof *named);
  if (!message_may_change(&named->request))
    return;
  Error err = {0};
  const Sandplane__V1__DeletePoolRequest *in =
      rpc_pb_unpack(&sandplane__v1__delete_pool_request__descriptor, named->request.arena, data, len, &err);
  if (!in || pool_check_name(in->name, "name", &named->name, &err) < 0) {
    rpc_request_fail(&named->request, &err);
    return;
  }
  state_pool_delete(pools_of(pools)->state, named->name.ns, named->name.id, on_deleted, named);
}

/* ---- list ---- */

static void on_listed(void *arg, const PoolRecord *record, const Error *err) {
  IndexPage *page = arg;
  if (err && err->kind != ERROR_NOT_FOUND) {
    index_page_fail(page, err);
    return;
  }
  if (record && !record->deleted)
    index_page_add(page, &message_pool(page->request.arena, record)->base);
  index_page_next(page);
}

static void read_one(IndexPage *page, const char *ns, const char *name) {
  state_pool_get(pools_of(page->request.service)->state, ns, name, on_listed, page);
}

static void reply_list(IndexPage *page, char *next_page_token) {
  Sandplane__V1__ListPoolsResponse response = SANDPLANE__V1__LIST_POOLS_RESPONSE__INIT;
  response.pools = (Sandplane__V1__Pool **)page->items;
  response.n_pools = page->n_items;
  if (next_page_token)
    response.next_page_token = next_page_token;
  rpc_request_reply(&page->request, &response.base);
}

static const IndexKind POOLS = {state_pool_names, read_one, reply_list};

void pool_rpc_list(RpcCall *call, void *pools, const uint8_t *data, size_t len) {
  index_page_start(call, pools, &POOLS, &sandplane__v1__list_pools_request__descriptor, data, len);
}
