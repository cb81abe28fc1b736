"""One state, two doors: claims through gRPC and SandboxClaim objects draw from the same pools and appear in each other.

The shared state says who has a member; the objects follow, and are what the state is made from again when it was lost.
Writes are counted in the API server's audit log. What a claim costs the API server in its whole life (contract: controllers 9,
where the reference needs 8 until the Pod is in line, and its garbage collection after that):

    SandboxClaim, warm      PATCH sandbox (owner) and at the same time PATCH claim (whose it is), PATCH claim/status: that is Ready; then
                            PATCH claim (when it was ready), POST event, PATCH pod (labels), PATCH sandbox/status (generation)
    claim through gRPC      nothing until it is acknowledged, nothing if it ends within half a second; then POST claim, PATCH sandbox
                            (owner); one that lives for a minute (--grpc-claim-quiet): PATCH pod, PATCH sandbox/status (generation)
    the end of either       DELETE sandbox, and through gRPC DELETE claim
"""

import concurrent.futures
import datetime
import shutil
import signal
import time

import grpc as grpc_lib
import pytest
from harness.client import seconds
from harness.door import mirrored, owner_name
from harness.stubs import quota_grpc, quota_pb2
from harness.stubs import sandbox_pb2 as pb
from harness.until import until

K = "agents.x-k8s.io/"
EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
CLAIM_UID = "sandplane.dev/claim-uid"
AGENT = "sandplane-reconciler"


def sandbox_of(kube, claim):
    return kube.until_ready("sandboxclaim", claim)["status"]["sandbox"]["name"]


def in_agreement(kube, door, objects, through_grpc):
    """Every claim has a sandbox of its own, and both sides say the same. objects: claim -> sandbox; through_grpc: sandboxes."""
    everything = [*objects.values(), *through_grpc]
    assert len(set(everything)) == len(everything), "a sandbox was given out twice"
    sandboxes = {s["metadata"]["name"]: s for s in kube.list("sandbox")}
    for claim, sandbox in objects.items():
        assert owner_name(sandboxes[sandbox]) == ("SandboxClaim", claim)
    for sandbox in through_grpc:
        assert owner_name(sandboxes[sandbox]) == ("SandboxClaim", sandbox)
    assert door.claimed() == set(through_grpc) | {s for s in objects.values() if s.startswith("p-")}


# ---- each in the other ----


def test_an_object_appears_in_grpc(kube, door):
    """issue "one state, two doors": GetSandbox and ListSandboxes show a sandbox that an object claimed, with its labels."""
    kube.full_pool()
    kube.apply(kube.claim(labels={"team": "a"}))
    name = sandbox_of(kube, "c")
    box = door.get(name)
    assert box.state == pb.Sandbox.CLAIMED and box.pool.endswith("/pools/p") and box.template.endswith("/templates/t")
    assert door.claimed() == {name}


def test_a_grpc_claim_appears_as_an_object(kube, door):
    """controllers 5.4 "Result", for a claim of the other door: object named as the sandbox, uid, labels, end, new owner."""
    kube.full_pool()
    name = door.claim(labels={"team": "a"}, ttl=seconds(600))
    claim = mirrored(kube, name)
    assert claim["metadata"]["annotations"][CLAIM_UID] and claim["metadata"]["annotations"][K + "sandbox-name"] == name
    assert claim["metadata"]["labels"]["team"] == "a"
    assert claim["spec"]["warmPoolRef"] == {"name": "p"} and claim["spec"]["lifecycle"]["shutdownPolicy"] == "Delete"
    end = datetime.datetime.fromisoformat(claim["spec"]["lifecycle"]["shutdownTime"].replace("Z", "+00:00")).timestamp()
    assert 580 < end - time.time() < 605
    labels = kube.get("sandbox", name)["metadata"]["labels"]
    assert K + "warm-pool-sandbox" not in labels and labels[K + "claim-uid"] == claim["metadata"]["uid"]
    kube.pool_has("p", 1)
    assert door.claimed() == {name} and len(kube.list("sandbox")) == 2


def test_never_the_same_for_both(kube, door):
    """issue "no sandbox ever goes to both": 20 and 20 at once on a pool of 10."""
    kube.full_pool(replicas=10)
    names = [f"c{i}" for i in range(20)]
    with concurrent.futures.ThreadPoolExecutor(21) as threads:
        objects = threads.submit(kube.apply, *[kube.claim(c) for c in names])
        through_grpc = [f.result() for f in [threads.submit(door.claim, max_wait=40) for _ in range(20)]]
        objects.result()
    until(lambda: all(c.get("status", {}).get("conditions", [{}])[0].get("status") == "True" for c in kube.list("sandboxclaim", "!x") if c["metadata"]["name"] in names),
          timeout=60, what="all objects ready")  # fmt: skip
    for name in through_grpc:
        mirrored(kube, name, timeout=40)
    found = {
        c["metadata"]["name"]: c["status"]["sandbox"]["name"]
        for c in kube.list("sandboxclaim")
        if c["metadata"]["name"] in names
    }
    assert len(found) == 20
    in_agreement(kube, door, found, through_grpc)
    kube.pool_has("p", 10, timeout=60)


# ---- the end on either side ----


def test_delete_through_grpc(kube, door):
    """issue "each appears in the other": DeleteSandbox ends the object, whichever door the claim came through."""
    kube.full_pool(replicas=2)
    kube.apply(kube.claim())
    of_object, of_grpc = sandbox_of(kube, "c"), door.claim()
    mirrored(kube, of_grpc)
    for sandbox, claim in ((of_object, "c"), (of_grpc, of_grpc)):
        door.delete(sandbox)
        kube.until_gone("sandboxclaim", claim)
        kube.until_gone("sandbox", sandbox)
        until(lambda s=sandbox: door.get(s) is None, what="record gone")
    kube.pool_has("p", 2)
    assert len(kube.list("sandbox")) == 2 and door.claimed() == set()


def test_delete_the_object(kube, door):
    """controllers 5.1, 1: deleting the SandboxClaim ends the claim of the state, whichever door it came through."""
    kube.full_pool(replicas=2)
    kube.apply(kube.claim())
    of_object, of_grpc = sandbox_of(kube, "c"), door.claim()
    mirrored(kube, of_grpc)
    for sandbox, claim in ((of_object, "c"), (of_grpc, of_grpc)):
        kube.delete("sandboxclaim", claim, wait=False)
        until(lambda s=sandbox: door.get(s) is None, what="the claim ends in the state")
        kube.until_gone("sandbox", sandbox)
    kube.pool_has("p", 2)
    assert len(kube.list("sandbox")) == 2 and door.claimed() == set()


def test_an_object_that_shows_nothing(kube, door):
    """issue "each appears in the other": an object for a claim through gRPC goes when its Sandbox was deleted by hand, or never was its."""
    kube.full_pool()
    kube.apply(kube.claim("p-zzzzz", annotations={CLAIM_UID: "0123456789abcdef0123456789abcdef"}))
    kube.until_gone("sandboxclaim", "p-zzzzz")
    name = door.claim()
    mirrored(kube, name)
    kube.delete("sandbox", name, wait=False)
    kube.until_gone("sandboxclaim", name)
    until(lambda: door.ended(name), what="ended in the state")
    kube.pool_has("p", 1)


def test_a_grpc_claim_ends_by_time(kube, door):
    """controllers 5.1, 3 for the mirrored: the state ends it, and the object goes with it."""
    kube.full_pool()
    name = door.claim(ttl=seconds(3))
    mirrored(kube, name)
    kube.until_gone("sandboxclaim", name)
    kube.until_gone("sandbox", name)
    until(lambda: door.get(name) is None, what="record gone")


# ---- writes ----


def writes_about(cluster, mark, ns, *names):
    """(verb, resource[/subresource]) of our writes that succeeded, about objects of these names and Events about them."""
    return [
        (w.verb, w.resource + ("/" + w.subresource if w.subresource else ""))
        for w in cluster.audit_writes(mark, agent=AGENT, namespace=ns)
        if w.name in names or w.resource == "events" and any(w.name.startswith(n + ".") or not w.name for n in names)
    ]


def quiet(cluster, mark, ns, *names, seconds_of_it=1.5):
    """All writes, once none has come for a while."""
    state = {"n": -1, "since": 0.0}

    def look():
        n = len(writes_about(cluster, mark, ns, *names))
        if n != state["n"]:
            state.update(n=n, since=time.monotonic())
        return time.monotonic() - state["since"] > seconds_of_it

    until(look, what="no more writes")
    return writes_about(cluster, mark, ns, *names)


def test_writes_of_a_grpc_claim(stack, kube, door):
    """issue "cheap on the API server", controllers 9: 0 before it is acknowledged, 2 after it; 1 or 2 more end it."""
    kube.full_pool(replicas=2)
    mark = stack.cluster.audit_mark()
    name = door.claim()
    assert writes_about(stack.cluster, mark, kube.ns, name) == []
    mirrored(kube, name)
    assert quiet(stack.cluster, mark, kube.ns, name) == [("create", "sandboxclaims"), ("patch", "sandboxes")]
    mark = stack.cluster.audit_mark()
    door.delete(name)
    kube.until_gone("sandbox", name)
    ends = quiet(stack.cluster, mark, kube.ns, name)
    assert set(ends) <= {("delete", "sandboxclaims"), ("delete", "sandboxes")} and len(ends) <= 2


def test_a_grpc_claim_that_lives_long(stack, kube, door):
    """controllers 3.4, write-behind: after --grpc-claim-quiet the Pod must not be evicted any more and has lost the pool's label."""
    kube.full_pool()
    stack.stop("reconciler")
    stack.start("reconciler", "--grpc-claim-quiet=3s")
    try:
        stack.wait_ready("reconciler")
        mark = stack.cluster.audit_mark()
        name = door.claim()
        assert kube.get("pod", name)["metadata"]["annotations"][EVICT] == "true"
        mirrored(kube, name)
        until(
            lambda: EVICT not in kube.get("pod", name)["metadata"].get("annotations", {}),
            what="the Pod's annotation goes",
        )
        assert K + "warm-pool-sandbox" not in kube.get("pod", name)["metadata"]["labels"]
        claim = kube.until_ready("sandboxclaim", name)
        assert claim["status"]["sandbox"]["name"] == name and claim["status"]["sandbox"]["podIPs"]
        writes = quiet(stack.cluster, mark, kube.ns, name)
        assert writes[:2] == [("create", "sandboxclaims"), ("patch", "sandboxes")]
        assert sorted(writes[2:]) == [
            ("patch", "pods"),
            ("patch", "sandboxclaims/status"),
            ("patch", "sandboxes/status"),
        ]
    finally:
        stack.flags.pop("reconciler")
        stack.stop("reconciler")
        stack.start("reconciler")
        stack.wait_ready("reconciler")


def test_writes_of_a_short_grpc_claim(stack, kube, door):
    """issue "cheap on the API server": nothing for a claim that ends within half a second, but to take its Sandbox away."""
    kube.full_pool(replicas=2)
    mark = stack.cluster.audit_mark()
    name = door.claim()
    door.delete(name)
    kube.until_gone("sandbox", name)
    assert quiet(stack.cluster, mark, kube.ns, name) == [("delete", "sandboxes")]


def test_writes_of_a_warm_object(stack, kube):
    """issue "cheap on the API server", controllers 9: Ready with at most 3 writes; the whole life is what the head of this file says."""
    kube.full_pool(replicas=2)
    (first, second) = [s["metadata"]["name"] for s in kube.list("sandbox")]
    mark = stack.cluster.audit_mark()
    kube.apply(kube.claim())
    name = sandbox_of(kube, "c")
    assert name in (first, second)
    writes = quiet(stack.cluster, mark, kube.ns, name, "c")
    print("\nwrites of one warm SandboxClaim:", writes)
    on_the_way = writes[: writes.index(("patch", "sandboxclaims/status")) + 1]
    # the first two go out together
    assert sorted(on_the_way[:2]) == [("patch", "sandboxclaims"), ("patch", "sandboxes")]
    assert on_the_way[2:] == [("patch", "sandboxclaims/status")]
    rest = [("patch", "sandboxclaims"), ("create", "events"), ("patch", "pods"), ("patch", "sandboxes/status")]
    assert sorted(writes) == sorted([*on_the_way, *rest])


# ---- trouble: after these the stack is as before, for other tests ----


def everywhere(kube, door):
    """A pool of 3, two claims through each door, all settled: (objects, through_grpc, unclaimed members)."""
    kube.full_pool(replicas=3)
    kube.apply(kube.claim("c0"), kube.claim("c1"))
    objects = {c: sandbox_of(kube, c) for c in ("c0", "c1")}
    through_grpc = [door.claim(max_wait=30) for _ in range(2)]
    for name in through_grpc:
        mirrored(kube, name)
    kube.pool_has("p", 3)
    held = set(objects.values()) | set(through_grpc)
    return objects, through_grpc, {s["metadata"]["name"] for s in kube.list("sandbox")} - held


@pytest.fixture(params=["FLUSHALL", "killed"])
def wipe(stack, request):
    def flush():
        stack.redis("FLUSHALL")

    def kill():
        stack.kill("redis")
        shutil.rmtree(stack.data / "redis")
        stack.start("redis")

    return flush if request.param == "FLUSHALL" else kill


def test_redis_is_wiped(stack, kube, door, wipe):
    """issue "Redis can be wiped while it runs": bound claims keep their Sandbox, members nobody has are replaced, nothing twice."""
    objects, through_grpc, members = everywhere(kube, door)
    uids = {s["metadata"]["name"]: s["metadata"]["uid"] for s in kube.list("sandbox")}
    wipe()
    # at once, while both sides find together again
    kube.apply(kube.claim("c2"))

    def again():
        try:
            return door.claim(max_wait=30)
        except grpc_lib.RpcError as e:
            # until the pool is there again
            assert e.code() in (grpc_lib.StatusCode.NOT_FOUND, grpc_lib.StatusCode.UNAVAILABLE), e
            return None

    newest = until(again, timeout=40, what="a claim after the loss")
    objects["c2"] = sandbox_of(kube, "c2")
    mirrored(kube, newest)
    assert newest not in members and objects["c2"] not in members
    # c2 may have been made for its claim, if it came in the middle
    for sandbox in (*[s for s in objects.values() if s.startswith("p-")], *through_grpc):
        until(lambda s=sandbox: door.holds(s), what=f"{sandbox} is in the state again")
    for member in members:
        kube.until_gone("sandbox", member)
    kube.pool_has("p", 3, timeout=60)
    in_agreement(kube, door, objects, [*through_grpc, newest])
    now = {s["metadata"]["name"]: s["metadata"]["uid"] for s in kube.list("sandbox")}
    assert all(now[s] == uids[s] for s in (*list(objects.values())[:2], *through_grpc))
    for claim in ("c0", "c1", "c2"):
        kube.until_ready("sandboxclaim", claim)
    # and they end as any other
    door.delete(through_grpc[0])
    kube.until_gone("sandboxclaim", through_grpc[0])
    kube.delete("sandboxclaim", "c0", wait=False)
    until(lambda: door.get(objects["c0"]) is None, what="let go")


def test_the_reconciler_is_killed(stack, kube, door):
    """issue "reconciler killed", controllers 5.2: what was pending goes on after the start; what was deleted meanwhile is let go."""
    objects, through_grpc, _ = everywhere(kube, door)
    stack.kill("reconciler")
    kube.apply(kube.claim("c2"), kube.claim("c3"))
    newest = door.claim()  # warm members are given out without it
    threads = concurrent.futures.ThreadPoolExecutor(3)
    waiting = [threads.submit(door.claim, max_wait=50) for _ in range(3)]
    kube.delete("sandboxclaim", "c0", wait=False)
    kube.delete("sandboxclaim", through_grpc[0], wait=False)
    for sandbox in (objects["c0"], through_grpc[0]):
        kube.until_gone("sandbox", sandbox)
    assert door.holds(objects["c0"]) and door.holds(through_grpc[0])
    stack.start("reconciler")
    stack.wait_ready("reconciler")
    objects = {c: sandbox_of(kube, c) for c in ("c1", "c2", "c3")} | {"c0": objects["c0"]}
    for sandbox in (objects.pop("c0"), through_grpc[0]):
        until(lambda s=sandbox: door.ended(s), what=f"{sandbox} is let go")
    newest = [newest, *[f.result() for f in waiting]]
    for name in newest:
        mirrored(kube, name)
    kube.pool_has("p", 3, timeout=60)
    in_agreement(kube, door, objects, [through_grpc[1], *newest])


def leads(stack, name):
    return stack.ready(name)


def test_two_replicas(stack, kube, door):
    """controllers 1.2: only the leader acts; after SIGKILL the other takes over when the Lease has run out, after SIGTERM at once."""
    kube.full_pool(replicas=2)
    stack.start("reconciler-2")
    # another test may have run one before it, with the same log
    own_log = lambda: stack.log("reconciler-2").rsplit('"started"', 1)[-1]
    until(lambda: own_log().count("cluster_listed") >= 8, what="the second has its copies")
    try:
        kube.apply(kube.claim("c0"))
        sandbox_of(kube, "c0")
        assert leads(stack, "reconciler") and not leads(stack, "reconciler-2")
        assert '"leads":true' not in own_log()
        began = time.monotonic()
        stack.kill("reconciler")
        kube.apply(kube.claim("c1"))
        until(lambda: leads(stack, "reconciler-2"), timeout=30, what="the second leads")
        assert time.monotonic() - began < 22
        sandbox_of(kube, "c1")
        stack.start("reconciler")
        until(
            lambda: stack.log("reconciler").rsplit('"started"', 1)[1].count("cluster_listed") >= 8,
            what="the first has its copies",
        )
        assert not leads(stack, "reconciler")
        kube.apply(kube.claim("c2"))
        sandbox_of(kube, "c2")
        began = time.monotonic()
        assert stack.kill("reconciler-2", signal.SIGTERM) == 0
        until(lambda: leads(stack, "reconciler"), timeout=15, what="the first leads again")
        assert time.monotonic() - began < 8
        kube.apply(kube.claim("c3"))
        sandbox_of(kube, "c3")
        found = [c["status"]["sandbox"]["name"] for c in kube.list("sandboxclaim")]
        assert len(set(found)) == 4
        kube.pool_has("p", 2, timeout=60)
    finally:
        if "reconciler-2" in stack.processes:
            stack.kill("reconciler-2")
        if "reconciler" not in stack.processes:
            stack.start("reconciler")
        stack.wait_ready("reconciler")


def test_a_quota_holds_for_objects(kube, ns, client, door):
    """Those of a namespace are one tenant; what has no room waits, and gets no cold Sandbox either."""
    quotas = quota_grpc.QuotaServiceStub(client.channel)
    name = f"namespaces/{ns}/quotas/kubernetes"
    quotas.ApplyQuota(quota_pb2.ApplyQuotaRequest(quota=quota_pb2.Quota(name=name, max_sandboxes=1)), timeout=20)
    kube.apply(kube.template(), kube.pool(replicas=2))
    kube.pool_has("p", 2)
    kube.apply(kube.claim("a"))
    kube.until_ready("sandboxclaim", "a")
    kube.apply(kube.claim("b"))
    refused = kube.until_condition("sandboxclaim", "b", status="False", reason="QuotaExceeded")
    assert refused
    assert door.holds(door.claim())  # another tenant's
    assert quotas.GetQuota(quota_pb2.GetQuotaRequest(name=name), timeout=20).sandbox_count == 1
    kube.delete("sandboxclaim", "a")
    kube.until_ready("sandboxclaim", "b")
    assert {s["metadata"]["labels"].get(K + "launch-type") for s in kube.list("sandbox")} <= {"warm", None}
    quotas.DeleteQuota(quota_pb2.DeleteQuotaRequest(name=name), timeout=20)
