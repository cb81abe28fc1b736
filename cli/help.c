/* See help.h. */
#include "cli/help.h"

#include <stdio.h>
#include <string.h>

static void print_options(const Option *options) {
  for (const Option *o = options; o->name; o++) {
    char left[64];
    snprintf(left, sizeof left, "%c%c%s --%s%s%s", o->letter ? '-' : ' ', o->letter ? o->letter : ' ',
             o->letter ? "," : " ", o->name, o->value ? " " : "", o->value ? o->value : "");
    printf("  %-30s %s\n", left, o->help);
  }
}

void help_all(void) {
  printf("sandctl claims sandboxes, runs commands in them and lets them go.\n\nusage: sandctl COMMAND "
         "[OPTIONS]\n\n");
  for (const Command *const *table = COMMAND_TABLES; *table; table++)
    for (const Command *c = *table; c->name; c++)
      printf("  %-18s %s\n", c->name, c->help);
  printf("\nOptions of every command:\n");
  print_options(GLOBAL_OPTIONS);
  printf("\nsandctl COMMAND --help tells more. Exit codes: 1 failed, 2 wrong usage; exec: the command's own.\n");
}

int help_command(const Command *c) {
  printf("usage: sandctl %s %s\n\n%s\n\nOptions:\n", c->name, c->usage, c->help);
  print_options(c->options);
  print_options(GLOBAL_OPTIONS);
  return 0;
}

const Command *help_find(int argc, char **argv, int *ret_words) {
  for (const Command *const *table = COMMAND_TABLES; *table; table++)
    for (const Command *c = *table; c->name; c++) {
      const char *space = strchr(c->name, ' ');
      size_t first = space ? (size_t)(space - c->name) : strlen(c->name);
      if (strlen(argv[0]) != first || strncmp(argv[0], c->name, first) != 0)
        continue;
      if (space && (argc < 2 || strcmp(argv[1], space + 1) != 0))
        continue;
      *ret_words = space ? 2 : 1;
      return c;
    }
  return NULL;
}

static bool in_group(const Command *c, const char *word) {
  size_t n = strlen(word);
  return strncmp(c->name, word, n) == 0 && c->name[n] == ' ';
}

bool help_group(const char *word) {
  bool any = false;
  for (const Command *const *table = COMMAND_TABLES; *table; table++)
    for (const Command *c = *table; c->name; c++) {
      if (!in_group(c, word))
        continue;
      char left[64];
      snprintf(left, sizeof left, "%s %s", c->name, c->usage);
      printf("%s  sandctl %-26s %s\n", any ? "" : "usage:\n", left, c->help);
      any = true;
    }
  return any;
}

int help_unknown(const char *word) {
  char list[512] = "";
  for (const Command *const *table = COMMAND_TABLES; *table; table++)
    for (const Command *c = *table; c->name; c++)
      if (in_group(c, word))
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", list[0] ? ", " : "",
                 c->name + strlen(word) + 1);
  if (list[0])
    return cli_usage("%s needs one of: %s", word, list);
  return cli_usage("unknown command \"%s\"", word);
}
