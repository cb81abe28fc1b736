#!/bin/sh
# with_redis_cluster.sh COMMAND...: as with_redis.sh, but REDIS_ADDRESS names three masters of a cluster, and REDIS_CLUSTER is set.
set -eu
redis=$(cd ../redis/bin && pwd)
d=$(mktemp -d "${TEST_TMPDIR:-/tmp}/redis.XXXXXX")
REDIS_PORT=${REDIS_PORT:-16420}
ports="$REDIS_PORT $((REDIS_PORT + 1)) $((REDIS_PORT + 2))"
pids=
trap 'kill $pids 2>/dev/null || :; rm -rf "$d"' EXIT
REDIS_ADDRESS=
for port in $ports; do
  mkdir "$d/$port"
  "$redis/redis-server" --port "$port" --bind 127.0.0.1 --save '' --appendonly yes --appendfsync always \
    --cluster-enabled yes --cluster-node-timeout 30000 --dir "$d/$port" --loglevel warning >"$d/$port/log" 2>&1 &
  pids="$pids${pids:+ }$!"
  REDIS_ADDRESS=$REDIS_ADDRESS${REDIS_ADDRESS:+,}127.0.0.1:$port
done
export REDIS_ADDRESS REDIS_SERVER="$redis/redis-server" REDIS_CLI="$redis/redis-cli" REDIS_DIR="$d" REDIS_CLUSTER=1 SANDPLANE_REDIS_CLUSTER=true
all=$(for port in $ports; do echo "127.0.0.1:$port"; done)
i=0
# shellcheck disable=SC2086
until "$redis/redis-cli" --cluster create $all --cluster-yes >"$d/create.log" 2>&1; do
  i=$((i + 1))
  [ $i -lt 100 ] || { echo "the cluster did not come up:" >&2; cat "$d/create.log" >&2; exit 1; }
  sleep 0.2
done
for port in $ports; do
  i=0
  until "$redis/redis-cli" -p "$port" cluster info 2>/dev/null | grep -q cluster_state:ok; do
    i=$((i + 1))
    [ $i -lt 200 ] || { echo "the cluster did not come up" >&2; exit 1; }
    sleep 0.1
  done
done
# the one that tests stop and continue: it has the keys of namespace `default`
slot=$("$redis/redis-cli" -p "$REDIS_PORT" cluster keyslot '{default}')
# shellcheck disable=SC2086
set -- "$((slot * 3 / 16384 + 1))" "$@"
echo "$pids" | cut -d' ' -f"$1" >"$d/server.pid"
shift
"$@"
