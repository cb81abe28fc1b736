/* See shlex.h. */
#include "runtime/http/shlex.h"

#include <stdbool.h>
#include <string.h>

/* More than any kernel takes as arguments of a program: each costs it a pointer and a NUL of 6 MiB in all. */
#define WORDS_MAX ((size_t)1 << 20)

static bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

char **shlex_split(Arena *arena, const char *line, size_t *ret_n, const char **ret_error) {
  size_t len = strlen(line), n = 0, room = len / 2 + 2;
  if (room > WORDS_MAX)
    room = WORDS_MAX;
  char **words = arena_alloc(arena, (room + 1) * sizeof *words);
  /* a word is no longer than what it was made of, and its NUL has the place of the blank behind it */
  char *out = arena_alloc(arena, len + 1);
  const char *s = line;
  for (;;) {
    while (is_blank(*s))
      s++;
    if (!*s)
      break;
    if (n == room)
      return *ret_error = "[Errno 7] Argument list too long", NULL;
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
