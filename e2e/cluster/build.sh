# shellcheck shell=bash
# The test cluster's programs are built from Go modules: no package registry serves Kubernetes or gVisor as binaries that fit
# this machine. A program is kept outside the checkout, in a folder named by what it is built from, so that a second cluster
# costs no build and a changed pin never meets an old program. It gets its name there only when it is whole.

CACHE=$SANDPLANE_CACHE/cluster
KUBERNETES=1.35.0
KUBERNETES_FLAGS="-s -w -X k8s.io/component-base/version.gitVersion=v$KUBERNETES -X k8s.io/component-base/version.gitMajor=1"
KUBERNETES_FLAGS+=" -X k8s.io/component-base/version.gitMinor=35"

# module_cache MODULE: the folder of its programs
module_cache() {
  local key
  key=$(cat "$CLUSTER/build.sh" "$CLUSTER/$1"/* | sha256sum | cut -c1-16)
  echo "$CACHE/$1-$key"
}

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

# programs_there MODULE PROGRAM...: whether all of them are built
programs_there() {
  local dir p
  dir=$(module_cache "$1")
  for p in "${@:2}"; do [ -x "$dir/$p" ] || return 1; done
}

# build_programs MODULE PROGRAM...: builds what is missing of them; one at a time on the whole machine.
build_programs() {
  local module=$1 dir missing=() p
  shift
  programs_there "$module" "$@" && return 0
  dir=$(module_cache "$module")
  for p; do [ -x "$dir/$p" ] || missing+=("$p"); done
  [ "$module" = pause ] || find_go || die "no Go $GO_NEEDED or newer; tools/fetch go brings it"
  mkdir -p "$dir"
  exec 9>"$CACHE/lock"
  if ! flock -n 9; then
    say "waiting for another build of the cluster's programs"
    flock -w 1800 9 || die "another build of the cluster's programs holds $CACHE/lock for more than 30 minutes"
  fi
  # what an interrupted build left
  rm -rf "$dir"/*.new "$dir"/*.log "$dir"/*.source
  say "building ${missing[*]} (once; some minutes the first time)"
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
  (cd "$copy" && env "${GO_ENV[@]}" "$GO" mod vendor) >"$1.$$.log" 2>&1 || {
    tail -n 3 "$1.$$.log" >&2
    die "the Go modules of gVisor are not all there; tools/fetch node brings them"
  }
  rm -f "$1.$$.log"
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
