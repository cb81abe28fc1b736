/* See passwd.h. */
#include "runtime/process/passwd.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "lib/base/str.h"

/* passwd(5) */
enum { UID = 2, HOME = 5 };

const char *passwd_home(char *line, uid_t uid) {
  line[strcspn(line, "\n")] = 0;
  int64_t id = -1;
  for (int i = 0; line; i++) {
    const char *field = strsep(&line, ":");
    if (i == UID && (str_to_int64(field, 0, UINT32_MAX, &id) || id != uid))
      return NULL;
    if (i == HOME)
      return *field ? field : NULL;
  }
  return NULL;
}
