# shellcheck shell=bash
# The part of a cluster that decides: etcd, the API server and the controllers. It needs no privileges beyond the namespace,
# starts in seconds, and is all that most tests want.

kubectl() { KUBECONFIG=$D/kubeconfig "${IN[@]}" "$D/bin/kubectl" "$@"; }

# The API server checks the authority's signature on the client's certificate for every request: RSA costs it the least.
make_authority() {
  openssl req -x509 -newkey rsa:2048 -nodes -days 3650 -subj /CN=sandplane-test-cluster \
    -keyout ca.key -out ca.crt 2>>"$D/log/keys.log"
  openssl genrsa -out sa.key 2048 2>>"$D/log/keys.log"
}

make_certificate() { # NAME SUBJECT [NAMES]
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$2" -keyout "$1.key" -out "$1.csr" 2>>"$D/log/keys.log"
  openssl x509 -req -in "$1.csr" -CA ca.crt -CAkey ca.key -CAcreateserial -days 3650 -out "$1.crt" \
    -extfile <(printf '%s\nextendedKeyUsage=serverAuth,clientAuth\n' "${3:+subjectAltName=$3}") 2>>"$D/log/keys.log"
}

make_kubeconfig() { # USER FILE
  cat >"$2" <<END
apiVersion: v1
kind: Config
clusters:
- name: $NAME
  cluster:
    server: https://127.0.0.1:6443
    certificate-authority: $D/pki/ca.crt
users:
- name: $1
  user:
    client-certificate: $D/pki/$1.crt
    client-key: $D/pki/$1.key
contexts:
- name: $NAME
  context:
    cluster: $NAME
    user: $1
current-context: $NAME
END
}

make_pki() {
  if [ ! -e "$D/pki/complete" ]; then
    (cd "$D/pki" || exit 1; make_all_keys)
  fi
}

make_all_keys() {
  local user
  make_authority
  make_certificate apiserver /CN=kube-apiserver "DNS:kubernetes,DNS:kubernetes.default,DNS:kubernetes.default.svc,\
DNS:kubernetes.default.svc.cluster.local,DNS:localhost,IP:127.0.0.1,IP:10.96.0.1,IP:$NODE_IP"
  make_certificate admin /O=system:masters/CN=admin
  make_certificate controllers /CN=system:kube-controller-manager
  make_certificate scheduler /CN=system:kube-scheduler
  make_certificate proxy /CN=system:kube-proxy
  make_certificate dns /CN=sandplane:cluster-dns
  make_certificate kubelet /O=system:nodes/CN=system:node:node1 "DNS:node1,IP:$NODE_IP"
  for user in controllers scheduler proxy dns kubelet; do make_kubeconfig $user "$D/$user.kubeconfig"; done
  make_kubeconfig admin "$D/kubeconfig"
  touch complete
}

# No fsync: what a test cluster holds is worth nothing after a power cut, and it makes writes several times as fast. A killed
# process loses nothing by it, so trouble tests mean what they say.
start_etcd() {
  start_part etcd "$D/bin/etcd" --data-dir "$D/etcd" --unsafe-no-fsync --log-level warn \
    --listen-client-urls http://127.0.0.1:2379 --advertise-client-urls http://127.0.0.1:2379 \
    --listen-peer-urls http://127.0.0.1:2380
}

start_apiserver() {
  local pki=$D/pki
  # less collecting of garbage: this machine's memory is worth less than its two or four cores
  start_part apiserver env GOGC=300 "$D/bin/kube-apiserver" --etcd-servers=http://127.0.0.1:2379 \
    --service-cluster-ip-range=10.96.0.0/16 --advertise-address="$NODE_IP" --allow-privileged=true \
    --client-ca-file="$pki/ca.crt" --tls-cert-file="$pki/apiserver.crt" --tls-private-key-file="$pki/apiserver.key" \
    --service-account-key-file="$pki/sa.key" --service-account-signing-key-file="$pki/sa.key" \
    --service-account-issuer=https://kubernetes.default.svc \
    --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --kubelet-client-certificate="$pki/admin.crt" --kubelet-client-key="$pki/admin.key" \
    --kubelet-certificate-authority="$pki/ca.crt" --kubelet-preferred-address-types=InternalIP \
    --audit-policy-file="$D/audit-policy.yaml" --audit-log-path="$D/audit.log" --audit-log-maxsize=100000
}

# Without kubelets nobody renews a node's lease, and the controllers would evict every Pod of a fake node.
start_controllers() {
  local controllers='*'
  [ "$MODE" = full ] || controllers='*,-node-lifecycle-controller,-taint-eviction-controller'
  start_part controllers "$D/bin/kube-controller-manager" --kubeconfig="$D/controllers.kubeconfig" --leader-elect=false \
    --controllers="$controllers" --use-service-account-credentials --root-ca-file="$D/pki/ca.crt" \
    --service-account-private-key-file="$D/pki/sa.key" --cluster-signing-cert-file="$D/pki/ca.crt" \
    --cluster-signing-key-file="$D/pki/ca.key" --allocate-node-cidrs=false --kube-api-qps=500 --kube-api-burst=1000
}

api_ready() { kubectl get --raw /readyz; }
has_account() { kubectl -n default get serviceaccount default; }

await_apiserver() { await 90 apiserver "API server ready" api_ready; }

start_control_plane() {
  start_etcd
  start_apiserver
  await_apiserver
  start_controllers
  await 60 controllers "ServiceAccount default there" has_account
}
