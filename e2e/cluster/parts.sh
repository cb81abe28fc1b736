# shellcheck shell=bash
# A cluster's parts are plain processes in its network namespace. Each is known by its id and the time it started, so that a
# number the kernel has given to somebody else since is never taken for ours, and never killed.

IN=(nsenter "--net=/run/netns/$NETNS")

part_pid() { # NAME: its id when it runs
  local pid started
  { read -r pid started <"$D/pids/$1"; } 2>/dev/null || return 1
  [ "$(start_time "$pid")" = "$started" ] && echo "$pid"
}

# A killed process is gone when its last thread is: until then its ports are taken, though its main thread is a zombie.
start_time() { # PID
  local stat
  { read -r stat <"/proc/$1/stat"; } 2>/dev/null || return 1
  # after the name, which may hold spaces: state is the first, threads the 18th, start time the 20th
  # shellcheck disable=SC2086
  set -- ${stat##*) }
  [ "$1" = Z ] && [ "${18}" -le 1 ] && return 1
  echo "${20}"
}

# start_part NAME COMMAND...: nothing when it runs already
start_part() {
  local name=$1 pid
  shift
  part_pid "$name" >/dev/null && return 0
  setsid "${IN[@]}" "$@" >>"$D/log/$name.log" 2>&1 </dev/null 8>&- 9>&- &
  pid=$!
  echo "$pid $(start_time "$pid")" >"$D/pids/$name"
}

# A part is ended as by a crash: that is what the tests are about, and nothing here needs a farewell.
stop_part() {
  local pid i
  pid=$(part_pid "$1") || return 0
  kill -KILL "$pid" 2>/dev/null || :
  for ((i = 0; i < 100; i++)); do
    part_pid "$1" >/dev/null || break
    sleep 0.05
  done
  rm -f "$D/pids/$1"
}

# Parts that were started but not recorded, when that was interrupted: in the namespace, and with our folder in the arguments.
end_strays() {
  local pid args found i
  for ((i = 0; i < 100; i++)); do
    found=()
    [ ! -e "/run/netns/$NETNS" ] || for pid in $(ip netns pids "$NETNS"); do
      args=$({ tr '\0' ' ' <"/proc/$pid/cmdline"; } 2>/dev/null) || continue
      [[ $args != *" $D/"* ]] || found+=("$pid")
    done
    [ ${#found[@]} -gt 0 ] || return 0
    kill -KILL "${found[@]}" 2>/dev/null || :
    sleep 0.05
  done
}

# await SECONDS PART WHAT COMMAND...: until the command succeeds; says how long it took.
await() {
  local seconds=$1 part=$2 what=$3 began now
  shift 3
  began=$(now_ms)
  until "$@" >/dev/null 2>&1; do
    now=$(now_ms)
    part_pid "$part" >/dev/null || gave_up "$part" "$part ended while waiting for: $what"
    [ $((now - began)) -lt $((seconds * 1000)) ] || gave_up "$part" "not so after $seconds s: $what"
    sleep 0.1
  done
  now=$(($(now_ms) - began))
  say "$what after $((now / 1000)).$((now % 1000 / 100)) s"
}

gave_up() { # PART REASON
  tail -n 5 "$D/log/$1.log" >&2
  die "$2 (see $D/log/$1.log)"
}

now_ms() { echo $((${EPOCHREALTIME/./} / 1000)); }

# No interface type "dummy" is needed: the node's address sits on one end of a pair whose other end is here too.
make_network() {
  [ -e "/run/netns/$NETNS" ] && return 0
  ip netns add "$NETNS"
  "${IN[@]}" ip link set lo up
  "${IN[@]}" ip link add node0 type veth peer name node0p
  "${IN[@]}" ip link set node0p up
  "${IN[@]}" ip addr add "$NODE_IP/24" dev node0
  "${IN[@]}" ip addr add "$DNS_IP/32" dev node0
  "${IN[@]}" ip link set node0 up
  "${IN[@]}" ip route add default dev node0
  "${IN[@]}" sysctl -qw net.ipv4.ip_forward=1
}
