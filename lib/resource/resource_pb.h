/* Fields that messages of the API have in common, made in an arena; strings are copied. */
#ifndef SANDPLANE_LIB_RESOURCE_RESOURCE_PB_H_
#define SANDPLANE_LIB_RESOURCE_RESOURCE_PB_H_

#include "google/protobuf/duration.pb-c.h"
#include "google/protobuf/timestamp.pb-c.h"
#include "lib/base/arena.h"

/* Of parts that are good. */
char *resource_pb_name(Arena *arena, const char *ns, const char *collection, const char *id);
/* NULL: empty. */
char *resource_pb_text(Arena *arena, const char *s);
/* NULL for 0: it did not happen. */
Google__Protobuf__Timestamp *resource_pb_time(Arena *arena, int64_t ms);
Google__Protobuf__Duration *resource_pb_duration(Arena *arena, int64_t ms);

#endif
