# shellcheck shell=bash
# The test cluster's programs are built from Go modules: no package registry serves Kubernetes or gVisor as binaries that fit
# this machine. A program is kept outside the checkout, in a folder named by what it is built from, so that a second cluster
# costs no build and a changed pin never meets an old program. It gets its name there only when it is whole.

CACHE=${SANDPLANE_CACHE:-$HOME/.cache/sandplane}/cluster
GO_NEEDED=1.25.5
KUBERNETES=1.35.0
KUBERNETES_FLAGS="-s -w -X k8s.io/component-base/version.gitVersion=v$KUBERNETES -X k8s.io/component-base/version.gitMajor=1"
KUBERNETES_FLAGS+=" -X k8s.io/component-base/version.gitMinor=35"

# Sets GO.
find_go() {
  local have
  for GO in go /usr/local/go/bin/go; do
    have=$("$GO" env GOVERSION 2>/dev/null) || continue
    have=${have#go}
    [ "$(printf '%s\n%s\n' "$GO_NEEDED" "${have%% *}" | sort -V | head -n 1)" = "$GO_NEEDED" ] && return 0
  done
  die "the cluster's programs need Go $GO_NEEDED or newer, in PATH or /usr/local/go/bin (found ${have:-none}); install it and run this again"
}

# module_cache MODULE: the folder of its programs
module_cache() {
  local m=$CLUSTER/$1 key
  key=$({ cat "$m"/*.go "$m/go.mod" "$m/go.sum" "$CLUSTER/build.sh"; } | sha256sum | cut -c1-16)
  echo "$CACHE/$1-$key"
}

# go_build MODULE FILE ARGUMENTS...: one program, with a sign of life every half minute.
go_build() {
  local module=$1 file=$2 began=$SECONDS log=$2.$$.log new=$2.$$.new pid
  shift 2
  (cd "$CLUSTER/$module" && exec env CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOWORK=off GOTOOLCHAIN=local \
    nice "$GO" build -trimpath -o "$new" "$@") >"$log" 2>&1 &
  pid=$!
  while kill -0 $pid 2>/dev/null; do
    sleep 0.5
    if [ $(((SECONDS - began) % 30)) = 29 ]; then
      say "  still building ${file##*/}: $((SECONDS - began + 1)) s"
      sleep 1
    fi
  done
  if ! wait $pid; then
    tail -n 20 "$log" >&2
    rm -f "$log" "$new"
    die "building ${file##*/} failed"
  fi
  mv "$new" "$file"
  rm -f "$log"
  say "  ${file##*/} built in $((SECONDS - began)) s"
}

# build_programs MODULE PROGRAM...: builds what is missing of them; one at a time on the whole machine.
build_programs() {
  local module=$1 dir missing=() p
  shift
  dir=$(module_cache "$module")
  for p; do [ -x "$dir/$p" ] || missing+=("$p"); done
  [ ${#missing[@]} -gt 0 ] || return 0
  [ "$module" = pause ] || find_go
  mkdir -p "$dir"
  exec 9>"$CACHE/lock"
  flock -n 9 || { say "waiting for another build of the cluster's programs" && flock 9; }
  say "building ${missing[*]} (once; the first time fetches Go modules and takes minutes)"
  for p in "${missing[@]}"; do [ -x "$dir/$p" ] || "build_$module" "$dir/$p"; done
  exec 9>&-
}

build_kubernetes() {
  local package=k8s.io/kubernetes/cmd/${1##*/} flags=$KUBERNETES_FLAGS
  if [ "${1##*/}" = etcd ]; then
    package=go.etcd.io/etcd/server/v3
    flags="-s -w"
  fi
  go_build kubernetes "$1" -ldflags "$flags" "$package"
}

# The shim wants an OOM score that only CAP_SYS_RESOURCE may set, and dies without: one constant is replaced at build time.
build_gvisor() {
  local work source
  case ${1##*/} in
  runsc) go_build gvisor "$1" -ldflags "-s -w" gvisor.dev/gvisor/runsc ;;
  containerd-shim-runsc-v1)
    (cd "$CLUSTER/gvisor" && GOFLAGS='' GOWORK=off GOTOOLCHAIN=local "$GO" mod download gvisor.dev/gvisor)
    source=$(cd "$CLUSTER/gvisor" && GOFLAGS='' GOWORK=off GOTOOLCHAIN=local "$GO" list -m -f '{{.Dir}}' gvisor.dev/gvisor)/pkg/shim/v1/service.go
    work=$1.$$.d
    mkdir -p "$work"
    sed 's/oomScoreMaxKillable = -999/oomScoreMaxKillable = 0/' "$source" >"$work/service.go"
    ! cmp -s "$source" "$work/service.go" || die "gVisor's shim no longer has the constant that $CLUSTER/build.sh replaces"
    printf '{"Replace": {"%s": "%s"}}\n' "$source" "$work/service.go" >"$work/overlay.json"
    go_build gvisor "$1" -overlay "$work/overlay.json" -ldflags "-s -w" gvisor.dev/gvisor/shim
    rm -rf "$work"
    ;;
  esac
}
