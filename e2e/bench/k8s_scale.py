"""tools/bench k8s-scale: a pool of thousands of Sandboxes on a real API server, whose Pods a stand-in for the node runs.

How fast the pool fills and who needs the processors for it, what the reconciler then keeps in memory, what it does when nothing
happens, and what it reads after it was killed.
"""

import argparse
import json
import re
import subprocess
import time

from k8s_common import (CORE, EXTENSIONS, TICKS, KubeStack, all_cpu_seconds, cpu_seconds, last_line, make_pool, memory_mb, open_cluster, prefer, processes, ready_replicas,
                        say, until_full)  # fmt: skip
from k8s_http import Api, Connection


def fill(connection, cluster, stack, ns, args):
    """(sandboxes, seconds until they were ready, what each process used meanwhile); when there is no more time, those there are."""
    pids = processes(cluster, stack)
    before, begun = all_cpu_seconds(pids), time.monotonic()
    make_pool(connection, ns, args.sandboxes)
    last = [begun, 0]

    def tell(n):
        now = time.monotonic()
        if now - last[0] > 15:
            say(f"{n} ready, {(n - last[1]) / (now - last[0]):.0f} a second; reconciler {memory_mb(pids['reconciler'], 'VmRSS'):.0f} MB")
            last[:] = now, n

    n = args.sandboxes
    try:
        until_full(connection, ns, n, args.timeout, tell)
    except TimeoutError as e:
        n = ready_replicas(connection, ns)
        say(f"{e}: going on with {n}")
    took = time.monotonic() - begun
    after = all_cpu_seconds(pids)
    if n < args.sandboxes:
        connection.patch(f"{EXTENSIONS}/namespaces/{ns}/sandboxwarmpools/pool", {"spec": {"replicas": n}})
    return n, took, {name: after[name] - before[name] for name in pids}


def count_requests(cluster, since, agent=b"sandplane-reconciler"):
    """{verb: number} of the reconciler's requests since a mark, and how many objects' kinds were listed in how many pages."""
    found = {}
    with (cluster.folder / "audit.log").open("rb") as f:
        f.seek(since)
        for line in f:
            if agent in line and line.endswith(b"\n"):
                verb = json.loads(line)["verb"]
                found[verb] = found.get(verb, 0) + 1
    return found


def received_bytes(pid):
    """Of all TCP connections to the API server that the process has, TLS included."""
    out = subprocess.run(["ss", "-tinpH", "dport", "=", ":6443"], check=True, text=True, capture_output=True).stdout
    total = 0
    for line, info in zip(out.splitlines()[::2], out.splitlines()[1::2], strict=False):
        if f"pid={pid}," in line and (found := re.search(r"bytes_received:(\d+)", info)):
            total += int(found.group(1))
    return total


def restart(cluster, stack, seconds=10):
    """(seconds until it is ready, MB received and requests in the first seconds)."""
    stack.kill("reconciler")
    mark, begun = cluster.audit_mark(), time.monotonic()
    stack.start("reconciler")
    ready = None
    while time.monotonic() - begun < seconds or ready is None:
        if ready is None and stack.ready("reconciler"):
            ready = time.monotonic() - begun
        if time.monotonic() - begun > 120:
            raise TimeoutError("the reconciler is not ready two minutes after it was killed")
        time.sleep(0.02)
    megabytes = received_bytes(stack.processes["reconciler"].pid) / 1e6
    return ready, megabytes, count_requests(cluster, mark)


def settle(pid, limit=60):
    """Waits until the process uses less than a twentieth of a processor for two seconds."""
    end = time.monotonic() + limit
    while time.monotonic() < end:
        before = cpu_seconds(pid)
        time.sleep(2)
        if cpu_seconds(pid) - before < 0.1:
            return


def measure(cluster, stack, args):
    connection = Connection(Api(cluster.kubeconfig))
    ns = f"bench-scale-{int(time.time())}"
    connection.call("POST", f"{CORE}/namespaces", {"metadata": {"name": ns}})
    stack.flags["pools"] = [f"--max-creating={args.max_creating}"]
    stack.up()
    prefer(processes(cluster, stack), args.nice)
    say(f"filling a pool of {args.sandboxes}")
    mark = cluster.audit_mark()
    n, took, used = fill(connection, cluster, stack, ns, args)
    rate = n / took
    writes = cluster.audit_writes(mark)
    print(f"{n} sandboxes ready in {took:.1f} s: {rate:.1f} a second, {len(writes) / took:.0f} writes a second, {len(writes) / n:.2f} each")
    busy = sum(used.values())
    for name, seconds in sorted(used.items(), key=lambda x: -x[1]):
        print(f"  {name:<14}{seconds:8.1f} s of processor time {seconds / busy:6.0%}{seconds / took:8.2f} processors{seconds / n * 1000:8.2f} ms a sandbox")
    hwm = memory_mb(stack.processes["reconciler"].pid)
    print(f"reconciler: {hwm:.0f} MB at most, {memory_mb(stack.processes['reconciler'].pid, 'VmRSS'):.0f} MB now")
    settle(stack.processes["reconciler"].pid)
    pids = processes(cluster, stack)
    before = all_cpu_seconds(pids)
    time.sleep(args.idle)
    idle = {name: (seconds - before[name]) / args.idle * 100 for name, seconds in all_cpu_seconds(pids).items()}
    print(f"nothing happens for {args.idle} s, percent of a processor: " + ", ".join(f"{n} {v:.2f}" for n, v in idle.items()) + f" (in clock ticks of {1 / TICKS} s)")
    ready, megabytes, requests = restart(cluster, stack)
    settle(stack.processes["reconciler"].pid)
    after = memory_mb(stack.processes["reconciler"].pid)
    print(f"killed and started again: ready after {ready:.2f} s, {megabytes:.1f} MB received in 10 s, requests {requests}, {after:.0f} MB at most")
    lost = n - ready_replicas(connection, ns)
    print(f"warm sandboxes lost by it: {lost}")
    last_line(
        sandboxes=n,
        refill_per_s=rate,
        reconciler_hwm_mb=max(hwm, after),
        idle_cpu_percent=idle["reconciler"],
        restart_list_mb=megabytes,
        restart_ready_s=ready,
        apiserver_processors=used["apiserver"] / took,
        reconciler_processors=used["reconciler"] / took,
    )


def main():
    parser = argparse.ArgumentParser(prog="tools/bench k8s-scale")
    parser.add_argument("--name", default="bench", help="of the control plane")
    parser.add_argument("--sandboxes", type=int, default=10000)
    parser.add_argument("--max-creating", type=int, default=300, help="sandboxes under way at a time")
    parser.add_argument("--nice", type=int, default=0, help="priority of all that is measured, for a machine that others use meanwhile")
    parser.add_argument("--idle", type=float, default=20, help="seconds")
    parser.add_argument("--timeout", type=float, default=1800, help="seconds for the pool to fill")
    args = parser.parse_args()
    cluster = open_cluster(args.name)
    stack = KubeStack(cluster)
    try:
        measure(cluster, stack, args)
    finally:
        stack.down()


if __name__ == "__main__":
    main()
