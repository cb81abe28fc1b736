/* See methods.h. Ping lives here: it does nothing but answer. */
#include "runtime/call/methods.h"

#include <string.h>

static void ping_open(Call *call) {
  call_finish(call, NULL);
}
static void ping_message(Call *call, const uint8_t *data, size_t len) {}
static void ping_half_close(Call *call) {}

const CallMethod METHOD_PING = {
    .name = "Ping", .on_open = ping_open, .on_message = ping_message, .on_half_close = ping_half_close};

const CallMethod *methods_find(const char *name) {
  static const CallMethod *const METHODS[] = {
      &METHOD_CONNECT,   &METHOD_EXEC,        &METHOD_EXEC_STREAM, &METHOD_LIST_FILES, &METHOD_PING,
      &METHOD_READ_FILE, &METHOD_REMOVE_FILE, &METHOD_STAT,        &METHOD_WRITE_FILE,
  };
  for (size_t i = 0; i < ARRAY_LEN(METHODS); i++)
    if (strcmp(METHODS[i]->name, name) == 0)
      return METHODS[i];
  return NULL;
}
