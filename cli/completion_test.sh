#!/usr/bin/env bash
# The completion script of bash, used as bash uses it; fish's and zsh's where those shells are installed.
set -euo pipefail
SANDCTL=$PWD/cli/sandctl
failed=0

# shellcheck disable=SC1090
source <("$SANDCTL" completion bash)
# what a server would list; the completion calls it
# shellcheck disable=SC2317
sandctl() { echo "namespaces/default/listed/$1-one"; echo "namespaces/default/listed/$1-two"; }

# expect "WHAT IS TYPED": EXPECTED...; the last word is the one to complete
expect() {
  local typed=$1 want=$2
  read -ra COMP_WORDS <<<"$typed"
  [[ $typed == *' ' ]] && COMP_WORDS+=('')
  COMP_CWORD=$((${#COMP_WORDS[@]} - 1))
  _sandctl || : # like a command that found nothing
  [[ "${COMPREPLY[*]}" == "$want" ]] && return 0
  echo "\"$typed\" gave \"${COMPREPLY[*]}\", not \"$want\""
  failed=1
}

expect 'sandctl cre' 'create'
expect 'sandctl temp' 'templates'
expect 'sandctl pools ' 'list get scale delete'
expect 'sandctl pools sc' 'scale'
expect 'sandctl pools scale ' 'pools-one pools-two'
expect 'sandctl exec ' 'list-one list-two'
expect 'sandctl exec list-o' 'list-one'
expect 'sandctl exec box -- ' ''
expect 'sandctl create --pool ' 'pools-one pools-two'
expect 'sandctl create -p pools-t' 'pools-two'
expect 'sandctl create --template ' 'templates-one templates-two'
expect 'sandctl create --request' '--request-id'
expect 'sandctl create --ttl ' ''
expect 'sandctl create ' ''
expect 'sandctl list --output ' 'table json name'
expect 'sandctl image import --ref' '--reference'
expect 'sandctl image import ' ''
expect 'sandctl completion ' 'bash zsh fish'
expect 'sandctl delete --sel' '--selector'
expect 'sandctl nothing ' ''

for shell in fish zsh; do
  if command -v "$shell" >/dev/null; then "$SANDCTL" completion "$shell" | "$shell" -n || failed=1; fi
done
exit $failed
