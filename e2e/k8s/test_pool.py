"""Warm pools: their members and status. Numbers are sections of the API's description (6 the WarmPool controller, 7 Events)."""

import json
import re

import pytest
from harness.names import FAKE_NODE, K, annotations, labels, name_hash, owner, uid
from harness.until import until

AGENTS = "agents.x-k8s.io/v1beta1"
V1BETA1 = "extensions.agents.x-k8s.io/v1beta1"
EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
IGNORED = {"annotations": {FAKE_NODE: "ignore"}}
POOL_LABEL = K + "warm-pool-sandbox"
SELECTOR = f"{POOL_LABEL}={name_hash('p')}"
VOLUME = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}


def controllers(sandbox):
    return [o for o in sandbox["metadata"].get("ownerReferences", []) if o.get("controller")]


def uids(kube, pool="p"):
    return {uid(s) for s in kube.members(pool)}


def until_members(kube, n, pool="p", without=(), **kw):
    """Waits for n members, all ready by the pool's status, none of them one of `without`."""

    def full():
        found = kube.members(pool)
        status = kube.get("sandboxwarmpool", pool).get("status", {})
        counts = (status.get("replicas"), status.get("readyReplicas"))
        return len(found) == n and not uids_of(found) & set(without) and counts == (n, n) and (found or True)

    return until(full, what=f"{n} members of {pool}", **kw)


def json_hash(value):
    return name_hash(json.dumps(value, separators=(",", ":")))


def image(name):
    return {"containers": [{"name": "main", "image": name}]}


# ---- members (6.5) ----


def test_member(kube):
    """6.5, 2, 4 secure defaults, 3.4 extension labels: every field of a member, its Pod and its volume claim."""
    volumes = [{"metadata": {"name": "data"}, "spec": VOLUME}]
    meta = {"labels": {"app": "x"}, "annotations": {"note": "n"}}
    kube.apply(
        kube.template(pod_spec=image("x"), metadata=meta, volumeClaimTemplates=volumes, service=True), kube.pool()
    )
    (s,) = until_members(kube, 1)
    name = s["metadata"]["name"]
    assert re.fullmatch("p-[a-z0-9]{5}", name)
    pod_template = {"spec": {"containers": [{"name": "main", "image": "x", "resources": {}}]}, "metadata": meta}
    hashed = [{"metadata": {"name": "data"}, "spec": VOLUME}]
    hashes = {
        POOL_LABEL: name_hash("p"),
        K + "sandbox-template-ref-hash": name_hash("t"),
        K + "sandbox-pod-template-hash": json_hash(pod_template),
        K + "sandbox-template-hash": json_hash(
            {"podTemplate": pod_template, "volumeClaimTemplates": hashed, "service": True}
        ),
    }
    assert labels(s) == {**hashes, K + "launch-type": "warm", K + "created-by": "controller"}
    assert annotations(s)[K + "sandbox-template-ref"] == "t"
    (anchor, *_) = [o for o in s["metadata"]["ownerReferences"] if o["kind"] == "ClusterRole"]
    assert anchor["name"] == "agent-sandbox-controller" and "controller" not in anchor
    assert controllers(s) == owner(kube.get("sandboxwarmpool", "p"), V1BETA1, "SandboxWarmPool")
    assert "finalizers" not in s["metadata"]
    safe = {
        "automountServiceAccountToken": False,
        "dnsPolicy": "None",
        "dnsConfig": {"nameservers": ["8.8.8.8", "1.1.1.1"]},
    }
    assert s["spec"] == {
        "operatingMode": "Running",
        "shutdownPolicy": "Retain",
        "podTemplate": {
            "spec": {**image("x"), **safe},
            "metadata": {"labels": {"app": "x", **hashes}, "annotations": {"note": "n", EVICT: "true"}},
        },
        "volumeClaimTemplates": volumes,
        "service": True,
    }
    pod = kube.get("pod", name)
    assert labels(pod) == {
        "app": "x",
        K + "sandbox-name-hash": name_hash(name),
        POOL_LABEL: name_hash("p"),
        K + "sandbox-template-ref-hash": name_hash("t"),
        K + "created-by": "controller",
    }
    listed = {K + "propagated-labels": "app", K + "propagated-annotations": f"{EVICT},note"}
    assert annotations(pod) == {"note": "n", EVICT: "true", **listed}
    assert kube.get("pvc", f"data-{name}")["metadata"]["ownerReferences"] == owner(s, AGENTS, "Sandbox")
    assert kube.get("service", name)


def test_member_defaults_that_give_way(kube):
    """6.5, 4: what the template says of eviction, tokens and DNS is kept; without our NetworkPolicy DNS is the cluster's."""
    said = {**image("x"), "automountServiceAccountToken": True, "dnsPolicy": "Default"}
    kube.apply(
        kube.template("said", pod_spec=said, metadata={"annotations": {EVICT: "false"}}),
        kube.template("unmanaged", networkPolicyManagement="Unmanaged", pod_spec=image("x")),
        kube.template("ruled", networkPolicy={"egress": [{}]}, pod_spec=image("x")),
        *(kube.pool(f"p-{t}", t) for t in ("said", "unmanaged", "ruled")),
    )
    (s,) = until_members(kube, 1, "p-said")
    assert s["spec"]["podTemplate"]["spec"] == said
    assert s["spec"]["podTemplate"]["metadata"]["annotations"] == {EVICT: "false"}
    for pool in ("p-unmanaged", "p-ruled"):
        (s,) = until_members(kube, 1, pool)
        assert s["spec"]["podTemplate"]["spec"] == {**image("x"), "automountServiceAccountToken": False}


# ---- size and status (6.3, 6.6) ----


def counts(pool):
    """What the reference's status has; the condition is test_pool_why's."""
    return {k: v for k, v in pool.get("status", {}).items() if k != "conditions"}


def test_scale(kube):
    """6.3, 6.6, crds 1.1: kubectl scale up, down (the newest go first) and to none; the status follows."""
    pool = kube.pool()
    del pool["spec"]["replicas"]
    kube.apply(kube.template(), pool)
    (first,) = until_members(kube, 1)

    def status():
        p = kube.get("sandboxwarmpool", "p")
        return counts(p) == {
            "replicas": p["spec"]["replicas"],
            "readyReplicas": p["spec"]["replicas"],
            "selector": SELECTOR,
            "observedGeneration": p["metadata"]["generation"],
        }

    for n in (3, 1, 0):
        kube.kubectl("scale", "swp", "p", f"--replicas={n}")
        until_members(kube, n)
        until(status, what=f"the status of {n}")
        if n == 1:
            assert uids(kube) == {uid(first)}
    until(lambda: not kube.list("sandbox") and not kube.list("pod"), what="nothing left")


def test_unready_members_are_counted_and_go_first(kube):
    """6.3, 6.6: replicas counts who is there, readyReplicas who is ready; of a surplus the unready go first."""
    kube.apply(kube.template(), kube.pool())
    (ready,) = until_members(kube, 1)
    kube.apply(kube.template(pod_spec=image("stuck"), metadata=IGNORED))
    kube.kubectl("scale", "swp", "p", "--replicas=3")
    until(lambda: {k: kube.get("sandboxwarmpool", "p")["status"][k] for k in ("replicas", "readyReplicas")} == {"replicas": 3, "readyReplicas": 1}, what="1 of 3 ready")  # fmt: skip
    kube.kubectl("scale", "swp", "p", "--replicas=1")
    until_members(kube, 1)
    assert uids(kube) == {uid(ready)}


def test_change_of_mind(kube):
    """6.3: scaled down while its members are still being made: none of them is left behind."""
    kube.apply(kube.template(metadata=IGNORED), kube.pool(replicas=0))
    for n in (8, 0) * 3:
        kube.patch("sandboxwarmpool", "p", {"spec": {"replicas": n}})
    done = {"replicas": 0, "readyReplicas": 0, "selector": SELECTOR, "observedGeneration": 7}
    until(lambda: counts(kube.get("sandboxwarmpool", "p")) == done and not kube.list("sandbox"), what="no members")
    until(lambda: not kube.list("pod"), what="no Pods")
    # a member that was forgotten would come to light beside this one
    kube.patch("sandboxwarmpool", "p", {"spec": {"replicas": 1}})
    until(lambda: kube.list("pod"), what="a member")
    assert len(kube.list("sandbox")) == 1


def test_template_that_comes_later(kube):
    """6.3: no template, no members, no error: the status is there. With the template they come."""
    kube.apply(kube.pool())
    until(lambda: kube.get("sandboxwarmpool", "p").get("status"), what="the status")
    status = {"replicas": 0, "readyReplicas": 0, "selector": SELECTOR, "observedGeneration": 1}
    assert counts(kube.get("sandboxwarmpool", "p")) == status
    assert not kube.list("sandbox")
    kube.apply(kube.template())
    until_members(kube, 1)


# ---- members that are lost (6.1) ----


def test_lost_members_are_replaced(kube):
    """6.1, 6.3: deleted by hand; its Pod failed; its Pod deleted by hand."""
    kube.full_pool()
    for harm in ("delete sandbox", "fail", "delete pod"):
        (old,) = until_members(kube, 1)
        name = old["metadata"]["name"]
        pod = kube.get("pod", name)
        if harm == "fail":
            kube.patch("pod", name, {"status": {"phase": "Failed", "conditions": []}}, "--subresource=status")
        else:
            kube.delete(harm.split()[1], name, wait=False)
        until(lambda: {uid(p) for p in kube.list("pod")} - {uid(pod)}, what="another Pod")  # noqa: B023
        until(lambda: uid(pod) not in {uid(p) for p in kube.list("pod")}, what=f"{harm}: the old Pod gone")  # noqa: B023
        until_members(kube, 1)


def test_deletion_of_the_pool(kube):
    """6.6, 5.4, 3.4: unclaimed members go with the pool, a claimed one stays; its Pod has lost the pool's marks."""
    kube.full_pool(replicas=2)
    kube.apply(kube.claim())
    claim = kube.until_ready("sandboxclaim", "c")
    name = claim["status"]["sandbox"]["name"]
    until_members(kube, 2)
    pod = kube.get("pod", name)
    until(lambda: POOL_LABEL not in labels(kube.get("pod", name)), what="the Pod without the pool's label")
    assert labels(kube.get("pod", name))[K + "sandbox-template-ref-hash"] == name_hash("t")
    assert EVICT not in annotations(kube.get("pod", name))
    kube.delete("sandboxwarmpool", "p")
    until(lambda: [s["metadata"]["name"] for s in kube.list("sandbox")] == [name], what="only the claimed one")
    until(lambda: [p["metadata"]["name"] for p in kube.list("pod")] == [name], what="only its Pod")
    assert uid(kube.get("pod", name)) == uid(pod)
    assert kube.condition("sandboxclaim", "c")["status"] == "True"


def test_orphan(kube):
    """6.1: a member that lost its owner is adopted again; one that lost its launch type gets it again."""
    kube.full_pool()
    (s,) = until_members(kube, 1)
    name = s["metadata"]["name"]
    kube.patch("sandbox", name, {"metadata": {"ownerReferences": None}})
    owners = owner(kube.get("sandboxwarmpool", "p"), V1BETA1, "SandboxWarmPool")
    until(
        lambda: (kube.get("sandbox", name) or {"metadata": {}})["metadata"].get("ownerReferences") == owners,
        what="its owner again",
    )
    kube.kubectl("label", "sandbox", name, K + "launch-type-")
    until(lambda: labels(kube.get("sandbox", name)).get(K + "launch-type") == "warm", what="its launch type again")
    assert uids(kube) == {uid(s)}
    until_members(kube, 1)


def test_stale_orphan(kube):
    """6.1, 6.4: a member that lost its owner and is not of the template any more is replaced, whatever the strategy."""
    kube.apply(kube.template(pod_spec=image("old")), kube.pool())
    old = uids_of(until_members(kube, 1))
    (name,) = [s["metadata"]["name"] for s in kube.members()]
    kube.apply(kube.template(pod_spec=image("new")))
    kube.kubectl("scale", "swp", "p", "--replicas=2")
    assert old < uids_of(until_members(kube, 2))
    kube.patch("sandbox", name, {"metadata": {"ownerReferences": None}})
    until_members(kube, 2, without=old)
    kube.until_gone("sandbox", name)
    assert images(kube) == {"new"}


def test_sandboxes_of_others(kube):
    """6.1: a Sandbox with the pool's label that somebody else controls is none of the pool's."""
    config = kube.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "other", "namespace": kube.ns}})
    theirs = kube.sandbox(labels={POOL_LABEL: name_hash("p")})
    theirs["metadata"]["ownerReferences"] = owner(config, "v1", "ConfigMap")
    kube.apply(theirs)
    kube.full_pool()
    assert len(until_members(kube, 1)) == 1
    kube.delete("sandboxwarmpool", "p")
    until(lambda: [s["metadata"]["name"] for s in kube.list("sandbox")] == ["s"], what="only theirs")


# ---- changes of the template (6.4) ----


def hash_label(s):
    return labels(s)[K + "sandbox-template-hash"]


def test_on_replenish(kube):
    """6.4 OnReplenish, the default: members of the old template stay, new ones are of the new."""
    kube.apply(kube.template(pod_spec=image("old")), kube.pool(replicas=2))
    old = until_members(kube, 2)
    kube.apply(kube.template(pod_spec=image("new")))
    kube.kubectl("scale", "swp", "p", "--replicas=3")
    now = until_members(kube, 3)
    assert {uid(s) for s in old} < {uid(s) for s in now}
    (new,) = [s for s in now if uid(s) not in {uid(o) for o in old}]
    assert new["spec"]["podTemplate"]["spec"]["containers"][0]["image"] == "new"
    assert hash_label(new) != hash_label(old[0])


def test_recreate(kube):
    """6.4 Recreate: stale members are replaced, also those of another template; metadata and networks make none stale."""
    kube.apply(kube.template(pod_spec=image("old")), kube.pool(replicas=2, updateStrategy={"type": "Recreate"}))
    first = uids_of(until_members(kube, 2))
    kube.apply(kube.template(pod_spec=image("new")))
    second = uids_of(until_members(kube, 2, without=first))
    assert images(kube) == {"new"}
    # none of these makes a member stale: the pool grows by one, and keeps the others
    rules = {"networkPolicy": {"egress": [{}]}, "envVarsInjectionPolicy": "Allowed"}
    kube.apply(kube.template(pod_spec=image("new"), metadata={"labels": {"a": "b"}}, **rules))
    until(
        lambda: kube.get("networkpolicy", "t-network-policy")["spec"]["egress"] == [{}], what="the new template at work"
    )
    kube.kubectl("scale", "swp", "p", "--replicas=3")
    third = uids_of(until_members(kube, 3))
    assert second < third
    (new,) = third - second
    (member,) = [s for s in kube.members() if uid(s) == new]
    assert member["spec"]["podTemplate"]["metadata"]["labels"]["a"] == "b"
    kube.apply(kube.template("t2", pod_spec=image("new")))
    kube.patch("sandboxwarmpool", "p", {"spec": {"sandboxTemplateRef": {"name": "t2"}}})
    until_members(kube, 3, without=third)
    assert {annotations(s)[K + "sandbox-template-ref"] for s in kube.members()} == {"t2"}


def test_recreate_gives_nobody_an_old_one(kube):
    """5.4 A claim takes no stale member under Recreate: it starts cold, of the new template, though that fills no pool."""
    recreate = {"type": "Recreate"}
    kube.apply(kube.template(pod_spec=image("old")), kube.pool(replicas=4, updateStrategy=recreate))
    until_members(kube, 4)
    kube.apply(kube.template(pod_spec=image("new"), metadata=IGNORED))
    until(lambda: images(kube) == {"new"}, what="the old ones gone, though no new one is ready")
    kube.apply(kube.claim())
    sandbox = until(lambda: kube.get("sandbox", "c"), what="a cold one")
    assert sandbox["spec"]["podTemplate"]["spec"]["containers"][0]["image"] == "new"


def test_recreate_what_never_came_up(kube):
    """6.1, 6.4 Recreate: members of a template that does not start give way to those of one that does, at once."""
    kube.apply(
        kube.template(pod_spec=image("bad"), metadata=IGNORED),
        kube.pool(replicas=2, updateStrategy={"type": "Recreate"}),
    )
    stuck = uids_of(until(lambda: len(kube.members()) == 2 and kube.members(), what="two that do not start"))
    kube.apply(kube.template(pod_spec=image("good")))
    until_members(kube, 2, without=stuck)
    assert images(kube) == {"good"}


def uids_of(found):
    return {uid(s) for s in found}


def images(kube):
    return {s["spec"]["podTemplate"]["spec"]["containers"][0]["image"] for s in kube.members()}


# ---- members that do not become ready (6.2) ----


@pytest.fixture(scope="module")
def impatient(stack):
    """A reconciler that does not wait five minutes."""
    stack.stop("reconciler")
    stack.start(
        "reconciler",
        "--sandbox-warm-pool-readiness-grace-period=2s",
        "--sandbox-warm-pool-unschedulable-recheck-interval=1s",
    )
    stack.wait_ready("reconciler")
    yield
    stack.stop("reconciler")
    del stack.flags["reconciler"]
    stack.start("reconciler")
    stack.wait_ready("reconciler")


def pool_events(kube, reason):
    return [e for e in kube.list("event") if e["reason"] == reason]


def test_grace_period_of_the_pool(kube, impatient):
    """v1.0.12: readinessGracePeriodSeconds goes before the flag, and a change of it makes no member stale."""
    long = kube.pool("long", readinessGracePeriodSeconds=3600, updateStrategy={"type": "Recreate"})
    kube.apply(kube.template(metadata=IGNORED), kube.pool(), long)
    (kept,) = until(lambda: kube.members("long"), what="a member")
    (stuck,) = until(lambda: kube.members(), what="a member")
    until(lambda: kube.members() and uid(stuck) not in uids(kube), what="the stuck member replaced")
    kube.patch("sandboxwarmpool", "long", {"spec": {"readinessGracePeriodSeconds": 1800}})
    until(lambda: kube.get("sandboxwarmpool", "long")["status"]["observedGeneration"] == 2, what="a look at the pool")
    assert uids(kube, "long") == {uid(kept)}
    # as long as the flag says, once it says nothing itself
    kube.patch("sandboxwarmpool", "long", {"spec": {"readinessGracePeriodSeconds": None}})
    until(lambda: uid(kept) not in uids(kube, "long"), what="the kept member replaced")


def test_grace_period(kube, impatient):
    """6.2, 7: stuck members are replaced; those that find no node are held, and Events tell of it."""
    kube.apply(kube.template(metadata=IGNORED), kube.pool(), kube.pool("full"))
    (stuck,) = until(lambda: kube.members(), what="a member")
    (held,) = until(lambda: kube.members("full"), what="a member")
    name = held["metadata"]["name"]
    no_room = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"}
    until(lambda: kube.get("pod", name), what="its Pod")
    kube.patch("pod", name, {"status": {"conditions": [no_room]}}, "--subresource=status")
    (event,) = until(lambda: pool_events(kube, "WarmPoolNotProgressing"), what="the Event")
    assert event["note"].startswith("1/1 sandboxes are unschedulable past the 2s readiness grace period; ")
    about = {k: event["regarding"][k] for k in ("apiVersion", "kind", "name", "uid")}
    assert about == {
        "apiVersion": V1BETA1,
        "kind": "SandboxWarmPool",
        "name": "full",
        "uid": uid(kube.get("sandboxwarmpool", "full")),
    }
    said = {k: event[k] for k in ("type", "action", "reportingController")}
    assert said == {"type": "Warning", "action": "Reconciling", "reportingController": "sandboxwarmpool-controller"}
    until(lambda: kube.members() and uid(stuck) not in uids(kube), what="the stuck member replaced")
    assert uids(kube, "full") == {uid(held)}
    running = {"phase": "Running", "podIP": "10.1.2.3", "podIPs": [{"ip": "10.1.2.3"}]}
    conditions = [{"type": t, "status": "True"} for t in ("PodScheduled", "Ready")]
    kube.patch("pod", name, {"status": {**running, "conditions": conditions}}, "--subresource=status")
    (event,) = until(lambda: pool_events(kube, "WarmPoolProgressing"), what="the Event of its end")
    assert (event["type"], event["note"]) == ("Normal", "Warm pool is progressing again")
    assert uids(kube, "full") == {uid(held)}
    assert len(pool_events(kube, "WarmPoolNotProgressing")) == 1
