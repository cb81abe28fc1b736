/* See image_rpc.h. An import is pulled message by message: the archive is written to disk as fast as the disk
 * takes it, and no faster is read. */
#include "services/reconciler/image_rpc.h"

#include <stdlib.h>
#include <string.h>

#include "api/sandplane/v1/image_service.pb-c.h"
#include "lib/base/str.h"
#include "lib/rpc/rpc_request.h"
#include "services/reconciler/local/local_backend.h"
#include "services/reconciler/reconciler.h"

#define REFERENCES_MAX 16
/* As registries have it: a name of up to 255 characters and a tag of up to 128. */
#define REFERENCE_MAX 384

typedef struct Import {
  RpcRequest request;
  ImageImport *import;
  const char *references[REFERENCES_MAX];
  size_t n_references;
} Import;

static Sandplane__V1__Image *message_of(Arena *arena, const ImageInfo *info) {
  Sandplane__V1__Image *m = arena_alloc(arena, sizeof *m);
  sandplane__v1__image__init(m);
  m->reference = arena_strdup(arena, info->reference);
  m->digest = arena_strdup(arena, info->digest);
  m->size_bytes = info->size_bytes;
  m->import_time = arena_alloc(arena, sizeof *m->import_time);
  google__protobuf__timestamp__init(m->import_time);
  m->import_time->seconds = info->import_ms / 1000;
  return m;
}

static void import_fail(Import *x, const Error *err) {
  image_import_free(x->import);
  rpc_request_fail(&x->request, err);
}

static void on_imported(void *arg, const ImageInfo *infos, size_t n, const Error *err) {
  Import *x = arg;
  if (err)
    return import_fail(x, err);
  Sandplane__V1__ImportImageResponse out = SANDPLANE__V1__IMPORT_IMAGE_RESPONSE__INIT;
  out.images = arena_alloc(x->request.arena, n * sizeof(Sandplane__V1__Image *));
  for (out.n_images = 0; out.n_images < n; out.n_images++) {
    out.images[out.n_images] = message_of(x->request.arena, &infos[out.n_images]);
    log_event(LOG_INFO, "image_imported", LOG_STR("reference", infos[out.n_images].reference),
              LOG_STR("digest", infos[out.n_images].digest));
  }
  image_import_free(x->import);
  rpc_request_reply(&x->request, &out.base);
}

static int take_start(Import *x, const Sandplane__V1__ImportImageRequest__Start *s, Error *err) {
  if (x->import)
    return error_field(err, "start", "comes twice");
  if (s->n_references > REFERENCES_MAX)
    return error_field(err, "start.references", "at most %d are allowed", REFERENCES_MAX);
  for (size_t i = 0; i < s->n_references; i++) {
    const char *ref = s->references[i];
    if (!*ref || strlen(ref) > REFERENCE_MAX || strpbrk(ref, " \t\r\n\"\\"))
      return error_field(err, "start.references", "\"%.64s\" is not an image reference", ref);
    x->references[x->n_references++] = arena_strdup(x->request.arena, ref);
  }
  Reconciler *r = x->request.service;
  x->import = image_import_new(r->images, err);
  return x->import ? 0 : -1;
}

static int take(Import *x, const uint8_t *data, size_t len, Error *err) {
  Arena *arena = arena_new();
  const Sandplane__V1__ImportImageRequest *m =
      rpc_pb_unpack(&sandplane__v1__import_image_request__descriptor, arena, data, len, err);
  int rc = m ? 0 : -1;
  if (m && m->request_case == SANDPLANE__V1__IMPORT_IMAGE_REQUEST__REQUEST_START)
    rc = take_start(x, m->start, err);
  else if (m && !x->import)
    rc = error_field(err, "start", "must be the first message");
  else if (m)
    rc = image_import_write(x->import, m->data.data, m->data.len, err);
  arena_free(arena);
  return rc;
}

static void on_cancelled(RpcCall *call, void *arg) {
  Error err;
  error_set(&err, ERROR_CANCELLED, "the caller has gone");
  import_fail(arg, &err);
}

static void on_message(RpcCall *call, void *arg, const uint8_t *data, size_t len) {
  Import *x = arg;
  Error err = {0};
  if (data && take(x, data, len, &err))
    return import_fail(x, &err);
  if (data)
    return rpc_call_read(call, on_message, x);
  if (!x->import) {
    error_field(&err, "start", "is missing");
    return import_fail(x, &err);
  }
  image_import_finish(x->import, x->references, x->n_references, on_imported, x);
}

/* False: the call was answered. */
static bool has_store(RpcRequest *request, const Reconciler *r) {
  if (r->images)
    return true;
  Error err;
  error_set(&err, ERROR_FAILED_PRECONDITION, "the nodes of a cluster get images from their registry");
  rpc_request_fail(request, &err);
  return false;
}

void image_rpc_import(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  Import *x = rpc_request_new(call, service, sizeof *x);
  if (!has_store(&x->request, service))
    return;
  rpc_call_on_cancel(call, on_cancelled, x);
  rpc_call_read(call, on_message, x);
}

typedef struct List {
  Arena *arena;
  Sandplane__V1__Image **images;
  size_t n, cap;
} List;

static void append(void *arg, const ImageInfo *info) {
  List *l = arg;
  if (l->n == l->cap) {
    Sandplane__V1__Image **grown = arena_alloc(l->arena, (l->cap * 2 + 16) * sizeof(Sandplane__V1__Image *));
    if (l->n)
      memcpy(grown, l->images, l->n * sizeof(Sandplane__V1__Image *));
    l->images = grown;
    l->cap = l->cap * 2 + 16;
  }
  l->images[l->n++] = message_of(l->arena, info);
}

typedef struct Classes {
  Arena *arena;
  const Backend *backend;
  Sandplane__V1__RuntimeClass **classes;
  size_t n;
} Classes;

enum { CLASSES_MAX = 8 };

static void append_class(void *arg, const char *class_name, size_t n) {
  Classes *l = arg;
  if (l->n == CLASSES_MAX)
    return;
  const char *about = local_backend_about(l->backend, class_name), *lacks = local_backend_lacks(l->backend, class_name);
  Sandplane__V1__RuntimeClass *c = arena_alloc(l->arena, sizeof *c);
  sandplane__v1__runtime_class__init(c);
  c->name = arena_strdup(l->arena, class_name);
  c->about = arena_strdup(l->arena, about ? about : "");
  c->lacks = arena_strdup(l->arena, lacks ? lacks : "");
  l->classes[l->n++] = c;
}

void image_rpc_list(RpcCall *call, void *service, const uint8_t *data, size_t len) {
  RpcRequest *request = rpc_request_new(call, service, sizeof *request);
  Reconciler *r = service;
  if (!has_store(request, r))
    return;
  List l = {.arena = request->arena};
  image_store_each(r->images, append, &l);
  Sandplane__V1__ListImagesResponse out = SANDPLANE__V1__LIST_IMAGES_RESPONSE__INIT;
  out.images = l.images;
  out.n_images = l.n;
  Classes classes = {.arena = request->arena, .backend = r->backend};
  classes.classes = arena_alloc(request->arena, CLASSES_MAX * sizeof(Sandplane__V1__RuntimeClass *));
  local_backend_classes(r->backend, append_class, &classes);
  out.runtime_classes = classes.classes;
  out.n_runtime_classes = classes.n;
  rpc_request_reply(request, &out.base);
}
