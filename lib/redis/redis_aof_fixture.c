/* See redis_aof_fixture.h. */
#include "lib/redis/redis_aof_fixture.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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

/* One command ("*2\r\n$4\r\nINCR\r\n$1\r\na\r\n"); its first word. false: the end. */
static bool command(FILE *f, char *word, size_t max) {
  int n, len;
  if (fscanf(f, "*%d\r\n", &n) != 1)
    return false;
  *word = 0;
  for (int i = 0; i < n; i++) {
    if (fscanf(f, "$%d", &len) != 1 || fseek(f, 2, SEEK_CUR))
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
