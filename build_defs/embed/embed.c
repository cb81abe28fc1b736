/* embed: writes OUT.c and OUT.h that hold files as arrays of bytes, each followed by a NUL.
 *
 * embed OUT.c OUT.h HEADER_PATH [SYMBOL FILE]... : `extern const unsigned char SYMBOL[]` and
 * `extern const size_t SYMBOL_len` for each; HEADER_PATH is how OUT.h is included.
 */
#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static FILE *open_or_die(const char *path, const char *mode) {
  FILE *f = fopen(path, mode);
  if (!f) {
    fprintf(stderr, "embed: %s: %s\n", path, strerror(errno));
    exit(1);
  }
  return f;
}

int main(int argc, char **argv) {
  if (argc < 4 || argc % 2 != 0) {
    fprintf(stderr, "usage: embed OUT.c OUT.h HEADER_PATH [SYMBOL FILE]...\n");
    return 2;
  }
  FILE *c = open_or_die(argv[1], "w");
  FILE *h = open_or_die(argv[2], "w");
  fprintf(h, "#pragma once\n#include <stddef.h>\n");
  fprintf(c, "#include \"%s\"\n", argv[3]);
  for (int i = 4; i < argc; i += 2) {
    FILE *in = open_or_die(argv[i + 1], "rb");
    size_t n = 0;
    int ch;
    fprintf(h, "extern const unsigned char %s[];\nextern const size_t %s_len;\n", argv[i], argv[i]);
    fprintf(c, "const unsigned char %s[] = {", argv[i]);
    while ((ch = fgetc(in)) != EOF) {
      fprintf(c, n % 20 ? "%d," : "\n%d,", ch);
      n++;
    }
    fprintf(c, "0};\nconst size_t %s_len = %zu;\n", argv[i], n);
    if (ferror(in))
      return 1;
    fclose(in);
  }
  return fclose(c) || fclose(h);
}
