# shellcheck shell=bash
# Shared by the commands in this folder; sourced. Nothing here prints on success but progress.

set -euo pipefail
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

say() { printf '==> %s\n' "$*" >&2; }
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# A stack's folder and ports; every one may be set by the caller.
: "${SANDPLANE_DATA:=/var/lib/sandplane}"
: "${SANDPLANE_HTTP_PORT:=8080}"
: "${SANDPLANE_GRPC_PORT:=7400}"
: "${SANDPLANE_REPLICAS:=1}"
export SANDPLANE_DATA SANDPLANE_HTTP_PORT SANDPLANE_GRPC_PORT SANDPLANE_REPLICAS

# as_root COMMAND...: with sudo when we are somebody else.
as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi
}

need_debian() {
  # shellcheck disable=SC1091
  [ -r /etc/os-release ] && . /etc/os-release
  [ "${ID:-}${VERSION_ID:-}" = debian12 ] || die "this needs Debian 12 (found ${PRETTY_NAME:-an unknown system}); run it in a Debian 12 machine or container"
  [ "$(uname -m)" = x86_64 ] || die "this needs an x86-64 machine (found $(uname -m))"
}

need_root() {
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "this needs root, or sudo, to make namespaces and control groups"
  [ "$(id -u)" = 0 ] || sudo -v || die "this needs root: sudo refused"
}

# need_packages NAME...: installs what is missing of them.
need_packages() {
  local missing=() p
  for p; do dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q 'ok installed' || missing+=("$p"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  say "installing ${missing[*]}"
  if ! as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/tmp/sandplane-apt.log 2>&1; then
    as_root apt-get update -qq >/tmp/sandplane-apt.log 2>&1 || die "apt-get update failed; is there a network? See /tmp/sandplane-apt.log"
    as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/tmp/sandplane-apt.log 2>&1 ||
      die "apt-get install ${missing[*]} failed: $(tail -n 1 /tmp/sandplane-apt.log) (see /tmp/sandplane-apt.log)"
  fi
}

# The build asks apt's index where packages are; a fresh machine has none.
need_index() {
  case $(apt-cache policy libgrpc-dev 2>/dev/null) in *'Candidate: '[0-9]*) return 0 ;; esac
  say "fetching the package index"
  as_root apt-get update -qq || die "apt-get update failed; is there a network?"
}

# What the last build of the stack left, and when it began: a start that finds nothing newer needs no Bazel.
BUILT=$ROOT/out/.built
SOURCES=(api build_defs cli deploy lib locks runtime services third_party BUILD.bazel WORKSPACE .bazelrc)

# Sets BAZEL_BIN and EXTERNAL; fails when the sources have changed since, or the build is gone.
built() {
  [ -s "$BUILT" ] || return 1
  { read -r BAZEL_BIN && read -r EXTERNAL; } <"$BUILT"
  [ -x "$BAZEL_BIN/cli/sandctl" ] && [ -x "$EXTERNAL/redis/bin/redis-server" ] || return 1
  [ -z "$(find "${SOURCES[@]}" -newer "$BUILT" -print -quit)" ]
}

# build TARGET...: with Bazel's own progress on a terminal, its last words otherwise.
build() {
  local log=${TMPDIR:-/tmp}/sandplane-build.$$.log
  say "building (the first time fetches about 130 MB of pinned packages)"
  if [ -t 2 ]; then
    bazel build "$@" || die "the build failed"
  elif ! bazel build --noshow_progress --ui_event_filters=-info "$@" >"$log" 2>&1; then
    tail -n 40 "$log" >&2
    rm -f "$log"
    die "the build failed"
  fi
  rm -f "$log"
}

build_stack() {
  local began
  built && return 0
  began=$(date +%s.%N)
  build //:stack
  printf '%s\n%s\n' "$(bazel info bazel-bin 2>/dev/null)" "$(bazel info output_base 2>/dev/null)/external" >"$BUILT"
  touch -d "@$began" "$BUILT"
  built || die "the sources changed while they were built; run it again"
}

# The tests' Python packages, pinned with their hashes, in a folder named by them.
make_venv() {
  local key
  key=$(sha256sum e2e/requirements.txt | cut -c1-16)
  venv=${XDG_CACHE_HOME:-$HOME/.cache}/sandplane/venv-$key
  [ -e "$venv/complete" ] && return 0
  say "installing the tests' Python packages"
  rm -rf "$venv"
  /usr/bin/python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes -r e2e/requirements.txt ||
    die "pip could not install e2e/requirements.txt; is there a network?"
  touch "$venv/complete"
}

# Published clients of the Agent Sandbox API. Their generations share a package name, so each has a folder of its own.
make_clients() {
  local requirements folder
  for requirements in e2e/clients/*.txt; do
    folder=${XDG_CACHE_HOME:-$HOME/.cache}/sandplane/clients-$(sha256sum "$requirements" | cut -c1-16)
    [ -e "$folder/complete" ] && continue
    say "installing the client pinned in $requirements"
    rm -rf "$folder"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --require-hashes --only-binary :all: --target "$folder" \
      -r "$requirements" || die "pip could not install $requirements; is there a network?"
    touch "$folder/complete"
  done
}
