# shellcheck shell=bash
# Shared by the commands in this folder; sourced. Nothing here prints on success but progress.

set -euo pipefail
# services, sandboxes and other users read what is made here, whatever the umask of whoever calls
umask 022
ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$ROOT"

say() { printf '==> %s\n' "$*" >&2; }
die() {
  printf '%s: %s\n' "$(basename "$0")" "$*" >&2
  exit 1
}

# usage: the comment that a command begins with.
usage() { sed -n '2,/^# shellcheck/p' "$0" | sed '$d; s/^# \{0,1\}//'; }
misuse() {
  printf 'tools/%s: %s; see tools/%s --help\n' "$(basename "$0")" "$*" "$(basename "$0")" >&2
  exit 2
}

# A stack's folder and ports; every one may be set by the caller.
: "${SANDPLANE_DATA:=/var/lib/sandplane}"
: "${SANDPLANE_HTTP_PORT:=8080}"
: "${SANDPLANE_GRPC_PORT:=7400}"
: "${SANDPLANE_REPLICAS:=1}"
export SANDPLANE_DATA SANDPLANE_HTTP_PORT SANDPLANE_GRPC_PORT SANDPLANE_REPLICAS

# What is fetched and what is built from it, outside of Bazel's own folders. It may be deleted at any time.
: "${XDG_CACHE_HOME:=$HOME/.cache}"
: "${SANDPLANE_CACHE:=$XDG_CACHE_HOME/sandplane}"
export XDG_CACHE_HOME SANDPLANE_CACHE

# as_root COMMAND...: with sudo when we are somebody else, whose folders stay the ones that are used.
as_root() {
  local kept
  if [ "$(id -u)" = 0 ]; then
    "$@"
  else
    mapfile -t kept < <(env | grep -E '^(PATH|HOME|XDG_CACHE_HOME|DEB_CACHE|GO[A-Z]+|SANDPLANE_[A-Z0-9_]+)=')
    sudo env "${kept[@]}" "$@"
  fi
}

need_debian() {
  local id version name
  { read -r id && read -r version && read -r name; } < <(
    # shellcheck disable=SC1091
    [ ! -r /etc/os-release ] || . /etc/os-release
    printf '%s\n' "${ID:-none}" "${VERSION_ID:-none}" "${PRETTY_NAME:-an unknown system}"
  )
  [ "$id$version" = debian12 ] || die "this needs Debian 12 (found $name); run it in a Debian 12 machine or container"
  [ "$(uname -m)" = x86_64 ] || die "this needs an x86-64 machine (found $(uname -m))"
}

need_root() {
  [ "$(id -u)" = 0 ] || command -v sudo >/dev/null || die "this needs root, or sudo, to make namespaces and control groups"
  [ "$(id -u)" = 0 ] || sudo -v || die "this needs root: sudo refused"
}

# need_machine: what sandboxes need of the kernel and no package brings; asked before anything is fetched.
need_machine() {
  local group
  need_debian
  need_root
  need_loopback
  as_root unshare --mount --net --pid --fork true 2>/dev/null ||
    die "this needs to make namespaces (CAP_SYS_ADMIN), and the kernel refuses; in a container: start it with --privileged"
  for group in /sys/fs/cgroup/memory /sys/fs/cgroup; do
    if [ -e "$group/cgroup.procs" ]; then break; fi
  done
  [ -e "$group/cgroup.procs" ] || die "this needs control groups, and none are mounted on /sys/fs/cgroup; in a container: start it with --privileged"
  as_root sh -c "mkdir $group/probe-sandplane-$$ && rmdir $group/probe-sandplane-$$" 2>/dev/null ||
    die "this needs to make control groups, and $group may not be written; in a container: start it with --privileged"
}

# A namespace that has just been made has loopback down, and Bazel's client reaches its server over it.
need_loopback() {
  grep -q '127\.0\.0\.1' /proc/net/fib_trie 2>/dev/null && return 0
  as_root ip link set lo up 2>/dev/null || die "this needs the loopback interface, and it is down: ip link set lo up"
}

# Sets BAZEL_FLAGS: what Bazel has to do without on this machine.
choose_sandbox() {
  [ -z "${BAZEL_FLAGS+chosen}" ] || return 0
  BAZEL_FLAGS=()
  if ! unshare --user --map-root-user --mount --pid --ipc --net --fork true 2>/dev/null; then
    say "user namespaces are not allowed here: Bazel's actions run in its weaker process-wrapper sandbox, where they could read what they do not name"
    BAZEL_FLAGS+=(--spawn_strategy=processwrapper-sandbox)
  fi
  # a container's own may be 64 MB
  if [ "$(df --output=avail -k /dev/shm 2>/dev/null | tail -n 1)" -lt 2000000 ] 2>/dev/null || [ ! -w /dev/shm ]; then
    say "/dev/shm has less than 2 GB: Bazel's actions run on the disk"
    BAZEL_FLAGS+=(--sandbox_base=)
  fi
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
  local log
  # no name by process id: two runs in namespaces of their own may have the same
  log=$(mktemp --tmpdir sandplane-build.XXXXXX)
  need_loopback
  choose_sandbox
  say "building"
  if [ -t 2 ]; then
    bazel build "${BAZEL_FLAGS[@]}" "$@" || die "the build failed"
  elif ! bazel build "${BAZEL_FLAGS[@]}" --noshow_progress --ui_event_filters=-info "$@" >"$log" 2>&1; then
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

# shellcheck disable=SC2034
# The tests' Python packages, in a folder named by their pins, which tools/fetch python fills.
venv=$XDG_CACHE_HOME/sandplane/venv-$(sha256sum e2e/requirements.txt | cut -c1-16)

# client_folder FILE: that of a published client; their generations share a package name.
client_folder() { echo "$XDG_CACHE_HOME/sandplane/clients-$(sha256sum "$1" | cut -c1-16)"; }

# Go's newest pin among e2e/*/*/go.mod and third_party/*/go.mod.
GO_NEEDED=1.26.3
GO_FOLDER=$SANDPLANE_CACHE/go-$GO_NEEDED

# Sets GO to one that is new enough, the machine's own or the one that tools/fetch go brought; fails without a word.
find_go() {
  local have
  for GO in go /usr/local/go/bin/go "$GO_FOLDER/bin/go"; do
    have=$(GOTOOLCHAIN=local "$GO" env GOVERSION 2>/dev/null) || continue
    have=${have#go}
    [ "$(printf '%s\n%s\n' "$GO_NEEDED" "${have%% *}" | sort -V | head -n 1)" = "$GO_NEEDED" ] || continue
    GO=$(command -v "$GO")
    return 0
  done
  return 1
}
# shellcheck disable=SC2034
# After tools/fetch nothing of Go's needs a network, and this makes it so.
GO_ENV=(CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOWORK=off GOTOOLCHAIN=local GOPROXY=off)
