"""What breaks, breaks: afterwards everything is as if nothing had happened (harness/kube_world.py says what that means).

The reconciler reaches the API server and Redis through harness/api_proxy.py, which kills, refuses, loses and cuts at exact points.
SANDPLANE_LONG=1 tries every point; otherwise a part of them.
"""

import concurrent.futures
import contextlib
import os
import random
import signal
import threading
import time

import pytest
from harness.api_proxy import DROP, HALF, Answer, ApiProxy, RedisRelay
from harness.client import Client
from harness.door import Door, mirrored
from harness.kube import Kube
from harness.kube_world import PATHS, World, is_ready
from harness.until import let_pass, until

LONG = bool(os.environ.get("SANDPLANE_LONG"))
PROXY_PORT = 6500
AWAY_S = 10 if LONG else 5


class Rig:
    """The reconciler behind the proxy and the relay; without a lease, so that one that was killed is at work again at once."""

    def __init__(self, stack):
        self.stack = stack
        self.proxy = ApiProxy(stack.kubeconfig, stack.data / "proxy", PROXY_PORT).open()
        self.relay = RedisRelay(stack.data / "relay.sock", stack.data / "redis.sock").open()
        self.through = [f"--kubeconfig={self.proxy.kubeconfig}", f"--redis-address=unix:{self.relay.path}"]
        self.points = {}

    def restart(self, *flags):
        if "reconciler" in self.stack.processes:
            self.stack.kill("reconciler")
        self.stack.start("reconciler", *self.through, *(flags or ["--leader-elect=false"]))

    def shoot(self):
        os.kill(self.stack.processes["reconciler"].pid, signal.SIGKILL)

    def calm(self):
        self.proxy.calm()
        self.relay.calm()
        if self.proxy.server is None:
            self.proxy.open()
        if self.relay.server is None:
            self.relay.open()

    def requests_in(self, seconds, ns=None):
        """What the reconciler asks for meanwhile, about one namespace or any: {"METHOD resource": how often}."""
        made = {}

        def count(r):
            if ns in (None, r.namespace) and not r.is_watch:
                made[str(r)] = made.get(str(r), 0) + 1

        self.proxy.before = count
        let_pass(seconds, "the span that requests are counted in")
        self.proxy.before = None
        return made


@pytest.fixture(scope="module")
def rig(stack):
    r = Rig(stack)
    stack.stop("reconciler")  # gives its lease back, so that the one after these tests need not wait
    r.restart()
    stack.wait_ready("reconciler")
    yield r
    print("\npoints hit:", *(f"{k}={v}" for k, v in r.points.items()))
    stack.kill("reconciler")
    stack.flags.pop("reconciler")
    stack.start("reconciler")
    r.proxy.close()
    r.relay.close()
    stack.wait_ready("reconciler")


@pytest.fixture
def world(rig, ns):
    yield World(rig.stack, ns)
    rig.calm()
    if "reconciler" not in rig.stack.processes or rig.stack.processes["reconciler"].poll() is not None:
        rig.stack.processes.pop("reconciler", None)
        rig.restart()


@pytest.fixture
def kube(rig, ns):
    return Kube(rig.stack.cluster, ns)


def until_right(world, warm=False, timeout=40, what=""):
    last = []

    def look():
        last[:] = world.wrong(warm)
        return not last

    try:
        until(look, timeout=timeout, interval=0.1)
    except AssertionError as e:
        raise AssertionError(f"{what}: {last}: {e}\n{world.stack.log('reconciler')[-3000:]}") from None


# ---- killed at every point ----


class Gun:
    """Does something at the n-th matching call, before it is passed on or after it was done, and counts."""

    def __init__(self, rig, fires, n, when, what="kill"):
        self.rig, self.fires, self.n, self.when, self.what = rig, fires, n, when, what
        self.lock = threading.Lock()
        self.seen = self.last_at = 0
        self.hit = None

    def before(self, call):
        return self._pull(call, "before")

    def after(self, call, code=0):
        return self._pull(call, "after")

    def _pull(self, call, when):
        if when != self.when or not self.fires(call):
            return None
        with self.lock:
            self.seen += 1
            self.last_at = time.monotonic()
            if self.seen != self.n:
                return None
            self.hit = call
        if self.what == "kill":
            self.rig.shoot()
        return DROP if self.what != "half" else HALF


def quiet_since(gun, seconds):
    return time.monotonic() - gun.last_at > seconds


ACTS = {}
VOLUME = {
    "metadata": {"name": "data"},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}


def act(fn):
    ACTS[fn.__name__] = fn
    return fn


@act
def warm(world, i):
    world.claim(f"warm-{i}", "p")


@act
def move(world, i):
    """A v1alpha1 client's: a Sandbox named as the claim, with the Pod of a member."""
    world.claim(f"move-{i}", "shadow-pool-t")


@act
def cold(world, i):
    world.claim(f"cold-{i}", "none")


@act
def refill(world, i):
    world.scale("p", 2 if i % 2 else 3)


@act
def release(world, i):
    if world.delete("claims", f"release-{i}") != 200:
        raise AssertionError("no claim to release")


def through_points(rig, world, kube, name, source, fires, whens, step, what="kill", limit=60):
    """Acts once for each point; returns how many points there were."""
    volumes = {"volumeClaimTemplates": [VOLUME]} if name == "move" else {}
    kube.apply(kube.template("t", **volumes), kube.pool("p", "t", replicas=2), kube.pool("none", "t", replicas=0))
    until_right(world)
    hits = []
    for when in whens:
        n = 1
        while n < limit:
            i = len(hits) + 1000 * (when == "after")
            if name == "release":
                world.claim(f"release-{i}", "p")
                until_right(world, warm=True)
            gun = Gun(rig, fires, n, when, what)
            source.before, source.after = gun.before, gun.after
            gun.last_at = time.monotonic()
            ACTS[name](world, i)
            until(
                lambda gun=gun: gun.hit or (quiet_since(gun, 1.0) and not world.wrong()),
                timeout=40,
                what=f"{name} {when} {n}: neither hit nor settled: {world.wrong()}",
            )
            source.calm()
            if not gun.hit:
                break
            hits.append(f"{when} {gun.hit if not isinstance(gun.hit, list) else gun.hit[0].decode()}")
            if what == "kill":
                rig.stack.processes.pop("reconciler").wait(10)
                rig.restart()
            until_right(world, warm=name not in ("cold", "refill"), what=f"{name}, {what} {when} call {n}, {hits[-1]}")
            n += step
    key = f"{name}/{what}/{type(source).__name__}"
    rig.points[key] = len(hits)
    print(key, len(hits), hits)
    assert hits or name == "release", "no point was hit"  # the garbage collector does most of that
    return hits


SAMPLE = {"warm": 4, "move": 4, "cold": 5, "refill": 3, "release": 3}


@pytest.mark.parametrize("name", SAMPLE)
def test_killed_at_writes(rig, world, kube, name):
    is_write = lambda r: r.is_write and r.namespace == world.ns
    whens = ("before", "after") if LONG else ("after",)
    through_points(rig, world, kube, name, rig.proxy, is_write, whens, 1 if LONG else SAMPLE[name])


@pytest.mark.parametrize("name", ["warm", "move", "release"] if LONG else ["move"])
def test_killed_at_redis_calls(rig, world, kube, name):
    ours = f"{{{world.ns}}}/".encode()
    of_ns = lambda c: c[0] == b"EVALSHA" and any(ours in word for word in c)
    whens = ("before", "after") if LONG else ("after",)
    through_points(rig, world, kube, name, rig.relay, of_ns, whens, 1 if LONG else 4)


@pytest.mark.parametrize("name", ["warm", "move", "cold"] if LONG else ["move"])
@pytest.mark.parametrize("what", ["lost", "half"] if LONG else ["lost"])
def test_answers_lost(rig, world, kube, name, what):
    """The write was done, and nobody was told, or not to the end."""
    is_write = lambda r: r.is_write and r.namespace == world.ns
    through_points(rig, world, kube, name, rig.proxy, is_write, ("after",), 1 if LONG else 5, what=what)


# ---- refused ----


def many(world, prefix, n, pool="p"):
    for i in range(n):
        world.claim(f"{prefix}-{i}", pool)


def one_by_one(world, prefix, n, pool="p"):
    """Each when the one before is ready, as somebody would who waits for each."""
    for i in range(n):
        name = f"{prefix}-{i}"
        world.claim(name, pool)
        path = f"{PATHS['claims'] % world.ns}/{name}"
        until(lambda path=path: is_ready(world.call("GET", path)[1]), timeout=60, what=f"claim {name} ready")


@contextlib.contextmanager
def meanwhile(fn, *args):
    """Runs fn beside the block, until both have ended; what goes wrong in it is the test's."""
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        running = pool.submit(fn, *args)
        yield running
        running.result()


def ready_count(world, prefix):
    return len([c for c in world.items("claims") if c["metadata"]["name"].startswith(prefix) and is_ready(c)])


def until_claims(world, prefix, n):
    until(lambda: ready_count(world, prefix) >= n, timeout=60, what=f"{n} claims {prefix}-... ready")


REFUSALS = [Answer(409), Answer(429, 1), Answer(500), Answer(503, 1)]


@pytest.mark.parametrize(
    "answers", [REFUSALS] + [[a] for a in REFUSALS if LONG], ids=lambda a: "-".join(str(x.code) for x in a)
)
def test_storm(rig, world, kube, answers):
    """30 claims while 30 % of all writes are refused."""
    kube.full_pool(replicas=5)
    dice, refused = random.Random(1), []

    def refuse(r):
        if r.is_write and r.namespace == world.ns and dice.random() < 0.3:
            refused.append(str(r))
            return dice.choice(answers)
        return None

    rig.proxy.before = refuse
    many(world, "c", 30)
    until(lambda: len(refused) > 10, timeout=60, what="eleven writes refused")
    rig.calm()
    until_right(world, what=f"{len(refused)} refused")
    print(f"storm: {len(refused)} refused")


def test_slow_server(rig, world, kube):
    """Answers take their time, and come in another order than they were asked for."""
    kube.full_pool(replicas=5)
    dice = random.Random(1)
    rig.proxy.before = lambda r: (
        let_pass(dice.random() * 0.5, "an answer that takes its time") if not r.is_watch else None
    )
    many(world, "c", 10)
    until_right(world, what="slow")


# ---- away ----


def test_api_server_restarts(rig, world, kube):
    kube.full_pool(replicas=5)
    with meanwhile(one_by_one, World(rig.stack, world.ns), "c", 20):
        until_claims(world, "c", 2)
        rig.stack.cluster.restart_api_server()
    until_right(world, timeout=60)


def test_api_server_away(rig, world, kube):
    """For the reconciler alone, as when a network is cut in two."""
    kube.full_pool(replicas=5)
    many(world, "before", 5)
    rig.proxy.close()
    many(world, "c", 20)
    let_pass(AWAY_S, "how long it is away: until what waits between attempts waits its longest")
    rig.proxy.open()
    until_right(world, timeout=40)


def test_watches_cut(rig, world, kube):
    """Again and again as soon as there are some, every second time as expired."""
    kube.full_pool(replicas=5)
    cut = rounds = 0
    with meanwhile(one_by_one, World(rig.stack, world.ns), "c", 20) as claims:
        while not claims.done():
            until(lambda: claims.done() or rig.proxy.watches, what="watches again")
            cut += rig.proxy.cut_watches(with_410=bool(rounds % 2))
            rounds += 1
    until_right(world)
    print(f"{cut} watches cut")
    assert cut > 20


def test_deletions_unseen(rig, world, kube):
    """What was deleted while no watch ran, and fell out of the server's memory, is missed by nobody."""
    kube.full_pool(replicas=3)
    many(world, "c", 3)
    until_right(world, warm=True)
    asked = []

    def refuse(r):
        if r.is_watch:
            return Answer(410)
        if r.method == "GET" and not r.name:
            asked.append(r.resource)
        return Answer(503) if r.method == "GET" else None

    rig.proxy.before = refuse
    rig.proxy.cut_watches()
    for i in range(2):
        world.delete("claims", f"c-{i}")
    member = next(
        s for s in world.items("sandboxes") if s["metadata"]["ownerReferences"][0]["kind"] == "SandboxWarmPool"
    )
    world.delete("sandboxes", member["metadata"]["name"])
    # both copies are known to be old, and asked for anew in vain, while that happened
    del asked[:]
    until(lambda: {"sandboxclaims", "sandboxes"} <= set(asked), what="lists of both asked for in vain")
    rig.calm()
    until_right(world)
    assert [c["metadata"]["name"] for c in world.items("claims")] == ["c-2"]


# ---- the cluster's own troubles ----


@pytest.mark.parametrize("how", ["deletion", "eviction"] if LONG else ["eviction"])
def test_pods_taken_away(rig, world, kube, how):
    """That of a claim comes back under its name; a member that was ready is replaced."""
    kube.full_pool(replicas=2)
    many(world, "c", 2)
    until_right(world, warm=True)
    before = {p["metadata"]["name"]: p["metadata"]["uid"] for p in world.items("pods")}
    for name in before:
        body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": name}}
        path = f"/api/v1/namespaces/{world.ns}/pods/{name}"
        code, answer = world.call("POST", path + "/eviction", body) if how == "eviction" else world.call("DELETE", path)
        assert code in (200, 201), answer
    until(lambda: not {p["metadata"]["uid"] for p in world.items("pods")} & set(before.values()), what="new Pods")
    until_right(world)


def test_node_gone(rig, world, kube):
    """The Node and all that ran on it."""
    kube.full_pool(replicas=2)
    many(world, "c", 2)
    until_right(world, warm=True)
    rig.stack.kill("node")
    try:
        rig.stack.cluster.kubectl("delete", "node", "fake-node-0")
        for p in world.items("pods"):
            world.delete("pods", p["metadata"]["name"], gracePeriodSeconds=0)
        many(world, "late", 2)
        # no Node takes them, and they have their Pods all the same
        until(lambda: len(world.items("pods")) >= 4, what="Pods for all claims")
    finally:
        rig.stack.start("node")
    until_right(world)


def test_namespace_deleted(rig, world, kube):
    """With claims that wait for Pods that never come. Nothing stays in Redis, and nobody tries in vain for ever."""
    metadata = {"annotations": {"sandplane.test/fake-node": "ignore"}}
    kube.apply(kube.template("t", metadata=metadata), kube.pool("p", "t", replicas=3))
    until(lambda: len(world.items("pods")) == 3, what="Pods of the pool")
    many(world, "c", 10)
    until(lambda: all("status" in c for c in world.items("claims")), what="every claim looked at")
    assert world.call("DELETE", f"/api/v1/namespaces/{world.ns}")[0] == 200
    until(lambda: world.call("GET", f"/api/v1/namespaces/{world.ns}")[0] == 404, timeout=60, what="the namespace gone")
    empty = lambda: not any(world.redis().values())
    until(empty, timeout=20, what=f"nothing in Redis; there is {world.redis()}")
    made = rig.requests_in(5, world.ns)
    rig.stack.cluster.kubectl("create", "namespace", world.ns)  # for the fixture to delete
    assert sum(made.values()) <= 3, made
    assert empty(), world.redis()


# ---- Redis ----


def test_redis_restarts(rig, world, kube):
    kube.full_pool(replicas=5)
    with meanwhile(one_by_one, World(rig.stack, world.ns), "c", 20):
        for i in range(3):
            until_claims(world, "c", 4 * (i + 1))
            rig.stack.restart("redis")
    until_right(world, timeout=60)


def test_redis_away(rig, world, kube):
    """Claims get cold Sandboxes meanwhile, none waits for its return."""
    kube.full_pool(replicas=3)
    many(world, "before", 1)
    until_right(world, warm=True)
    rig.relay.close()
    rig.stack.kill("redis")
    try:
        at = time.monotonic()
        many(world, "c", 5)
        for i in range(5):
            kube.until_ready("sandboxclaim", f"c-{i}", timeout=15)
        took = time.monotonic() - at
        let_pass(max(0, AWAY_S - took), "how long it is away: until what waits between attempts waits its longest")
    finally:
        rig.stack.start("redis")
        rig.relay.open()
    print(f"without Redis, claims took {took:.1f} s")
    until_right(world, timeout=60)


def test_redis_empty(rig, world, kube):
    """Its data are lost: claims keep what they have, what nobody has is replaced."""
    kube.full_pool(replicas=2)
    many(world, "c", 2)
    until_right(world, warm=True)
    had = {c["metadata"]["name"]: c["status"]["sandbox"] for c in world.items("claims")}
    rig.stack.redis("FLUSHALL")
    rig.stack.restart("redis")
    until_right(world, warm=True, timeout=60)
    assert {c["metadata"]["name"]: c["status"]["sandbox"] for c in world.items("claims")} == had


# ---- a copy behind the truth ----


def test_ended_once(rig, world, kube):
    """A gRPC claim ends while the watch of SandboxClaims is late: its object is not deleted a second time."""
    kube.full_pool(replicas=2)
    client = Client("127.0.0.1:7401")
    try:
        door = Door(client, kube.ns)
        name = door.claim()
        mirrored(kube, name)
        deleted = []
        rig.proxy.before = lambda r: deleted.append(r.resource) if r.method == "DELETE" and r.name == name else None
        rig.proxy.lag = {"sandboxclaims": 3}
        door.delete(name)
        kube.until_gone("sandbox", name)
        kube.until_gone("sandboxclaim", name)
        # what came behind it on the same watch, as late, has been seen: so was the end
        kube.apply(kube.claim("later"))
        kube.until_ready("sandboxclaim", "later")
        kube.delete("sandboxclaim", "later")
        until(lambda: door.claimed() == set(), what="the later claim ended")
    finally:
        client.close()
    assert deleted.count("sandboxclaims") == 1, deleted


# ---- replicas ----


def pools_at(stack, reconciler):
    stack.stop("pools")
    stack.start("pools", f"--reconciler=127.0.0.1:{7503 if reconciler.endswith('-2') else 7403}")


def test_stopped_leader(rig, world, kube):
    """One is frozen, another takes over; thawed, the first knows that it leads no more before it writes anything."""
    kube.full_pool(replicas=3)
    written, asked = [], []

    def note(r):
        if r.resource == "leases":
            asked.append(str(r))
        elif r.is_write:
            written.append((time.monotonic(), str(r)))

    rig.proxy.before = note
    rig.stack.stop("reconciler")
    rig.restart("--leader-elect=true")
    rig.stack.wait_ready("reconciler")  # it leads
    rig.stack.start("reconciler-2", f"--redis-address=unix:{rig.stack.data}/redis.sock")
    try:
        many(world, "c", 3)
        until_right(world, warm=True)
        pid = rig.stack.processes["reconciler"].pid
        os.kill(pid, signal.SIGSTOP)
        frozen = time.monotonic()
        many(world, "late", 10)
        rig.stack.wait_ready("reconciler-2")
        pools_at(rig.stack, "reconciler-2")  # a Service does that: one that does not lead is not ready
        until_right(world)
        if LONG:
            let_pass(max(0, frozen + 20 - time.monotonic()), "longer than a lease lasts")
        del written[:], asked[:]
        os.kill(pid, signal.SIGCONT)
        many(world, "after", 3)
        until_right(world)
        # it is awake: it has asked who leads, and been told
        until(lambda: asked, what="the one that was frozen asks for the lease")
        many(world, "last", 1)
        until_right(world)
        assert not written, written
        until_right(world)
    finally:
        rig.stack.stop("reconciler-2")
        rig.proxy.calm()
        rig.stack.stop("reconciler")
        rig.restart()
        pools_at(rig.stack, "reconciler")


# ---- and then ----


def test_quiet(rig, world, kube):
    """Nothing to do, nothing done."""
    kube.full_pool(replicas=3)
    many(world, "c", 3)
    until_right(world, warm=True)
    # namespaces of other tests may be on their way out
    going = lambda: [
        n for n in world.call("GET", "/api/v1/namespaces")[1]["items"] if n["status"]["phase"] == "Terminating"
    ]
    until(lambda: not going(), timeout=60, what="other namespaces gone")

    def nothing_asked():
        made = rig.requests_in(1)
        assert not made, made
        return True

    until(nothing_asked, timeout=60, what="a second in which nothing is asked for")
    made = rig.requests_in(5)
    print("in 5 s:", made)
    assert sum(made.values()) <= 3, made
