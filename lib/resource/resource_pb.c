/* See resource_pb.h. */
#include "lib/resource/resource_pb.h"

#include "lib/resource/resource.h"

char *resource_pb_name(Arena *arena, const char *ns, const char *collection, const char *id) {
  char name[RESOURCE_NAME_SIZE];
  resource_name_format(name, ns, collection, id);
  return arena_strdup(arena, name);
}

char *resource_pb_text(Arena *arena, const char *s) {
  return arena_strdup(arena, s ? s : "");
}

Google__Protobuf__Timestamp *resource_pb_time(Arena *arena, int64_t ms) {
  if (ms <= 0)
    return NULL;
  Google__Protobuf__Timestamp *t = arena_alloc(arena, sizeof *t);
  google__protobuf__timestamp__init(t);
  t->seconds = ms / 1000;
  t->nanos = (int32_t)(ms % 1000) * 1000000;
  return t;
}

Google__Protobuf__Duration *resource_pb_duration(Arena *arena, int64_t ms) {
  Google__Protobuf__Duration *d = arena_alloc(arena, sizeof *d);
  google__protobuf__duration__init(d);
  d->seconds = ms / 1000;
  d->nanos = (int32_t)(ms % 1000) * 1000000;
  return d;
}
