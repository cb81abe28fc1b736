/* The set is read once, at start; symbols are sorted for bisection. Everything lives in one arena. */
#include "lib/rpc/rpc_descriptors.h"

#include <stdlib.h>
#include <string.h>

#include "google/protobuf/descriptor.pb-c.h"
#include "lib/base/alloc.h"
#include "lib/base/arena.h"

typedef Google__Protobuf__DescriptorProto Message;
typedef Google__Protobuf__EnumDescriptorProto Enum;
typedef Google__Protobuf__FileDescriptorProto File;
typedef Google__Protobuf__FileDescriptorSet Set;

typedef struct Symbol {
  const char *name;
  int file;
  bool is_message;
} Symbol;

struct RpcDescriptors {
  Arena *arena;
  RpcDescriptorFile *files;
  size_t n_files;
  Symbol *symbols;
  size_t n_symbols, cap_symbols;
};

/* ---- Collecting symbols ---- */

static const char *add(RpcDescriptors *d, int file, const char *scope, const char *name, bool is_message) {
  if (d->n_symbols == d->cap_symbols) {
    d->cap_symbols = d->cap_symbols ? d->cap_symbols * 2 : 256;
    d->symbols = xrealloc(d->symbols, d->cap_symbols * sizeof *d->symbols);
  }
  const char *full = arena_printf(d->arena, *scope ? "%s.%s" : "%s%s", scope, name);
  d->symbols[d->n_symbols++] = (Symbol){.name = full, .file = file, .is_message = is_message};
  return full;
}

/* Values of an enum are siblings of its name. */
static void add_enum(RpcDescriptors *d, int file, const char *scope, const Enum *e) {
  add(d, file, scope, e->name, false);
  for (size_t i = 0; i < e->n_value; i++)
    add(d, file, scope, e->value[i]->name, false);
}

/* Recursion ends with the nesting in our own .proto files: the set is linked in, not received. */
static void add_message(RpcDescriptors *d, int file, const char *scope, const Message *m) {
  const char *full = add(d, file, scope, m->name, true);
  for (size_t i = 0; i < m->n_field; i++)
    add(d, file, full, m->field[i]->name, false);
  for (size_t i = 0; i < m->n_oneof_decl; i++)
    add(d, file, full, m->oneof_decl[i]->name, false);
  for (size_t i = 0; i < m->n_enum_type; i++)
    add_enum(d, file, full, m->enum_type[i]);
  for (size_t i = 0; i < m->n_nested_type; i++)
    add_message(d, file, full, m->nested_type[i]);
}

static void add_symbols(RpcDescriptors *d, int file, const File *f) {
  const char *package = f->package ? f->package : "";
  for (size_t i = 0; i < f->n_message_type; i++)
    add_message(d, file, package, f->message_type[i]);
  for (size_t i = 0; i < f->n_enum_type; i++)
    add_enum(d, file, package, f->enum_type[i]);
  for (size_t i = 0; i < f->n_service; i++) {
    const Google__Protobuf__ServiceDescriptorProto *service = f->service[i];
    const char *full = add(d, file, package, service->name, false);
    for (size_t k = 0; k < service->n_method; k++)
      add(d, file, full, service->method[k]->name, false);
  }
}

static int compare(const void *a, const void *b) {
  return strcmp(((const Symbol *)a)->name, ((const Symbol *)b)->name);
}

/* ---- Reading the set ---- */

static int link_imports(RpcDescriptors *d, RpcDescriptorFile *out, const File *f, Error *err) {
  size_t *imports = arena_alloc(d->arena, (f->n_dependency + 1) * sizeof *imports);
  for (size_t i = 0; i < f->n_dependency; i++) {
    int import = rpc_descriptors_by_name(d, f->dependency[i]);
    if (import < 0) {
      return error_set(err, ERROR_INTERNAL, "the descriptors lack %s, which %s imports", f->dependency[i], f->name);
    }
    imports[i] = (size_t)import;
  }
  out->imports = imports;
  out->n_imports = f->n_dependency;
  return 0;
}

static int load(RpcDescriptors *d, const Set *set, Error *err) {
  d->files = arena_alloc(d->arena, (set->n_file + 1) * sizeof *d->files);
  for (size_t i = 0; i < set->n_file; i++) {
    const File *f = set->file[i];
    RpcDescriptorFile *file = &d->files[d->n_files++];
    file->name = arena_strdup(d->arena, f->name ? f->name : "");
    file->len = protobuf_c_message_get_packed_size(&f->base);
    file->data = arena_alloc(d->arena, file->len + 1);
    protobuf_c_message_pack(&f->base, file->data);
    add_symbols(d, (int)i, f);
  }
  for (size_t i = 0; i < set->n_file; i++) {
    if (link_imports(d, &d->files[i], set->file[i], err) < 0)
      return -1;
  }
  if (d->n_symbols > 0)
    qsort(d->symbols, d->n_symbols, sizeof *d->symbols, compare);
  return 0;
}

RpcDescriptors *rpc_descriptors_new(const uint8_t *data, size_t len, Error *err) {
  RpcDescriptors *d = new0(RpcDescriptors);
  d->arena = arena_new();
  Set *set = google__protobuf__file_descriptor_set__unpack(NULL, len, data);
  if (!set) {
    error_set(err, ERROR_INTERNAL, "the descriptors are not a FileDescriptorSet");
    rpc_descriptors_free(d);
    return NULL;
  }
  int rc = load(d, set, err);
  google__protobuf__file_descriptor_set__free_unpacked(set, NULL);
  if (rc == 0)
    return d;
  rpc_descriptors_free(d);
  return NULL;
}

void rpc_descriptors_free(RpcDescriptors *d) {
  if (!d)
    return;
  arena_free(d->arena);
  free(d->symbols);
  free(d);
}

/* ---- Looking up ---- */

size_t rpc_descriptors_count(const RpcDescriptors *d) {
  return d->n_files;
}

const RpcDescriptorFile *rpc_descriptors_file(const RpcDescriptors *d, size_t index) {
  return &d->files[index];
}

int rpc_descriptors_by_name(const RpcDescriptors *d, const char *name) {
  for (size_t i = 0; i < d->n_files; i++) {
    if (!strcmp(d->files[i].name, name))
      return (int)i;
  }
  return -1;
}

static const Symbol *find(const RpcDescriptors *d, const char *symbol) {
  Symbol key = {.name = symbol};
  return d->n_symbols ? bsearch(&key, d->symbols, d->n_symbols, sizeof key, compare) : NULL;
}

int rpc_descriptors_by_symbol(const RpcDescriptors *d, const char *symbol) {
  const Symbol *found = find(d, symbol);
  return found ? found->file : -1;
}

bool rpc_descriptors_is_message(const RpcDescriptors *d, const char *symbol) {
  const Symbol *found = find(d, symbol);
  return found && found->is_message;
}
