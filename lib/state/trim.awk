# trim.awk common.lua SCRIPT...: one after the other, but of common.lua only the functions that the others call, themselves or by
# those that they call. Lua makes every function of a script anew each time the script runs: all of them cost a claim 3 us.
#
# A function begins with "local function NAME(" and ends with "end", each at the start of a line, or in the same line.
function word(name) { return "(^|[^A-Za-z0-9_'])" name "([^A-Za-z0-9_']|$)" }

FNR == 1 { file++ }

# code, without comments on lines of their own
file == 1 {
  lines[++n] = $0
  if (/^local function /) {
    name = $3
    sub(/\(.*/, "", name)
    inside = name
    names[++functions] = name
  }
  owner[n] = inside
  if (!/^ *--/) {
    if (inside != "") body[inside] = body[inside] "\n" $0
    else rest = rest "\n" $0
  }
  if (inside != "" && (/^end/ || (/^local function / && / end$/))) inside = ""
}
file > 1 {
  script[++m] = $0
  if (!/^ *--/) rest = rest "\n" $0
}

END {
  for (more = 1; more;) {
    more = 0
    for (i = 1; i <= functions; i++)
      if (!(names[i] in kept) && rest ~ word(names[i])) {
        kept[names[i]]
        rest = rest body[names[i]]
        more = 1
      }
  }
  for (i = 1; i <= n; i++)
    if (owner[i] == "" || owner[i] in kept) print lines[i]
  for (i = 1; i <= m; i++) print script[i]
}
