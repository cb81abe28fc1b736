#!/usr/bin/env bash
# keys new, list and revoke on a real file: what is printed, what the file holds, which files are refused.
set -euo pipefail
umask 022
SANDCTL=$PWD/cli/sandctl
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
f=$dir/keys
failed=0
problem() { echo "$*"; failed=1; }
keys() { "$SANDCTL" keys "$@"; }
# refused CODE WORD ARGS...
refused() {
  local want=$1 word=$2 code=0 said
  shift 2
  said=$("$SANDCTL" keys "$@" 2>&1) || code=$?
  [[ $code == "$want" && $said == *"$word"* ]] || problem "keys $*: $code, $said"
  [[ $(wc -l <<<"$said") == 1 ]] || problem "keys $*: more than a line: $said"
}

one=$(keys new --file "$f" --tenant research)
[[ $one =~ ^sp_[0-9a-z]{12}_[A-Za-z0-9_-]{43}$ ]] || problem "no key: $one"
[[ $(stat -c %a "$f") == 600 ]] || problem "mode $(stat -c %a "$f")"
id=${one:3:12}
want="{\"id\":\"$id\",\"hash\":\"sha256:$(printf %s "$one" | sha256sum | cut -d' ' -f1)\",\"tenant\":\"research\",\"role\":\"user\",\"namespaces\":[\"default\"]}"
[[ $(<"$f") == "$want" ]] || problem "the file has $(<"$f"), not $want"

# a comment, and a last line without an end, stay
printf '# of the project\n%s' "$want" >"$f"
two=$(SANDPLANE_API_KEYS_FILE=$f "$SANDCTL" -n team-a keys new --tenant rivals --expires 2033-05-18T05:33:20+02:00)
three=$(keys new -f "$f" --tenant ops --role admin -o json)
[[ $three =~ ^\{\"id\":\"[0-9a-z]{12}\",\"key\":\"sp_[A-Za-z0-9_-]{56}\"\}$ ]] || problem "json: $three"
keys new -f "$f" --tenant research --namespaces default,team-a --expires 720h >/dev/null
[[ $(head -n 1 "$f") == '# of the project' && $(sed -n 2p "$f") == "$want" && $(wc -l <"$f") == 5 ]] || problem "the file: $(<"$f")"
grep -qF -e "$one" -e "$two" "$f" && problem "the file holds a key"
[[ $(keys list -f "$f" -o name | sed -n '1p;2p') == "$id"$'\n'"${two:3:12}" ]] || problem "names: $(keys list -f "$f" -o name)"
keys list -f "$f" -o json | grep -qxF "{\"id\":\"${two:3:12}\",\"tenant\":\"rivals\",\"role\":\"user\",\"namespaces\":\"team-a\",\"expires\":\"2033-05-18T03:33:20.000Z\"}" ||
  problem "json: $(keys list -f "$f" -o json)"
keys list -f "$f" | grep -q "^${id} *research *user *default *never" || problem "table: $(keys list -f "$f")"
keys list -f "$f" | grep -q 'ops *admin *\* *never' || problem "table: $(keys list -f "$f")"
keys list -f "$f" -o json | grep -q hash && problem "list shows hashes"

# through a link, and all or none
ln -s keys "$dir/link"
refused 1 'nothing was changed' revoke -f "$f" "$id" 000000000000
[[ $(keys list -f "$f" -o name | wc -l) == 4 ]] || problem "a failed revoke took some"
keys revoke -f "$dir/link" "$id" "${two:3:12}"
[[ -L $dir/link && $(keys list -f "$f" -o name | wc -l) == 2 && $(head -n 1 "$f") == '# of the project' ]] || problem "after revoke: $(<"$f")"
[[ $(stat -c %a "$f") == 600 ]] || problem "mode after revoke"
[[ $(find "$dir" -type f | wc -l) == 1 ]] || problem "left behind: $(ls -a "$dir")"

# many at once lose nothing
for _ in 1 2 3 4 5 6 7 8; do keys new -f "$f" --tenant many >/dev/null & done
wait
[[ $(keys list -f "$f" | grep -c many) == 8 ]] || problem "some of eight are lost"

refused 2 --tenant new -f "$f"
refused 2 --tenant new -f "$f" --tenant Research
refused 2 --role new -f "$f" --tenant a --role root
refused 2 --namespaces new -f "$f" --tenant a --namespaces a,,b
refused 2 --expires new -f "$f" --tenant a --expires soon
refused 2 --file new --tenant a
refused 2 'needs IDs' revoke -f "$f"
refused 1 'No such file' list -f "$dir/none"
refused 1 'No such file' new -f "$dir/none/keys" --tenant a
chmod 640 "$f"
refused 1 'others may read it' list -f "$f"
chmod 622 "$f"
refused 1 'others may write it' new -f "$f" --tenant a
chmod 600 "$f"
echo '{}' >>"$f"
refused 1 'keys:12: id' new -f "$f" --tenant a
exit $failed
