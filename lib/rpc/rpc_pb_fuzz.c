/* Protobuf messages of the public API and between services, as every edge takes them. What is taken must be taken
 * again when it is packed, and must give the same bytes: a message that changes on its way would be stored as
 * something else than was checked.
 *
 * The first byte names the message; 255 is the trailer with an error's details.
 */
#include <stdlib.h>
#include <string.h>

#include "api/sandplane/internal/v1/reconciler.pb-c.h"
#include "api/sandplane/internal/v1/router.pb-c.h"
#include "api/sandplane/internal/v1/runtime.pb-c.h"
#include "api/sandplane/v1/image_service.pb-c.h"
#include "api/sandplane/v1/pool_service.pb-c.h"
#include "api/sandplane/v1/sandbox_service.pb-c.h"
#include "lib/rpc/rpc_pb.h"
#include "lib/rpc/rpc_status.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define V1(name) &sandplane__v1__##name##__descriptor
#define INTERNAL(name) &sandplane__internal__v1__##name##__descriptor

static const ProtobufCMessageDescriptor *const MESSAGES[] = {
    V1(image),
    V1(import_image_request),
    V1(import_image_response),
    V1(list_images_request),
    V1(list_images_response),
    V1(template),
    V1(pool),
    V1(apply_template_request),
    V1(get_template_request),
    V1(list_templates_request),
    V1(list_templates_response),
    V1(delete_template_request),
    V1(apply_pool_request),
    V1(get_pool_request),
    V1(list_pools_request),
    V1(list_pools_response),
    V1(delete_pool_request),
    V1(scale_pool_request),
    INTERNAL(check_template_request),
    INTERNAL(check_template_response),
    INTERNAL(create_sandboxes_request),
    INTERNAL(create_sandboxes_response),
    INTERNAL(addressed),
    INTERNAL(addressed_start),
    INTERNAL(runtime_open),
    INTERNAL(runtime_bind),
    INTERNAL(runtime_status),
};

/* What is understood of details stays when they are passed on. */
static void decode_status(const uint8_t *data, size_t size) {
  Error err = {.kind = ERROR_ABORTED}, again = {.kind = ERROR_ABORTED};
  rpc_status_decode(data, size, &err);
  size_t len = 0;
  uint8_t *details = rpc_status_encode(&err, &len);
  if (details)
    rpc_status_decode(details, len, &again);
  if (err.retry_after_ms != again.retry_after_ms || strcmp(err.field, again.field) != 0)
    abort();
  free(details);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 1)
    return 0;
  if (data[0] == 255) {
    decode_status(data + 1, size - 1);
    return 0;
  }
  const ProtobufCMessageDescriptor *d = MESSAGES[data[0] % ARRAY_LEN(MESSAGES)];
  Arena *arena = arena_new();
  Error err;
  ProtobufCMessage *m = rpc_pb_unpack(d, arena, data + 1, size - 1, &err);
  if (m) {
    size_t len, again_len;
    uint8_t *packed = rpc_pb_pack(m, &len);
    ProtobufCMessage *again = rpc_pb_unpack(d, arena, packed, len, &err);
    if (!again)
      abort();
    uint8_t *again_packed = rpc_pb_pack(again, &again_len);
    if (len != again_len || (len && memcmp(packed, again_packed, len) != 0))
      abort();
    free(packed);
    free(again_packed);
  }
  arena_free(arena);
  return 0;
}
