/* One implementation for both versions: their messages have the same fields with the same numbers, and only
 * the package differs, which is not on the wire.
 *
 * An answer to a file or symbol holds that file and all it imports, directly or not, so that a client
 * needs one round trip. The next request is read when the answer has left, which bounds what a stream holds.
 * Our services declare no extensions: questions about them are answered, with none.
 */
#include "lib/rpc/rpc_reflection.h"

#include <stdlib.h>

#include "grpc/reflection/v1/reflection.pb-c.h"
#include "lib/base/alloc.h"
#include "lib/base/arena.h"
#include "lib/rpc/rpc_descriptors.h"
#include "lib/rpc/rpc_pb.h"

typedef Grpc__Reflection__V1__ServerReflectionRequest Request;
typedef Grpc__Reflection__V1__ServerReflectionResponse Response;
#define ASKED(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_REQUEST__MESSAGE_REQUEST_##name
#define ANSWER(name) GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__MESSAGE_RESPONSE_##name

struct RpcReflection {
  const RpcServices *services;
  RpcDescriptors *descriptors;
};

RpcReflection *rpc_reflection_new(const RpcServices *services, const uint8_t *descriptors, size_t len, Error *err) {
  RpcReflection *reflection = new0(RpcReflection);
  reflection->services = services;
  reflection->descriptors = rpc_descriptors_new(descriptors, len, err);
  if (reflection->descriptors)
    return reflection;
  free(reflection);
  return NULL;
}

void rpc_reflection_free(RpcReflection *reflection) {
  if (!reflection)
    return;
  rpc_descriptors_free(reflection->descriptors);
  free(reflection);
}

/* ---- Answers; everything they point to lives in the request's arena ---- */

static void answer_error(Response *r, Arena *arena, ErrorKind kind, const char *what, const char *name) {
  Grpc__Reflection__V1__ErrorResponse *error = arena_alloc(arena, sizeof *error);
  grpc__reflection__v1__error_response__init(error);
  error->error_code = (int32_t)kind;
  error->error_message = arena_printf(arena, "%s: %s", what, name);
  r->message_response_case = ANSWER(ERROR_RESPONSE);
  r->error_response = error;
}

static void collect(const RpcDescriptors *d, size_t index, bool *taken, ProtobufCBinaryData *out, size_t *n) {
  if (taken[index])
    return;
  taken[index] = true;
  const RpcDescriptorFile *file = rpc_descriptors_file(d, index);
  out[(*n)++] = (ProtobufCBinaryData){.data = file->data, .len = file->len};
  for (size_t i = 0; i < file->n_imports; i++)
    collect(d, file->imports[i], taken, out, n);
}

static void answer_file(Response *r, Arena *arena, const RpcDescriptors *d, int index) {
  Grpc__Reflection__V1__FileDescriptorResponse *files = arena_alloc(arena, sizeof *files);
  grpc__reflection__v1__file_descriptor_response__init(files);
  size_t count = rpc_descriptors_count(d);
  files->file_descriptor_proto = arena_alloc(arena, count * sizeof *files->file_descriptor_proto);
  collect(d, (size_t)index, arena_alloc(arena, count * sizeof(bool)), files->file_descriptor_proto,
          &files->n_file_descriptor_proto);
  r->message_response_case = ANSWER(FILE_DESCRIPTOR_RESPONSE);
  r->file_descriptor_response = files;
}

static void answer_services(Response *r, Arena *arena, const RpcServices *services) {
  Grpc__Reflection__V1__ListServiceResponse *list = arena_alloc(arena, sizeof *list);
  grpc__reflection__v1__list_service_response__init(list);
  Grpc__Reflection__V1__ServiceResponse *rows = arena_alloc(arena, services->n * sizeof *rows);
  list->n_service = services->n;
  list->service = arena_alloc(arena, services->n * sizeof(void *));
  for (size_t i = 0; i < services->n; i++) {
    grpc__reflection__v1__service_response__init(&rows[i]);
    rows[i].name = services->names[i];
    list->service[i] = &rows[i];
  }
  r->message_response_case = ANSWER(LIST_SERVICES_RESPONSE);
  r->list_services_response = list;
}

static void answer_extension_numbers(Response *r, Arena *arena, const char *type) {
  Grpc__Reflection__V1__ExtensionNumberResponse *numbers = arena_alloc(arena, sizeof *numbers);
  grpc__reflection__v1__extension_number_response__init(numbers);
  numbers->base_type_name = (char *)type;
  r->message_response_case = ANSWER(ALL_EXTENSION_NUMBERS_RESPONSE);
  r->all_extension_numbers_response = numbers;
}

static void answer(const RpcReflection *reflection, Arena *arena, const Request *request, Response *r) {
  const RpcDescriptors *d = reflection->descriptors;
  int index;
  switch (request->message_request_case) {
  case ASKED(FILE_BY_FILENAME):
    index = rpc_descriptors_by_name(d, request->file_by_filename);
    if (index < 0)
      return answer_error(r, arena, ERROR_NOT_FOUND, "no such file", request->file_by_filename);
    return answer_file(r, arena, d, index);
  case ASKED(FILE_CONTAINING_SYMBOL):
    index = rpc_descriptors_by_symbol(d, request->file_containing_symbol);
    if (index < 0)
      return answer_error(r, arena, ERROR_NOT_FOUND, "no such symbol", request->file_containing_symbol);
    return answer_file(r, arena, d, index);
  case ASKED(FILE_CONTAINING_EXTENSION):
    return answer_error(r, arena, ERROR_NOT_FOUND, "no extension of",
                        request->file_containing_extension->containing_type);
  case ASKED(ALL_EXTENSION_NUMBERS_OF_TYPE):
    if (!rpc_descriptors_is_message(d, request->all_extension_numbers_of_type)) {
      return answer_error(r, arena, ERROR_NOT_FOUND, "no such type", request->all_extension_numbers_of_type);
    }
    return answer_extension_numbers(r, arena, request->all_extension_numbers_of_type);
  case ASKED(LIST_SERVICES):
    return answer_services(r, arena, reflection->services);
  default:
    return answer_error(r, arena, ERROR_INVALID_ARGUMENT, "unknown request", "message_request is not set");
  }
}

/* ---- The stream ---- */

static void on_request(RpcCall *call, void *arg, const uint8_t *data, size_t len);

static void on_answered(RpcCall *call, void *arg) {
  rpc_call_read(call, on_request, arg);
}

DEFINE_CLEANUP(Arena *, arena_freep, arena_free)

static void on_request(RpcCall *call, void *arg, const uint8_t *data, size_t len) {
  const RpcReflection *reflection = arg;
  CLEANUP(arena_freep) Arena *arena = arena_new();
  Error err;
  if (!data)
    return rpc_call_finish(call, NULL);
  Request *request =
      rpc_pb_unpack(&grpc__reflection__v1__server_reflection_request__descriptor, arena, data, len, &err);
  if (!request)
    return rpc_call_finish(call, &err);
  Response response = GRPC__REFLECTION__V1__SERVER_REFLECTION_RESPONSE__INIT;
  response.valid_host = request->host;
  response.original_request = request;
  answer(reflection, arena, request, &response);
  rpc_pb_write(call, &response.base, on_answered, arg);
}

static void on_cancel(RpcCall *call, void *arg) {
  rpc_call_finish(call, NULL);
}

void rpc_reflection_serve(RpcReflection *reflection, RpcCall *call) {
  rpc_call_on_cancel(call, on_cancel, NULL);
  rpc_call_read(call, on_request, reflection);
}
