"""tools/bench k8s-claim: from the request that creates a SandboxClaim to its Ready, seen by a client that watches.

Beside it, on the same API server and by the same client, the floor: a SandboxClaim that no controller sees is created, and the
client itself writes it ready, once its watch has shown it, with as many writes one after the other as a controller needs at
least. What is above the floor is ours.
"""

import argparse
import collections
import datetime
import json
import re
import time

from k8s_common import (
    AGENTS,
    CORE,
    EXTENSIONS,
    KubeStack,
    all_cpu_seconds,
    condition,
    last_line,
    make_pool,
    open_cluster,
    percentile,
    prefer,
    processes,
    ready_replicas,
    row,
    say,
    until_full,  # fmt: skip
)
from k8s_http import Api, Connection, Watch

AT_ONCE = 20
WRITES = re.compile(rb'"verb":"(create|update|patch|delete|deletecollection)"')


def claim_body(name, pool="pool"):
    return {
        "apiVersion": "extensions.agents.x-k8s.io/v1beta1",
        "kind": "SandboxClaim",
        "metadata": {"name": name},
        "spec": {"warmPoolRef": {"name": pool}},
    }


class Client:
    """Creates claims in one namespace and sees them become Ready."""

    def __init__(self, api, ns):
        self.path = f"{EXTENSIONS}/namespaces/{ns}/sandboxclaims"
        self.api = api
        self.connect()
        self.watch = Watch(api, self.path)
        self.claims = {}  # name: the object when it was Ready first
        self.ready_wall = {}

    def connect(self):
        """New ones: the API server closes those that were idle for a minute and a half."""
        self.connections = [Connection(self.api) for _ in range(AT_ONCE)]

    def round(self, names, timeout=60):
        """Creates all of them at once; milliseconds until each was Ready."""
        sent = {}
        for name, connection in zip(names, self.connections, strict=False):
            request = connection.api.bytes_of("POST", self.path, claim_body(name))
            sent[name] = time.perf_counter()
            connection.sock.sendall(request)
        took, end = {}, time.monotonic() + timeout
        while len(took) < len(names):
            if time.monotonic() > end:
                raise TimeoutError(f"not Ready after {timeout} s: {sorted(set(names) - set(took))[:3]}")
            for at, event in self.watch.events(1):
                claim = event["object"]
                name = claim["metadata"]["name"]
                if name in sent and name not in took and condition(claim, "Ready"):
                    took[name] = (at - sent[name]) * 1000
                    self.ready_wall[name] = time.time()
                    self.claims[name] = claim
        for _, connection in zip(names, self.connections, strict=False):
            status, answer = connection.receive()
            assert status == 201, answer
        return [took[name] for name in names]


def floor(api, ns, n, writes):
    """Milliseconds from create to the last of the client's own writes, seen by its watch."""
    path = f"{EXTENSIONS}/namespaces/{ns}/sandboxclaims"
    creator, writer, watch = Connection(api), Connection(api), Watch(api, path)
    took = []
    for i in range(n):
        name = f"floor{writes}-{i}"
        begun = time.perf_counter()
        creator.send("POST", path, claim_body(name))
        version = _seen(watch, name, lambda claim: True)[1]["metadata"]["resourceVersion"]
        for k in range(writes - 1):
            if k == writes - 2:
                body = {
                    "metadata": {"resourceVersion": version},
                    "status": {"conditions": [_ready()], "sandbox": {"name": name}},
                }
                writer.send("PATCH", f"{path}/{name}/status", body, "application/merge-patch+json")
            else:
                writer.send(
                    "PATCH",
                    f"{path}/{name}",
                    {"metadata": {"annotations": {f"bench/{k}": "x"}}},
                    "application/merge-patch+json",
                )
            if k < writes - 2:
                version = writer.receive()[1]["metadata"]["resourceVersion"]
        at = _seen(watch, name, lambda claim: condition(claim, "Ready"))[0] if writes > 1 else time.perf_counter()
        took.append((at - begun) * 1000)
        creator.receive()
        if writes > 1:
            status, answer = writer.receive()
            assert status == 200, answer
    return took


def _ready():
    now = datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": "Ready",
        "status": "True",
        "reason": "Floor",
        "message": "",
        "lastTransitionTime": now,
        "observedGeneration": 1,
    }


def _seen(watch, name, fits):
    while True:
        for at, event in watch.events(30):
            if event["object"]["metadata"]["name"] == name and fits(event["object"]):
                return at, event["object"]


def count_writes(cluster, since, client):
    """(all writes of ours for a claim, those on the way to Ready, their kinds), each a mean over the claims."""
    sandbox_of = {name: claim["status"]["sandbox"]["name"] for name, claim in client.claims.items()}
    claim_of = {sandbox: name for name, sandbox in sandbox_of.items()}
    uid_of_event = re.compile("|".join(map(re.escape, sorted(sandbox_of, key=len, reverse=True))))
    found = collections.defaultdict(list)  # claim: [(time received, kind)]
    with (cluster.folder / "audit.log").open("rb") as f:
        f.seek(since)
        for line in f:
            if not line.endswith(b"\n") or b'"sandplane-reconciler' not in line or not WRITES.search(line):
                continue
            entry = json.loads(line)
            ref = entry["objectRef"]
            resource, name = ref["resource"], ref.get("name", "")
            at = datetime.datetime.fromisoformat(entry["requestReceivedTimestamp"].replace("Z", "+00:00")).timestamp()
            if resource == "events" and (about := uid_of_event.match(name)):
                claim = about.group(0)
            else:
                claim = name if resource == "sandboxclaims" else claim_of.get(name)
            if claim in client.claims:
                found[claim].append(
                    (at, f"{entry['verb']} {resource}{'/' + ref['subresource'] if ref.get('subresource') else ''}")
                )
    totals, to_ready, kinds = [], [], collections.Counter()
    for claim in client.claims:
        created = client.created_wall[claim]
        writes = sorted(w for w in found[claim] if w[0] >= created)
        says = [
            i
            for i, w in enumerate(writes)
            if w[1].endswith("sandboxclaims/status") and w[0] <= client.ready_wall[claim]
        ]
        totals.append(len(writes))
        # an Event goes beside the way, but whoever counts requests counts it
        to_ready.append(says[-1] + 1 if says else len(writes))
        kinds.update(w[1] for w in writes)
    n = len(client.claims)
    return sum(totals) / n, sum(to_ready) / n, {k: v / n for k, v in kinds.most_common()}


def install_crds(connection, stack):
    """Returns when they are served."""
    stack.install_crds()
    end = time.monotonic() + 30
    while True:
        connection.send("GET", f"{EXTENSIONS}/sandboxclaims?limit=1")
        status, answer = connection.receive()
        if status == 200:
            return
        if time.monotonic() > end:
            raise TimeoutError(f"no SandboxClaims are served: {answer}")
        time.sleep(0.1)


def measure(cluster, stack, args):
    api = Api(cluster.kubeconfig)
    connection = Connection(api)
    ns, floor_ns = (f"bench-{kind}-{int(time.time())}" for kind in ("claim", "floor"))
    for name in (ns, floor_ns):
        connection.call("POST", f"{CORE}/namespaces", {"metadata": {"name": name}})
    install_crds(connection, stack)
    prefer(processes(cluster, stack), args.nice)
    say("the floor: the client's own writes, no controller running")
    floors = {writes: floor(api, floor_ns, args.floor, writes)[args.floor // 10 :] for writes in (1, 2, 3)}
    connection.call("DELETE", f"{EXTENSIONS}/namespaces/{floor_ns}/sandboxclaims")
    stack.up()
    make_pool(connection, ns, args.pool)
    say(f"filling a pool of {args.pool}")
    until_full(connection, ns, args.pool, 300)
    client = Client(api, ns)
    prefer(processes(cluster, stack), args.nice)
    client.created_wall = {}
    mark = cluster.audit_mark()

    def run(names):
        client.created_wall.update(dict.fromkeys(names, time.time()))
        return client.round(names)

    warmup = [run([f"warmup-{i}"])[0] for i in range(args.warmup)]
    until_full(connection, ns, args.pool, 120)
    say(f"{args.serial} claims one after the other, the pool is refilled meanwhile")
    serial, pids = [], processes(cluster, stack)
    used = all_cpu_seconds(pids)
    for i in range(args.serial):
        serial += run([f"serial-{i}"])
        time.sleep(args.gap)
    used = {name: (seconds - used[name]) * 1000 / args.serial for name, seconds in all_cpu_seconds(pids).items()}
    least = ready_replicas(connection, ns)
    until_full(connection, ns, args.pool, 120)
    say(f"{args.rounds} times {AT_ONCE} claims at once")
    client.connect()
    together = []
    for r in range(args.rounds):
        together += run([f"round{r}-{i}" for i in range(AT_ONCE)])
        time.sleep(args.pause)
    for name in [n for n in client.claims if n.startswith("warmup")]:
        del client.claims[name]
    time.sleep(2)
    total, to_ready, kinds = count_writes(cluster, mark, client)
    cold = [name for name, claim in client.claims.items() if not _is_warm(connection, ns, claim)]
    report(args, floors, serial, together, (total, to_ready, kinds), cold, least, warmup, used)
    for name in (ns, floor_ns):
        connection.call("DELETE", f"{CORE}/namespaces/{name}")


def _is_warm(connection, ns, claim):
    sandbox = connection.call("GET", f"{AGENTS}/namespaces/{ns}/sandboxes/{claim['status']['sandbox']['name']}")
    return sandbox["metadata"]["name"].startswith("pool-")


def report(args, floors, serial, together, writes, cold, least, warmup, used):
    total, to_ready, kinds = writes
    row("milliseconds from create to Ready", "p50", "p95", "p99", "max")
    for name, samples in (
        ("floor: create, seen by a watch", floors[1]),
        ("floor: create, seen, 1 write, seen", floors[2]),
        ("floor: create, seen, 2 writes, seen", floors[3]),
        (f"{args.serial} claims, one after the other", serial),
        (f"{AT_ONCE} claims at once, {args.rounds} times", together),
    ):
        row(name, percentile(samples, 50), percentile(samples, 95), percentile(samples, 99), max(samples))
    print(
        f"first claim after the start: {warmup[0]:.1f} ms; warm sandboxes left after the serial claims: {least} of {args.pool}"
    )
    print(
        "processor ms a serial claim, its refill among them: "
        + ", ".join(f"{k} {v:.1f}" for k, v in sorted(used.items(), key=lambda x: -x[1]))
    )
    print(f"cold claims: {len(cold)} of {len(serial) + len(together)}")
    print(
        f"API writes a claim: {total:.2f}, {to_ready:.2f} of them until Ready: "
        + ", ".join(f"{k} {v:.2f}" for k, v in kinds.items())
    )
    last_line(
        ready_p50_ms=percentile(serial, 50),
        ready_p95_ms=percentile(serial, 95),
        ready_p99_ms=percentile(serial, 99),
        ready20_p50_ms=percentile(together, 50),
        ready20_p95_ms=percentile(together, 95),
        ready20_p99_ms=percentile(together, 99),
        writes_per_claim=total,
        writes_to_ready=to_ready,
        floor_p50_ms=percentile(floors[3], 50),
        cold=len(cold),
    )


def main():
    parser = argparse.ArgumentParser(prog="tools/bench k8s-claim")
    parser.add_argument("--name", default="bench", help="of the control plane")
    parser.add_argument("--pool", type=int, default=230, help="warm sandboxes")
    parser.add_argument("--serial", type=int, default=200, help="claims one after the other")
    parser.add_argument("--rounds", type=int, default=8, help=f"of {AT_ONCE} claims at once")
    parser.add_argument("--pause", type=float, default=1, help="seconds after each round")
    parser.add_argument(
        "--gap",
        type=float,
        default=0,
        help="seconds after each single claim, for the time without the refill beside it",
    )
    parser.add_argument(
        "--nice", type=int, default=0, help="priority of all that is measured, for a machine that others use meanwhile"
    )
    parser.add_argument("--floor", type=int, default=100, help="objects for each floor")
    parser.add_argument("--warmup", type=int, default=5, help="claims that do not count")
    args = parser.parse_args()
    cluster = open_cluster(args.name)
    stack = KubeStack(cluster)
    try:
        measure(cluster, stack, args)
    finally:
        stack.down()


if __name__ == "__main__":
    main()
