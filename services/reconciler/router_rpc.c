/* See router_rpc.h. */
#include "services/reconciler/router_rpc.h"

#include <stdlib.h>

#include "api/sandplane/internal/v1/router.pb-c.h"
#include "lib/base/alloc.h"
#include "lib/rpc/rpc_pb.h"

#define METHOD "/sandplane.internal.v1.RouterService/BindSandbox"
/* Longer than the router itself waits for a runtime. */
#define CALL_MS 6000

typedef struct Asked {
  void (*fn)(void *arg, const Error *err);
  void *arg;
} Asked;

static void on_answer(void *arg, const Error *status, const uint8_t *data, size_t len) {
  Asked a = *(Asked *)arg;
  free(arg);
  a.fn(a.arg, status->kind == ERROR_NONE ? NULL : status);
}

void router_rpc_bind(RpcChannel *router, const char *ns, const char *id, const char *uid,
                     void (*fn)(void *arg, const Error *err), void *arg) {
  Asked *a = xmalloc(sizeof *a);
  *a = (Asked){fn, arg};
  Sandplane__Internal__V1__BindSandboxRequest request = SANDPLANE__INTERNAL__V1__BIND_SANDBOX_REQUEST__INIT;
  request.namespace_ = (char *)ns;
  request.sandbox = (char *)id;
  request.claim_uid = (char *)uid;
  size_t len;
  uint8_t *data = rpc_pb_pack(&request.base, &len);
  rpc_client_unary(router, METHOD, CALL_MS, data, len, on_answer, a);
  free(data);
}
