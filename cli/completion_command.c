/* completion: scripts for bash, zsh and fish, made from the command tables; names are asked of the server. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"

/* Words of the first place, each once ("pools" stands for four commands). */
static void first_words(void) {
  const char *last = "";
  size_t last_len = 0;
  for (const Command *const *table = COMMAND_TABLES; *table; table++)
    for (const Command *c = *table; c->name; c++) {
      size_t n = strcspn(c->name, " ");
      if (n == last_len && !strncmp(last, c->name, n))
        continue;
      printf("%.*s ", (int)n, c->name);
      last = c->name;
      last_len = n;
    }
}

/* "pools) words='list get';;" for each word that has a second. */
static void second_words(void) {
  const char *open = NULL;
  size_t n_open = 0;
  for (const Command *const *table = COMMAND_TABLES; *table; table++)
    for (const Command *c = *table; c->name; c++) {
      const char *space = strchr(c->name, ' ');
      if (!space)
        continue;
      size_t n = (size_t)(space - c->name);
      if (open && (n != n_open || strncmp(open, c->name, n) != 0))
        printf("';;\n");
      if (!open || n != n_open || strncmp(open, c->name, n) != 0)
        printf("      %.*s) words='", (int)n, c->name);
      printf("%s ", space + 1);
      open = c->name;
      n_open = n;
    }
  if (open)
    printf("';;\n");
}

static void options_of(const Option *options) {
  for (; options->name; options++)
    printf("--%s ", options->name);
}

static void bash_script(void) {
  printf("_sandctl() {\n  local cur=${COMP_WORDS[COMP_CWORD]} words=\n  if [ \"$COMP_CWORD\" -eq 1 ]; then\n "
         "   words='");
  first_words();
  printf("'\n  elif [[ $cur == -* ]]; then\n    words='");
  options_of(GLOBAL_OPTIONS);
  printf("'\n    case ${COMP_WORDS[1]} in\n");
  for (const Command *const *table = COMMAND_TABLES; *table; table++)
    for (const Command *c = *table; c->name; c++) {
      if (strchr(c->name, ' ') || !c->options->name)
        continue;
      printf("      %s) words+='", c->name);
      options_of(c->options);
      printf("';;\n");
    }
  printf("    esac\n  else\n    case ${COMP_WORDS[1]} in\n");
  second_words();
  printf("      get|exec|delete|update|cp|ls|rm|logs)"
         " words=$(sandctl list --output name --timeout 2s 2>/dev/null | sed 's|.*/||');;\n"
         "    esac\n  fi\n  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n}\ncomplete -o default -F "
         "_sandctl sandctl\n");
}

static void fish_script(void) {
  printf("complete -c sandctl -f\n");
  for (const Command *const *table = COMMAND_TABLES; *table; table++)
    for (const Command *c = *table; c->name; c++) {
      const char *space = strchr(c->name, ' ');
      int n = (int)strcspn(c->name, " ");
      if (space) {
        printf("complete -c sandctl -n __fish_use_subcommand -a %.*s\n", n, c->name);
        printf("complete -c sandctl -n '__fish_seen_subcommand_from %.*s' -a %s -d \"%s\"\n", n, c->name,
               space + 1, c->help);
        continue;
      }
      printf("complete -c sandctl -n __fish_use_subcommand -a %s -d \"%s\"\n", c->name, c->help);
      for (const Option *o = c->options; o->name; o++)
        printf("complete -c sandctl -n '__fish_seen_subcommand_from %s' -l %s -d \"%s\"\n", c->name, o->name,
               o->help);
    }
  for (const Option *o = GLOBAL_OPTIONS; o->name; o++)
    printf("complete -c sandctl -l %s -d \"%s\"\n", o->name, o->help);
  printf("complete -c sandctl -n '__fish_seen_subcommand_from get exec delete update ls rm logs' -a "
         "'(sandctl list --output name --timeout 2s 2>/dev/null | string replace -r \".*/\" \"\")'\n");
}

static int completion(Cli *cli, const Args *args) {
  const char *shell = args->n_names == 1 ? args->names[0] : "";
  if (!strcmp(shell, "bash")) {
    bash_script();
  } else if (!strcmp(shell, "zsh")) {
    printf("autoload -U +X bashcompinit && bashcompinit\n");
    bash_script();
  } else if (!strcmp(shell, "fish")) {
    fish_script();
  } else {
    return cli_usage("completion needs one of bash, zsh, fish; then: source <(sandctl completion bash)");
  }
  return 0;
}

static const Option NONE[] = {{NULL, 0, NULL, NULL}};

const Command COMPLETION_COMMANDS[] = {
    {"completion", "bash|zsh|fish", "Prints a script that completes commands and names.", NONE, completion},
    {NULL, NULL, NULL, NULL, NULL},
};
