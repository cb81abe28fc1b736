"""Why a pool is not full stands where people look: on its object (condition, Events), in `sandctl pools get`, in the refusal of a
claim.
"""

import grpc
import pytest
from harness.client import Client
from harness.door import Door
from harness.names import FAKE_NODE, uid
from harness.until import until


@pytest.fixture(scope="module")
def claims():
    c = Client("127.0.0.1:7401")
    yield c
    c.close()


@pytest.fixture(scope="module")
def pools():
    c = Client("127.0.0.1:7402")
    yield c
    c.close()


def events(kube, reason, pool="p"):
    return [e for e in kube.list("event") if e["reason"] == reason and e["regarding"]["name"] == pool]


def in_state(pools, kube, pool="p"):
    p = pools.pool(f"namespaces/{kube.ns}/pools/{pool}")
    return p.reason, p.message


def refusal(claims, kube, pool="p"):
    with pytest.raises(grpc.RpcError) as e:
        Door(claims, kube.ns).claim(pool, max_wait=1)
    assert e.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    return e.value.details()


def test_a_quota(kube, claims, pools):
    """The cluster's own words, until there is room; then nothing is complained of."""
    quota = {"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "q", "namespace": kube.ns}}
    kube.apply({**quota, "spec": {"hard": {"pods": "0"}}})
    until(lambda: "hard" in kube.get("resourcequota", "q").get("status", {}), what="the quota counts")
    kube.apply(kube.template(), kube.pool(replicas=2))
    kube.until_condition("sandboxwarmpool", "p", status="False")
    said = lambda: kube.condition("sandboxwarmpool", "p")["message"]
    until(lambda: "exceeded quota: q" in said(), what="the API server's words on the pool")
    # there may be one before: pool and template come to the reconciler by watches of their own
    that = lambda: [e for e in events(kube, "WarmPoolNotFull") if "exceeded quota: q" in e["note"]]
    assert until(that, what="the Event")[0]["type"] == "Warning"
    assert "exceeded quota: q" in kube.kubectl("describe", "swp", "p")
    until(lambda: "exceeded quota: q" in in_state(pools, kube)[1], what="the reason in the state")
    assert "exceeded quota: q" in refusal(claims, kube)
    kube.apply({**quota, "spec": {"hard": {"pods": "9"}}})
    kube.pool_has("p", 2, timeout=90)
    kube.until_condition("sandboxwarmpool", "p", status="True", reason="Full")
    until(lambda: events(kube, "WarmPoolFull"), what="the Event of its end")
    until(lambda: in_state(pools, kube) == ("", ""), what="no reason in the state")


def test_what_the_pod_says(kube, pools):
    """An image that is not there, and no node that has room, as kubelet and scheduler say it."""
    ignored = {"annotations": {FAKE_NODE: "ignore"}}
    kube.apply(kube.template(metadata=ignored), kube.pool())
    (pod,) = until(lambda: kube.list("pod"), what="its Pod")
    name = pod["metadata"]["name"]
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    container = {
        "name": "main",
        "image": "x",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"waiting": waiting},
    }
    kube.patch("pod", name, {"status": {"containerStatuses": [container]}}, "--subresource=status")
    kube.until_condition("sandboxwarmpool", "p", reason="ImagePullBackOff")
    assert kube.condition("sandboxwarmpool", "p")["message"] == f"{name}: container main: no such image"
    until(lambda: in_state(pools, kube)[0] == "ImagePullBackOff", what="the reason in the state")
    no_room = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "0/1 nodes"}
    kube.patch("pod", name, {"status": {"conditions": [no_room]}}, "--subresource=status")
    kube.until_condition("sandboxwarmpool", "p", reason="Unschedulable", message=f"{name}: 0/1 nodes")


def test_a_template_that_is_put_right(kube):
    """By default members of an older template stay; those that cannot start go as soon as there is another."""
    kube.apply(kube.template(), kube.pool())
    kube.pool_has("p", 1)
    lost = {"spec": {"podTemplate": {"spec": {"containers": [{"name": "main"}]}}}}
    kube.patch("sandboxtemplate", "t", lost)
    kube.kubectl("scale", "swp", "p", "--replicas=3")
    said = lambda: kube.condition("sandboxwarmpool", "p")["message"]
    until(lambda: "containers[0].image" in said(), what="the API server's words on the pool")
    assert kube.get("sandboxwarmpool", "p")["status"]["readyReplicas"] == 1
    kube.apply(kube.template())
    kube.pool_has("p", 3, timeout=60)
    kube.until_condition("sandboxwarmpool", "p", status="True")


def test_a_probe_that_is_put_right(kube):
    """A member that has not been ready for a while is given up for the new template; one that is ready stays."""
    kube.apply(kube.template(), kube.pool())
    kube.pool_has("p", 1)
    (ready,) = kube.list("sandbox")
    bound = {"annotations": {FAKE_NODE: "bind"}}
    kube.apply(kube.template(metadata=bound))
    kube.kubectl("scale", "swp", "p", "--replicas=2")
    until(lambda: len(kube.list("pod")) == 2, what="a member of the second template")
    (unready,) = {uid(s) for s in kube.list("sandbox")} - {uid(ready)}
    kube.apply(kube.template(pod_spec={"containers": [{"name": "main", "image": "sandplane.test/python:2"}]}))
    # it is given half a minute, as one that merely takes its time
    kube.pool_has("p", 2, timeout=90)
    there = {uid(s) for s in kube.list("sandbox")}
    assert uid(ready) in there and unready not in there


def test_no_template(kube):
    kube.apply(kube.pool(template="none"))
    kube.until_condition("sandboxwarmpool", "p", status="False", reason="TemplateNotFound")
    assert kube.condition("sandboxwarmpool", "p")["message"] == 'SandboxTemplate "none" not found'
    kube.apply(kube.template("none"))
    kube.until_condition("sandboxwarmpool", "p", status="True", timeout=60)


def test_members_that_end_soon_after_they_were_ready(stack, kube, claims, pools):
    """They are made anew after a pause that grows, and the pool says why; one that somebody deletes does not count."""
    kube.full_pool(replicas=2)
    key = f"sp:{{{kube.ns}}}/p:pool"
    count = lambda field: stack.redis("HGET", key, field).strip()
    said = lambda: kube.condition("sandboxwarmpool", "p")["message"]
    first = kube.list("sandbox")
    kube.delete("sandbox", first[0]["metadata"]["name"])
    until(lambda: {uid(s) for s in kube.list("sandbox")} - {uid(s) for s in first}, what="another one")
    kube.pool_has("p", 2)
    assert (count("early"), count("failures")) == ("", "")
    for n in (2, 4):
        for s in kube.list("sandbox"):
            kube.patch("pod", s["metadata"]["name"], {"status": {"phase": "Succeeded", "conditions": []}}, "--subresource=status")  # fmt: skip
        until(lambda n=n: count("early") == str(n), what=f"{n} ended early")
        kube.until_condition("sandboxwarmpool", "p", status="False", reason="PodSucceeded")
        until(lambda: "end soon after they are ready" in said(), what="what is made of that")
        # those that come up do not make up for it
        kube.pool_has("p", 2, timeout=60)
    assert count("early") == "4"
    assert in_state(pools, kube)[0] == "PodSucceeded"
    until(lambda: events(kube, "WarmPoolNotFull"), what="the Event")


def test_a_condition_says_what_was_checked(kube, claims):
    """Of a Pod only its own readiness is known: it need not have our runtime."""
    kube.full_pool()
    door = Door(claims, kube.ns)
    (ready,) = [c for c in door.get(door.claim()).conditions if c.type == "Ready"]
    assert ready.message == "the Pod is ready"
