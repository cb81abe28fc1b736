"""What the measurements against a real API server share: the objects, percentiles, tables, processor time."""

import json
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from harness.cluster import Cluster
from harness.kube import POD_SPEC
from harness.kube_stack import KubeStack

CORE = "/api/v1"
AGENTS = "/apis/agents.x-k8s.io/v1beta1"
EXTENSIONS = "/apis/extensions.agents.x-k8s.io/v1beta1"
TICKS = os.sysconf("SC_CLK_TCK")


def open_cluster(name):
    """The control plane; this process is in its network afterwards."""
    cluster = Cluster(name)
    cluster.up()
    if not cluster.inside():
        cluster.enter()
    return cluster


def make_pool(connection, ns, replicas, name="pool", template="template"):
    base = f"{EXTENSIONS}/namespaces/{ns}"
    kinds = {"apiVersion": "extensions.agents.x-k8s.io/v1beta1"}
    spec = {"podTemplate": {"spec": POD_SPEC}}
    connection.call(
        "POST",
        f"{base}/sandboxtemplates",
        {**kinds, "kind": "SandboxTemplate", "metadata": {"name": template}, "spec": spec},
    )
    spec = {"replicas": replicas, "sandboxTemplateRef": {"name": template}}
    connection.call(
        "POST",
        f"{base}/sandboxwarmpools",
        {**kinds, "kind": "SandboxWarmPool", "metadata": {"name": name}, "spec": spec},
    )


def ready_replicas(connection, ns, name="pool"):
    pool = connection.call("GET", f"{EXTENSIONS}/namespaces/{ns}/sandboxwarmpools/{name}")
    return pool.get("status", {}).get("readyReplicas", 0)


def until_full(connection, ns, replicas, timeout, tell=None):
    """Waits for the pool; tell(number ready) is called each half second."""
    end = time.monotonic() + timeout
    while (n := ready_replicas(connection, ns)) < replicas:
        if time.monotonic() > end:
            raise TimeoutError(f"{n} of {replicas} sandboxes are ready after {timeout} s")
        if tell:
            tell(n)
        time.sleep(0.5)


def percentile(samples, p):
    ordered = sorted(samples)
    return ordered[min(len(ordered) - 1, int(len(ordered) * p / 100))]


def condition(obj, kind):
    return next(
        (c["status"] == "True" for c in obj.get("status", {}).get("conditions", ()) if c["type"] == kind), False
    )


def processes(cluster, stack):
    """{name: process id} of all that works for the measurement."""
    parts = {p.name: int(p.read_text().split()[0]) for p in (cluster.folder / "pids").iterdir()}
    return {**parts, **{name: process.pid for name, process in stack.processes.items()}}


def prefer(pids, nice):
    """Sets the priority of the processes, with all their threads, and of this one."""
    for pid in [*pids.values(), os.getpid()] if nice else ():
        for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
            os.setpriority(os.PRIO_PROCESS, int(task.name), nice)
        # each is a session of its own, and where the kernel shares by session, a priority within one is worth nothing
        group = pathlib.Path(f"/proc/{pid}/autogroup")
        if group.exists():
            group.write_text(str(nice))


def cpu_seconds(pid):
    """Used so far, by the process and its threads."""
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def all_cpu_seconds(pids):
    return {name: cpu_seconds(pid) for name, pid in pids.items()}


def memory_mb(pid, what="VmHWM"):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(what):
            return int(line.split()[1]) / 1024
    raise ValueError(what)


def say(text):
    print(f"==> {text}", file=sys.stderr, flush=True)


def row(name, *values):
    print(f"{name:<46}" + "".join(f"{v:>10}" if isinstance(v, str) else f"{v:>10.1f}" for v in values))


def last_line(**figures):
    print(json.dumps({k: round(v, 2) for k, v in figures.items()}, separators=(",", ":")), flush=True)


__all__ = ["KubeStack", "Cluster"]
