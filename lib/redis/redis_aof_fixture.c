/* See redis_aof_fixture.h. */
#include "lib/redis/redis_aof_fixture.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/str.h"

enum { COMMANDS_MAX = 4096, BYTES_OF_THE_NEXT = 7 };

/* The file that is appended to: the last one of the manifest ("file NAME seq N type i"). */
static void newest(const char *folder, char *path, size_t max) {
  char line[512], name[256] = "";
  snprintf(path, max, "%s/%s/appendonlydir/appendonly.aof.manifest", getenv("REDIS_DIR"), folder);
  FILE *f = fopen(path, "re");
  if (!f)
    abort();
  while (fgets(line, sizeof line, f))
    sscanf(line, "file %255s", name);
  fclose(f);
  snprintf(path, max, "%s/%s/appendonlydir/%s", getenv("REDIS_DIR"), folder, name);
}

/* The number of a line "*3" or "$4", of the kind asked for; -1: the end, or another kind. */
static long header(FILE *f, char kind) {
  char line[32];
  return fgets(line, sizeof line, f) && *line == kind ? (long)str_leading_int64(line + 1, -1) : -1;
}

/* One command ("*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"); its first word. false: the end. */
static bool command(FILE *f, char *word, size_t max) {
  long n = header(f, '*');
  if (n < 0)
    return false;
  *word = 0;
  for (long i = 0; i < n; i++) {
    long len = header(f, '$');
    if (len < 0)
      abort();
    size_t kept = i == 0 && (size_t)len < max ? (size_t)len : 0;
    if (fread(word, 1, kept, f) != kept || fseek(f, len - (long)kept + 2, SEEK_CUR))
      abort();
    if (i == 0)
      word[kept] = 0;
  }
  return true;
}

int redis_aof_cut(const char *folder, int n) {
  static long ends[COMMANDS_MAX]; /* of the commands since the last MULTI, which is the first */
  char path[1024], word[32];
  newest(folder, path, sizeof path);
  FILE *f = fopen(path, "re");
  if (!f)
    abort();
  int count = 0;
  while (command(f, word, sizeof word)) {
    if (strcmp(word, "MULTI") == 0)
      count = 0;
    if (count == COMMANDS_MAX)
      abort();
    ends[count++] = ftell(f);
  }
  fclose(f);
  if (strcmp(word, "EXEC") != 0)
    abort();
  if (n + 1 >= count)
    return 0;
  if (truncate(path, ends[n] + BYTES_OF_THE_NEXT))
    abort();
  return count - n - 1;
}
