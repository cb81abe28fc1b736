/* See shlex.h. */
#include "runtime/shlex.h"

#include <stdbool.h>
#include <string.h>

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

char **shlex_split(Arena *arena, const char *line, size_t *ret_n, const char **ret_error) {
  size_t len = strlen(line), n = 0;
  /* there are at most half as many words as characters, and one more */
  char **words = arena_alloc(arena, (len / 2 + 2) * sizeof *words);
  char *out = arena_alloc(arena, 2 * len + 2);
  const char *s = line;
  for (;;) {
    while (is_blank(*s))
      s++;
    if (!*s)
      break;
    words[n++] = out;
    while (*s && !is_blank(*s)) {
      char quote = *s == '\'' || *s == '"' ? *s++ : 0;
      if (!quote) {
        if (*s == '\\' && !*++s)
          return *ret_error = "No escaped character", NULL;
        *out++ = *s++;
        continue;
      }
      for (; *s != quote; s++) {
        if (!*s)
          return *ret_error = "No closing quotation", NULL;
        /* within double quotes a backslash escapes the quote and itself only */
        if (quote == '"' && *s == '\\' && (s[1] == '"' || s[1] == '\\'))
          s++;
        else if (quote == '"' && *s == '\\' && !s[1])
          return *ret_error = "No escaped character", NULL;
        *out++ = *s;
      }
      s++;
    }
    *out++ = 0;
  }
  *ret_n = n;
  return words;
}
