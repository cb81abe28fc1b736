/* completion: scripts for bash, zsh and fish, made from the tables of commands. Names of sandboxes, pools and
 * templates are asked of the server while a person types, with a short timeout. */
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "lib/base/str.h"

/* What an option's value can be, by how --help calls it; in the form of Command.names. */
static const char *choices_of(const Option *o) {
  static const struct {
    const char *value, *choices;
  } KNOWN[] = {{"POOL", "pools list"}, {"TEMPLATE", "templates list"}, {"FORMAT", "=table json name"}};
  for (size_t i = 0; i < ARRAY_LEN(KNOWN); i++)
    if (!strcmp(o->value, KNOWN[i].value))
      return KNOWN[i].choices;
  return NULL;
}

static size_t first_len(const Command *c) {
  return strcspn(c->name, " ");
}

/* new_word: its first word is not that of the command before. */
typedef void (*CommandFn)(const Cli *cli, const Command *c, bool new_word);

static void each_command(const Cli *cli, CommandFn fn) {
  const Command *last = NULL;
  for (const Command *const *table = cli->tables; *table; table++)
    for (const Command *c = *table; c->name; last = c++)
      fn(cli, c, !last || first_len(last) != first_len(c) || strncmp(last->name, c->name, first_len(c)) != 0);
}

/* What can follow the first word of a command of two. */
static void second_words(const Cli *cli, const Command *of) {
  size_t n = first_len(of) + 1;
  for (const Command *const *table = cli->tables; *table; table++)
    for (const Command *c = *table; c->name; c++)
      if (strncmp(c->name, of->name, n) == 0)
        printf("%s ", c->name + n);
}

/* ---- bash, and zsh by its bashcompinit ---- */

static void bash_choices(const char *choices) {
  if (!choices)
    printf(":"); /* no words: the shell offers files */
  else if (choices[0] == '=')
    printf("words='%s'", choices + 1);
  else
    printf("words=$(_sandctl_names %s)", choices);
}

static void bash_values(const Option *o) {
  for (; o->name; o++) {
    if (!o->value)
      continue;
    printf("      --%s", o->name);
    if (o->letter)
      printf(" | -%c", o->letter);
    printf(") ");
    bash_choices(choices_of(o));
    printf(" ;;\n");
  }
}

static void bash_options(const Option *o) {
  for (; o->name; o++)
    printf("--%s ", o->name);
}

static void bash_command(const Cli *cli, const Command *c, bool new_word) {
  printf("    '%s '*) case $prev in\n", c->name);
  bash_values(c->options);
  bash_values(GLOBAL_OPTIONS);
  printf("      *) if [[ $cur == -* ]]; then words='");
  bash_options(c->options);
  bash_options(GLOBAL_OPTIONS);
  printf("'; else ");
  bash_choices(c->names);
  printf("; fi ;;\n      esac ;;\n");
}

static void bash_first(const Cli *cli, const Command *c, bool new_word) {
  if (new_word)
    printf("%.*s ", (int)first_len(c), c->name);
}

static void bash_second(const Cli *cli, const Command *c, bool new_word) {
  if (!new_word || !c->name[first_len(c)])
    return;
  printf("    %.*s) words='", (int)first_len(c), c->name);
  second_words(cli, c);
  printf("' ;;\n");
}

static void bash_script(const Cli *cli) {
  printf("_sandctl_names() { sandctl \"$@\" --output name --timeout 2s 2>/dev/null | sed 's|.*/||'; }\n"
         "_sandctl() {\n"
         "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} words='' i\n"
         "  COMPREPLY=()\n"
         "  for ((i = 1; i < COMP_CWORD; i++)); do [[ ${COMP_WORDS[i]} == -- ]] && return; done\n"
         "  if ((COMP_CWORD == 1)); then words='");
  each_command(cli, bash_first);
  printf("'; fi\n  if ((COMP_CWORD == 2)); then case ${COMP_WORDS[1]} in\n");
  each_command(cli, bash_second);
  printf("  esac; fi\n  [[ $words ]] || case \"${COMP_WORDS[1]} ${COMP_WORDS[2]} \" in\n");
  each_command(cli, bash_command);
  printf("  esac\n"
         "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
         "}\n"
         "complete -o default -F _sandctl sandctl\n");
}

/* ---- fish ---- */

static void fish_choices(const char *choices) {
  if (choices[0] == '=')
    printf(" -a '%s'", choices + 1);
  else
    printf(" -a '(_sandctl_names %s)'", choices);
}

/* The condition that the line has this command. */
static void fish_when(const Command *c) {
  printf("complete -c sandctl -n '__fish_seen_subcommand_from %.*s", (int)first_len(c), c->name);
  if (c->name[first_len(c)])
    printf("; and __fish_seen_subcommand_from %s", c->name + first_len(c) + 1);
  printf("'");
}

static void fish_option(const Option *o) {
  printf(" -l %s", o->name);
  if (o->letter)
    printf(" -s %c", o->letter);
  if (o->value && choices_of(o)) {
    printf(" -x");
    fish_choices(choices_of(o));
  } else if (o->value) {
    printf(" -r%s", !strcmp(o->value, "FILE") ? " -F" : "");
  }
  printf(" -d \"%s\"\n", o->help);
}

static void fish_command(const Cli *cli, const Command *c, bool new_word) {
  int n = (int)first_len(c);
  if (c->name[n]) {
    if (new_word)
      printf("complete -c sandctl -n __fish_use_subcommand -a %.*s\n", n, c->name);
    printf("complete -c sandctl -n '__fish_seen_subcommand_from %.*s; and not __fish_seen_subcommand_from ", n,
           c->name);
    second_words(cli, c);
    printf("' -a %s -d \"%s\"\n", c->name + n + 1, c->help);
  } else {
    printf("complete -c sandctl -n __fish_use_subcommand -a %s -d \"%s\"\n", c->name, c->help);
  }
  for (const Option *o = c->options; o->name; o++) {
    fish_when(c);
    fish_option(o);
  }
  if (c->names) {
    fish_when(c);
    fish_choices(c->names);
    printf("\n");
  }
  if (strstr(c->usage, "FILE") || strstr(c->usage, "FROM")) {
    fish_when(c);
    printf(" -F\n");
  }
}

static void fish_script(const Cli *cli) {
  printf("function _sandctl_names\n"
         "  sandctl $argv --output name --timeout 2s 2>/dev/null | string replace -r '.*/' ''\n"
         "end\n"
         "complete -c sandctl -f\n");
  each_command(cli, fish_command);
  for (const Option *o = GLOBAL_OPTIONS; o->name; o++) {
    printf("complete -c sandctl");
    fish_option(o);
  }
}

static int completion(Cli *cli, const Args *args) {
  const char *shell = args->n_names == 1 ? args->names[0] : "";
  if (!strcmp(shell, "bash")) {
    bash_script(cli);
  } else if (!strcmp(shell, "zsh")) {
    printf("autoload -U +X compinit && compinit\nautoload -U +X bashcompinit && bashcompinit\n");
    bash_script(cli);
  } else if (!strcmp(shell, "fish")) {
    fish_script(cli);
  } else {
    return cli_usage("completion needs one of bash, zsh, fish; then: source <(sandctl completion bash)");
  }
  return 0;
}

static const Option NONE[] = {{NULL, 0, NULL, NULL}};

const Command COMPLETION_COMMANDS[] = {
    {"completion", "bash|zsh|fish", "Prints a script that completes commands and names.", NONE, completion,
     "=bash zsh fish"},
    {NULL, NULL, NULL, NULL, NULL},
};
