#!/usr/bin/env bash
# docs/cli.md names every command and every option that --help prints, and no option that does not exist.
set -euo pipefail
SANDCTL=cli/sandctl DOC=docs/cli.md
failed=0
commands=$("$SANDCTL" --help | sed -n '/^usage/,/^Options/s/^  \([a-z]*\( [a-z]*\)\{0,1\}\)  .*/\1/p')
[ "$(wc -l <<<"$commands")" -gt 10 ] || { echo "the commands cannot be read from --help"; exit 1; }
options=$(
  {
    "$SANDCTL" --help
    while read -r command; do
      # shellcheck disable=SC2086 # two words
      "$SANDCTL" $command --help
    done <<<"$commands"
  } | grep -o -- '^  [- ][a-zA-Z ][, ] --[a-z-]*' | grep -o -- '--.*' | sort -u
)
[ "$(wc -l <<<"$options")" -gt 10 ] || { echo "the options cannot be read from --help"; exit 1; }

while read -r command; do
  grep -q "\`sandctl $command" "$DOC" || { echo "$DOC does not name the command $command"; failed=1; }
done <<<"$commands"
while read -r option; do
  grep -q -- "\`$option\b" "$DOC" || { echo "$DOC does not name $option"; failed=1; }
done <<<"$options"
while read -r option; do
  grep -qx -- "$option" <<<"$options" || { echo "$DOC names $option, which no command has"; failed=1; }
done < <(grep -oE -- '--[a-z][a-z-]+' "$DOC" | sort -u)
exit $failed
