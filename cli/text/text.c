/* See text.h. */
#include "cli/text/text.h"

#include <string.h>

#include "lib/base/str.h"
#include "lib/resource/resource_pb.h"

Google__Protobuf__Duration *text_duration(Cli *cli, const Args *args, const char *option, Error *err) {
  const char *text = args_value(args, option);
  int64_t ms;
  if (!text)
    return NULL;
  if (str_to_duration_ms(text, &ms) < 0) {
    error_set(err, ERROR_INVALID_ARGUMENT, "--%s: \"%s\" is no duration such as 90s, 10m or 1h", option, text);
    return NULL;
  }
  return resource_pb_duration(cli->arena, ms);
}

int text_pair(Cli *cli, const Args *args, const char *option, size_t n, char **ret_key, char **ret_value, Error *err) {
  const char *text = args_nth(args, option, n), *equals = text ? strchr(text, '=') : NULL;
  if (!text)
    return 0;
  if (!equals || equals == text)
    return error_set(err, ERROR_INVALID_ARGUMENT, "--%s: \"%s\" is not KEY=VALUE", option, text);
  *ret_key = arena_strndup(cli->arena, text, (size_t)(equals - text));
  *ret_value = arena_strdup(cli->arena, equals + 1);
  return 1;
}
