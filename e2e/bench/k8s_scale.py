"""tools/bench k8s-scale: a pool of thousands of Sandboxes on a real API server, whose Pods a stand-in for the node runs.

How fast the pool fills and who needs the processors for it, what the reconciler then keeps in memory, what it does when nothing
happens, and what it reads after it was killed. Beside it, what the API server takes at most: a bare client writes the same objects
with nobody else at work, as many requests in flight as the reconciler may have.
"""

import argparse
import json
import re
import subprocess
import threading
import time

from k8s_common import (
    AGENTS,
    CORE,
    EXTENSIONS,
    TICKS,
    KubeStack,
    all_cpu_seconds,
    cpu_seconds,
    last_line,
    make_pool,
    memory_mb,
    open_cluster,
    prefer,
    processes,
    ready_replicas,
    say,  # fmt: skip
    until_full,
)
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
            say(
                f"{n} ready, {(n - last[1]) / (now - last[0]):.0f} a second; reconciler {memory_mb(pids['reconciler'], 'VmRSS'):.0f} MB"
            )
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


def bare_copy(obj, name):
    """What a client sends to make another such object."""
    meta = {key: obj["metadata"][key] for key in ("labels", "annotations", "ownerReferences") if key in obj["metadata"]}
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "metadata": {**meta, "name": name},
        "spec": obj["spec"],
    }


def write_bare(connection, ns, name, sandbox, pod):
    """One ready Sandbox with the writes that it takes at least: its own and the Pod's creation, the binding, both their statuses."""
    sandboxes, pods, merge = (
        f"{AGENTS}/namespaces/{ns}/sandboxes",
        f"{CORE}/namespaces/{ns}/pods",
        "application/merge-patch+json",
    )
    uid = connection.call("POST", sandboxes, bare_copy(sandbox, name))["metadata"]["uid"]
    body = bare_copy(pod, name)
    body["spec"] = {k: v for k, v in body["spec"].items() if k != "nodeName"}
    body["metadata"]["ownerReferences"] = [{**body["metadata"]["ownerReferences"][0], "name": name, "uid": uid}]
    connection.call("POST", pods, body)
    target = {"kind": "Node", "apiVersion": "v1", "name": pod["spec"]["nodeName"]}
    connection.call(
        "POST",
        f"{pods}/{name}/binding",
        {"kind": "Binding", "apiVersion": "v1", "metadata": {"name": name}, "target": target},
    )
    connection.call("PATCH", f"{pods}/{name}/status", {"status": pod["status"]}, merge)
    connection.call("PATCH", f"{sandboxes}/{name}/status", {"status": sandbox["status"]}, merge)


def bare(cluster, stack, ns, n, in_flight):
    """(Sandboxes a second, processor ms of the API server and etcd each) when nothing but the API server is at work."""
    for name in ("reconciler", "pools", "node"):
        stack.kill(name)
    api = Api(cluster.kubeconfig)
    sandbox = Connection(api).call("GET", f"{AGENTS}/namespaces/{ns}/sandboxes?limit=1")["items"][0]
    pod = Connection(api).call("GET", f"{CORE}/namespaces/{ns}/pods/{sandbox['metadata']['name']}")
    names, failed = iter([f"bare-{i}" for i in range(n)]), []
    lock = threading.Lock()

    def work():
        connection = Connection(api)
        try:
            while True:
                with lock:
                    name = next(names, None)
                if name is None or failed:
                    return
                write_bare(connection, ns, name, sandbox, pod)
        except Exception as e:
            failed.append(e)

    threads = [threading.Thread(target=work) for _ in range(in_flight)]
    before, begun = all_cpu_seconds(processes(cluster, stack)), time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failed:
        raise failed[0]
    took, after = time.monotonic() - begun, all_cpu_seconds(processes(cluster, stack))
    return n / took, {name: (after[name] - before[name]) * 1000 / n for name in ("apiserver", "etcd")}


def measure(cluster, stack, args):
    connection = Connection(Api(cluster.kubeconfig))
    ns = f"bench-scale-{int(time.time())}"
    connection.call("POST", f"{CORE}/namespaces", {"metadata": {"name": ns}})
    stack.flags["pools"] = [f"--max-creating={args.max_creating}"]
    # as many of its requests in flight as ours, lest an API server that answers slowly be waited for by the node alone
    stack.flags["node"] = [f"--threads={args.in_flight}"]
    stack.up()
    prefer(processes(cluster, stack), args.nice)
    say(f"filling a pool of {args.sandboxes}")
    mark = cluster.audit_mark()
    n, took, used = fill(connection, cluster, stack, ns, args)
    rate = n / took
    writes = cluster.audit_writes(mark)
    print(
        f"{n} sandboxes ready in {took:.1f} s: {rate:.1f} a second, {len(writes) / took:.0f} writes a second, {len(writes) / n:.2f} each"
    )
    busy = sum(used.values())
    for name, seconds in sorted(used.items(), key=lambda x: -x[1]):
        print(
            f"  {name:<14}{seconds:8.1f} s of processor time {seconds / busy:6.0%}{seconds / took:8.2f} processors{seconds / n * 1000:8.2f} ms a sandbox"
        )
    hwm = memory_mb(stack.processes["reconciler"].pid)
    print(f"reconciler: {hwm:.0f} MB at most, {memory_mb(stack.processes['reconciler'].pid, 'VmRSS'):.0f} MB now")
    settle(stack.processes["reconciler"].pid)
    pids = processes(cluster, stack)
    before = all_cpu_seconds(pids)
    time.sleep(args.idle)
    idle = {name: (seconds - before[name]) / args.idle * 100 for name, seconds in all_cpu_seconds(pids).items()}
    print(
        f"nothing happens for {args.idle} s, percent of a processor: "
        + ", ".join(f"{n} {v:.2f}" for n, v in idle.items())
        + f" (in clock ticks of {1 / TICKS} s)"
    )
    ready, megabytes, requests = restart(cluster, stack)
    settle(stack.processes["reconciler"].pid)
    after = memory_mb(stack.processes["reconciler"].pid)
    print(
        f"killed and started again: ready after {ready:.2f} s, {megabytes:.1f} MB received in 10 s, requests {requests}, {after:.0f} MB at most"
    )
    lost = n - ready_replicas(connection, ns)
    print(f"warm sandboxes lost by it: {lost}")
    say(f"{args.bare} sandboxes by a bare client")
    bare_rate, bare_ms = bare(cluster, stack, ns, args.bare, args.in_flight)
    ours_ms = {name: used[name] / n * 1000 for name in bare_ms}
    print(
        f"a bare client: {bare_rate:.1f} a second, {args.in_flight} requests in flight; ours are {rate / bare_rate:.2f} of it"
    )
    for name, ms in bare_ms.items():
        print(f"  {name}: {ms:.2f} ms of processor time a sandbox, {ours_ms[name]:.2f} with ours")
    last_line(
        sandboxes=n,
        refill_per_s=rate,
        bare_per_s=bare_rate,
        bare_ratio=rate / bare_rate,
        apiserver_ms=ours_ms["apiserver"],
        bare_apiserver_ms=bare_ms["apiserver"],
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
    parser.add_argument("--bare", type=int, default=1000, help="sandboxes that the bare client makes")
    parser.add_argument(
        "--in-flight",
        type=int,
        default=64,
        help="requests at a time of the bare client, and of the stand-in for the node",
    )
    parser.add_argument(
        "--nice", type=int, default=0, help="priority of all that is measured, for a machine that others use meanwhile"
    )
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
