#!/bin/sh
# with_redis.sh COMMAND...: runs COMMAND with REDIS_ADDRESS set to a fresh, durable server of the pinned package.
# In Bazel's sandbox each test has its own loopback, so the port never clashes.
set -eu
redis=$(cd ../redis/bin && pwd)
d=$(mktemp -d "${TEST_TMPDIR:-/tmp}/redis.XXXXXX")
REDIS_PORT=${REDIS_PORT:-16379}
export REDIS_ADDRESS="127.0.0.1:$REDIS_PORT" REDIS_SERVER="$redis/redis-server" REDIS_CLI="$redis/redis-cli" REDIS_DIR="$d"
"$redis/redis-server" --port "$REDIS_PORT" --bind 127.0.0.1 --save '' --appendonly yes --appendfsync always \
  --dir "$d" --pidfile "$d/pid" --loglevel warning >"$d/log" 2>&1 &
echo $! >"$d/server.pid"
trap 'kill "$(cat "$d/server.pid")" 2>/dev/null || :; rm -rf "$d"' EXIT
i=0
until "$redis/redis-cli" -p "$REDIS_PORT" ping 2>/dev/null | grep -q PONG; do
  i=$((i + 1))
  [ $i -lt 100 ] || { echo "redis-server did not start:" >&2; cat "$d/log" >&2; exit 1; }
  sleep 0.05
done
"$@"
