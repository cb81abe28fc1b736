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
  local have found=none
  for GO in go /usr/local/go/bin/go; do
    have=$("$GO" env GOVERSION 2>/dev/null) || continue
    found=${have#go}
    [ "$(printf '%s\n%s\n' "$GO_NEEDED" "${found%% *}" | sort -V | head -n 1)" = "$GO_NEEDED" ] && return 0
  done
  die "the cluster's programs need Go $GO_NEEDED or newer, in PATH or /usr/local/go/bin (found $found); install it and run this again"
}

# module_cache MODULE: the folder of its programs
module_cache() {
  local key
  key=$(cat "$CLUSTER/build.sh" "$CLUSTER/$1"/* | sha256sum | cut -c1-16)
  echo "$CACHE/$1-$key"
}

GO_ENV=(CGO_ENABLED=0 GOFLAGS=-buildvcs=false GOWORK=off GOTOOLCHAIN=local)

# go_build FOLDER FILE ARGUMENTS...: one program, with a sign of life every half minute.
go_build() {
  local folder=$1 file=$2 began=$SECONDS log=$2.$$.log new=$2.$$.new pid
  shift 2
  (cd "$folder" && exec env "${GO_ENV[@]}" nice "$GO" build -trimpath -o "$new" "$@") >"$log" 2>&1 &
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
  # what an interrupted build left
  rm -rf "$dir"/*.new "$dir"/*.log "$dir"/*.source
  say "building ${missing[*]} (once; the first time Go fetches modules and needs minutes)"
  for p in "${missing[@]}"; do [ -x "$dir/$p" ] || "build_$module" "$dir/$p"; done
  exec 9>&-
}

build_kubernetes() {
  local package=k8s.io/kubernetes/cmd/${1##*/} flags=$KUBERNETES_FLAGS
  if [ "${1##*/}" = etcd ]; then
    package=go.etcd.io/etcd/server/v3
    flags="-s -w"
  fi
  go_build "$CLUSTER/kubernetes" "$1" -ldflags "$flags" "$package"
}

# The shim wants an OOM score that only CAP_SYS_RESOURCE may set, and dies without: one constant is replaced in a copy.
build_gvisor() {
  local copy service
  if [ "${1##*/}" = runsc ]; then
    go_build "$CLUSTER/gvisor" "$1" -ldflags "-s -w" gvisor.dev/gvisor/runsc
    return
  fi
  copy=$1.$$.source
  service=$copy/vendor/gvisor.dev/gvisor/pkg/shim/v1/service.go
  rm -rf "$copy"
  cp -r "$CLUSTER/gvisor" "$copy"
  (cd "$copy" && env "${GO_ENV[@]}" "$GO" mod vendor) 2>/dev/null || die "the Go modules of gVisor could not be fetched; is there a network?"
  grep -q 'oomScoreMaxKillable = -999' "$service" || die "gVisor's shim no longer has the constant that $CLUSTER/build.sh replaces"
  sed -i 's/oomScoreMaxKillable = -999/oomScoreMaxKillable = 0/' "$service"
  go_build "$copy" "$1" -mod=vendor -ldflags "-s -w" gvisor.dev/gvisor/shim
  rm -rf "$copy"
}

build_dns() { go_build "$CLUSTER/dns" "$1" -ldflags "-s -w" .; }

# A container that holds a Pod's namespaces open; the node's own, so that nothing is pulled.
build_pause() {
  cc -static -Os -s -o "$1.new" "$CLUSTER/pause/pause.c"
  mv "$1.new" "$1"
}
