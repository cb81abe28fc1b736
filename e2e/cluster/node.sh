# shellcheck shell=bash
# The part of a cluster that runs Pods: containerd with runc and gVisor, kubelet, proxy, scheduler and DNS, on node1. Whatever
# the host shares between clusters (control groups, runtime state) has a place of its own here, so that clusters do not meet.

CTR=(ctr --address "$D/containerd.sock" --namespace k8s.io)
# those of tools/offline share the control groups with the machine, and nothing else; NAME and D come from tools/cluster
# shellcheck disable=SC2153
CGROUP=sandplane-cluster-$NAME${SANDPLANE_OFFLINE:+-$SANDPLANE_OFFLINE}
PAUSE=sandplane.test/pause:1
NODE_PROGRAMS=(kube-scheduler kubelet kube-proxy)

node_there() {
  programs_there kubernetes "${NODE_PROGRAMS[@]}" && programs_there gvisor runsc containerd-shim-runsc-v1 &&
    programs_there dns dns && programs_there pause pause && command -v containerd ethtool socat >/dev/null
}

build_node() {
  build_programs kubernetes "${NODE_PROGRAMS[@]}"
  build_programs gvisor runsc containerd-shim-runsc-v1
  build_programs dns dns
  build_programs pause pause
}

link_node_programs() {
  ln -sf "$(module_cache gvisor)"/* "$(module_cache dns)/dns" "$D/bin/"
}

make_cgroup() {
  local controller
  for controller in /sys/fs/cgroup/*/; do
    # with cgroup v2 alone there is one tree, and its folders are no controllers
    [ -e /sys/fs/cgroup/cgroup.controllers ] && controller=/sys/fs/cgroup/
    mkdir -p "$controller/$CGROUP"
  done
}

# Copies of whole images are slow and large; where the file system cannot be overlaid there is no other way.
choose_snapshotter() {
  local probe=$D/overlay
  mkdir -p "$probe"/{lower,upper,work,merged}
  if mount -t overlay overlay -o "lowerdir=$probe/lower,upperdir=$probe/upper,workdir=$probe/work" "$probe/merged" 2>/dev/null; then
    umount "$probe/merged"
    echo overlayfs
  else
    echo native
  fi
  rm -rf "$probe"
}

write_runtime_config() {
  local snapshotter
  mkdir -p "$D/cni" "$D/containerd"
  snapshotter=$(choose_snapshotter)
  cat >"$D/cni/10-pods.conflist" <<END
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "bridge", "bridge": "cni0", "isGateway": true, "ipMasq": false, "hairpinMode": true, "ipam": {"type": "host-local",
    "ranges": [[{"subnet": "10.88.0.0/16"}]], "dataDir": "$D/cni/addresses", "routes": [{"dst": "0.0.0.0/0"}]}},
  {"type": "portmap", "capabilities": {"portMappings": true}}]}
END
  cat >"$D/runsc.toml" <<END
root = "$D/containerd/runsc"
[runsc_config]
platform = "systrap"
ignore-cgroups = "true"
END
  cat >"$D/containerd.toml" <<END
version = 2
root = "$D/containerd/root"
state = "$D/containerd/state"
[grpc]
  address = "$D/containerd.sock"
[plugins."io.containerd.internal.v1.opt"]
  path = "$D/containerd/opt"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "$PAUSE"
  restrict_oom_score_adj = true
  netns_mounts_under_state_dir = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$D/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "$snapshotter"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
      Root = "$D/containerd/runc"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc]
    runtime_type = "io.containerd.runsc.v1"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runsc.options]
      TypeUrl = "io.containerd.runsc.v1.options"
      ConfigPath = "$D/runsc.toml"
END
}

write_kubelet_config() {
  mkdir -p "$D/kubelet"
  : >"$D/resolv.conf"
  cat >"$D/kubelet.yaml" <<END
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
address: $NODE_IP
authentication: {anonymous: {enabled: false}, webhook: {enabled: true}, x509: {clientCAFile: $D/pki/ca.crt}}
authorization: {mode: Webhook}
tlsCertFile: $D/pki/kubelet.crt
tlsPrivateKeyFile: $D/pki/kubelet.key
containerRuntimeEndpoint: unix://$D/containerd.sock
cgroupDriver: cgroupfs
cgroupRoot: /$CGROUP
cgroupsPerQOS: true
enforceNodeAllocatable: []
failSwapOn: false
failCgroupV1: false
# a share of a big disk that others use as well would drive every Pod away long before there is no room
evictionHard: {nodefs.available: 200Mi, imagefs.available: 200Mi, memory.available: 100Mi}
imageGCHighThresholdPercent: 100
clusterDNS: [$DNS_IP]
clusterDomain: cluster.local
resolvConf: $D/resolv.conf
maxPods: 250
podLogsDir: $D/podlogs
volumePluginDir: $D/kubelet/plugins
END
}

start_scheduler() {
  start_part scheduler "$D/bin/kube-scheduler" --kubeconfig="$D/scheduler.kubeconfig" --leader-elect=false
}

# Its shims are found in the program folder.
start_containerd() {
  start_part containerd env "PATH=$D/bin:$PATH" containerd --config "$D/containerd.toml"
}

start_kubelet() {
  start_part kubelet "$D/bin/kubelet" --config="$D/kubelet.yaml" --kubeconfig="$D/kubelet.kubeconfig" \
    --root-dir="$D/kubelet" --hostname-override=node1 --node-ip="$NODE_IP"
}

start_proxy() {
  start_part proxy "$D/bin/kube-proxy" --kubeconfig="$D/proxy.kubeconfig" --hostname-override=node1 --proxy-mode=iptables \
    --cluster-cidr=10.88.0.0/16 --conntrack-max-per-core=0 --conntrack-tcp-timeout-established=0 \
    --conntrack-tcp-timeout-close-wait=0
}

# DNS is a process of the node: its address is the node's too, and a Pod reaches it as it reaches the node.
start_dns() {
  sed "s|@KUBECONFIG@|$D/dns.kubeconfig|; s|@ADDRESS@|$DNS_IP|" "$CLUSTER/Corefile" >"$D/Corefile"
  start_part dns "$D/bin/dns" -conf "$D/Corefile"
}

# load_image FILE [REFERENCE]. A name without a host is refused: to the kubelet's interface of containerd it is one of a
# public registry, and what was once imported by such a name is never found by its own.
load_image() {
  local name
  name=$(python3 - "$1" <<'PY'
import json, sys, tarfile
index = json.load(tarfile.open(sys.argv[1]).extractfile("index.json"))
names = index["manifests"][0]["annotations"]
print(names.get("io.containerd.image.name") or names["org.opencontainers.image.ref.name"])
PY
  )
  [[ $name == */* ]] || die "$1 holds an image named $name, without a host such as localhost/"
  "${CTR[@]}" images import "$1" >/dev/null
  [ -z "${2:-}" ] || "${CTR[@]}" images tag --force "$name" "$2" >/dev/null
  say "loaded $name${2:+ as $2}"
}

runtime_ready() { "${CTR[@]}" version; }
node_ready() { [ "$(kubectl get node node1 -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}')" = True ]; }

# Writable to whatever user a Pod runs as: there is nobody else here.
make_volumes() {
  local i
  for i in 1 2 3; do
    mkdir -p "$D/volumes/$i"
    chmod 777 "$D/volumes/$i"
  done
}

start_node() {
  if [ ! -e "$D/node" ]; then
    link_node_programs
    write_runtime_config
    write_kubelet_config
    touch "$D/node"
  fi
  make_cgroup
  start_scheduler
  start_containerd
  make_volumes
  sed "s|@VOLUMES@|$D/volumes|" "$CLUSTER/node.yaml" | kubectl apply -f - >/dev/null
  await 30 containerd "containerd ready" runtime_ready
  [ -e "$D/pause.tar" ] || python3 "$CLUSTER/image.py" "$D/pause.tar" "$PAUSE" '["/bin/pause"]' "bin/pause=$(module_cache pause)/pause"
  load_image "$D/pause.tar" >/dev/null
  start_kubelet
  start_proxy
  start_dns
  await 60 kubelet "node ready" node_ready
}

# Pods outlive kubelet and containerd. Their tasks are ended through containerd, which ends most of their shims too; what is
# left, as when containerd itself was killed, is found by our folder in its arguments or by our control group.
remove_pods() {
  local task sockets
  stop_part kubelet
  mapfile -t sockets < <(find "$D/containerd/state" -name address -exec sed -n 's|^unix://||p' {} + 2>/dev/null)
  if part_pid containerd >/dev/null; then
    for task in $("${CTR[@]}" tasks list --quiet 2>/dev/null); do
      "${CTR[@]}" tasks delete --force "$task" >/dev/null 2>&1 || :
    done
  fi
  stop_part containerd
  end_processes
  for task in "${sockets[@]}"; do [[ $task != /run/containerd/s/* ]] || rm -f "$task"; done
}

# What is left outside of our folder or in the way of removing it.
remove_node() {
  local path
  awk -v folder="$D/" 'index($5, folder) == 1 { print $5 }' /proc/self/mountinfo | sort -r | while read -r path; do
    umount -l "$path" || :
  done
  for path in /var/log/containers/*; do
    [[ $(readlink "$path") != "$D"/* ]] || rm -f "$path"
  done
  for path in "$D"/containerd/root/io.containerd.grpc.v1.cri/sandboxes/*; do
    rm -f /var/lib/cni/results/*-"${path##*/}"-*
  done
  # a control group goes when its last process has
  for path in 1 2 3 4 5 6 7 8 9; do
    remove_cgroups && return
    sleep 0.2
  done
}

remove_cgroups() {
  find /sys/fs/cgroup -depth -type d -path "*/$CGROUP/*" -exec rmdir {} + 2>/dev/null || :
  find /sys/fs/cgroup -maxdepth 2 -type d -name "$CGROUP" -exec rmdir {} + 2>/dev/null
}

end_processes() {
  local pid args found=()
  for pid in $(cd /proc && echo [0-9]*); do
    args=$({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) || continue
    case $args in
    *containerd-shim-*" -address $D/containerd.sock "* | runsc-*" --root=$D/containerd/"*) found+=("$pid") ;;
    esac
  done
  mapfile -t -O ${#found[@]} found < <(find /sys/fs/cgroup -path "*/$CGROUP/*" -name cgroup.procs -exec cat {} + 2>/dev/null)
  [ ${#found[@]} = 0 ] || kill -KILL "${found[@]}" 2>/dev/null || :
}
