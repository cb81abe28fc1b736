/* Messages as JSON, by the mapping of proto3: lowerCamelCase names, 64-bit numbers as text, enums by name,
 * timestamps in RFC 3339, durations in seconds. Fields at their default are left out. */
#ifndef SANDPLANE_CLI_TEXT_JSON_PB_H_
#define SANDPLANE_CLI_TEXT_JSON_PB_H_

#include <protobuf-c/protobuf-c.h>

/* One line to standard output. message: any protobuf-c message. */
void json_pb_print(const void *message);
/* The text, which the caller frees. */
char *json_pb_text(const void *message);

#endif
