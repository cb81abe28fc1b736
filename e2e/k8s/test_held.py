"""A sandbox that somebody holds is never ended as if nobody did.

A claim made through gRPC is acknowledged before any object says so: its SandboxClaim is written half a second later, or never,
where an admission policy refuses it. Until then the Sandbox object is the pool's, and only the shared state knows who has it.
"""

import json

import pytest
from harness.door import mirrored
from harness.names import K, labels, name_hash, uid
from harness.stubs import sandbox_pb2 as pb
from harness.until import until


@pytest.fixture
def guarded(kube):
    """The namespace takes no SandboxClaim but those called c and a number."""
    name = f"claims-{kube.ns}"
    group = "admissionregistration.k8s.io/v1"
    rule = {"apiGroups": ["extensions.agents.x-k8s.io"], "apiVersions": ["*"], "operations": ["CREATE"], "resources": ["sandboxclaims"]}  # fmt: skip
    policy = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": {"name": name},
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {"resourceRules": [rule]},
            "validations": [{"expression": "object.metadata.name.matches('^c[0-9]+$')", "message": "guarded"}],
        },
    }
    where = {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": kube.ns}}}
    binding = {
        "apiVersion": group,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": name, "validationActions": ["Deny"], "matchResources": where},
    }
    kube.apply(policy, binding)

    other = json.dumps(kube.claim("other"))
    tried = lambda: kube.kubectl("create", "--dry-run=server", "-f", "-", input=other, check=False)
    until(lambda: "guarded" in tried().stderr, timeout=60, what="the policy at work")
    yield
    kube.kubectl("delete", "validatingadmissionpolicybinding,validatingadmissionpolicy", name)


def not_ready(kube, pod):
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "False"}]
    kube.patch("pod", pod, {"status": {"conditions": conditions}}, "--subresource=status")
    kube.until_condition("sandbox", pod, status="False")


def fail(kube, pod):
    kube.patch("pod", pod, {"status": {"phase": "Failed", "conditions": []}}, "--subresource=status")


def is_the_pools(sandbox):
    return any(o["kind"] == "SandboxWarmPool" for o in sandbox["metadata"].get("ownerReferences", []))


def until_stripped(kube, name):
    """The garbage collector was there and found that the pool is gone; it may have to learn of the kinds first."""
    until(lambda: not is_the_pools(kube.get("sandbox", name)), timeout=90, what="the pool's reference gone")


def others(kube, *held):
    return [s["metadata"]["name"] for s in kube.list("sandbox") if s["metadata"]["name"] not in held]


def test_a_failed_probe(kube, door, guarded, stack):
    """Its object is refused, its probe fails, its Pod ends: who has it has it. One that nobody has goes when its Pod ends."""
    kube.full_pool(replicas=2)
    name = door.claim()
    kube.pool_has("p", 2)
    mine = kube.get("sandbox", name)
    until(lambda: f'"sandbox":"{name}"' in "".join(_lines(stack, "claim_not_mirrored")), what="the refusal in the log")
    until(lambda: not is_the_pools(kube.get("sandbox", name)), what="the pool's no longer")
    # the template's NetworkPolicy selects by this label
    until(lambda: K + "warm-pool-sandbox" not in labels(kube.get("pod", name)), what="its Pod neither")
    assert labels(kube.get("pod", name))[K + "sandbox-template-ref-hash"] == name_hash("t")
    not_ready(kube, name)
    fail(kube, name)
    kube.until_condition("sandbox", name, status="False", reason="PodFailed")
    (free, *_) = others(kube, name)
    fail(kube, free)
    kube.until_gone("sandbox", free)
    until(lambda: len(others(kube, name)) == 2, what="another one in its place")
    kube.pool_has("p", 2)
    assert uid(kube.get("sandbox", name)) == uid(mine) and door.holds(name)
    door.delete(name)
    kube.until_gone("sandbox", name)


def _lines(stack, event):
    return [line for line in stack.log("reconciler").splitlines() if f'"{event}"' in line]


def test_a_pod_made_anew(kube, door, guarded, stack):
    """Its Pod is made anew, as after an eviction: it is where the Pod is now."""
    kube.full_pool()
    name = door.claim()
    old = kube.get("pod", name)
    kube.delete("pod", name, wait=False)
    new = until(
        lambda: (p := kube.get("pod", name)) and uid(p) != uid(old) and p["status"].get("podIP") and p, what="a new Pod"
    )
    key = f"sp:{{{kube.ns}}}/p:sb:{name}"
    until(lambda: stack.redis("HGET", key, "route").strip() == f"pod:{new['status']['podIP']}", what="its new address")
    assert door.holds(name)
    door.delete(name)
    kube.until_gone("sandbox", name)


def test_the_deletion_of_its_pool(kube, door, guarded):
    """Members that nobody has go with the pool, one that somebody has stays, though no object says so."""
    kube.full_pool(replicas=2)
    name = door.claim()
    kube.pool_has("p", 2)
    mine, pod = kube.get("sandbox", name), kube.get("pod", name)
    kube.delete("sandboxwarmpool", "p")
    until(lambda: others(kube, name) == [], timeout=90, what="the others gone")
    until_stripped(kube, name)
    assert uid(kube.get("sandbox", name)) == uid(mine) and uid(kube.get("pod", name)) == uid(pod)
    assert labels(kube.get("pod", name))[K + "sandbox-template-ref-hash"] == name_hash("t")
    assert door.holds(name)
    door.delete(name)
    kube.until_gone("sandbox", name)
    kube.until_gone("pod", name)


def test_the_deletion_of_its_pool_before_anything_is_written(kube, door, stack):
    """The same while there is no reconciler: nothing but what was written before can keep it. Its claim is shown afterwards."""
    kube.full_pool(replicas=2)
    stack.stop("reconciler")
    try:
        name = door.claim()
        mine, pod = kube.get("sandbox", name), kube.get("pod", name)
        kube.delete("sandboxwarmpool", "p")
        until_stripped(kube, name)
    finally:
        stack.start("reconciler")
        stack.wait_ready("reconciler")
    claim = mirrored(kube, name)
    assert claim["metadata"]["annotations"][K + "sandbox-name"] == name
    until(lambda: others(kube, name) == [], what="the others gone")
    assert uid(kube.get("sandbox", name)) == uid(mine) and uid(kube.get("pod", name)) == uid(pod)
    assert door.holds(name)


def test_a_member_that_never_came_up_goes_with_its_pool(kube):
    """The garbage collector leaves members to us; those that nobody could have go all the same."""
    kube.apply(kube.template(metadata={"annotations": {"sandplane.test/fake-node": "ignore"}}), kube.pool(replicas=2))
    until(lambda: len(kube.list("pod")) == 2, what="two that do not start")
    kube.delete("sandboxwarmpool", "p")
    until(lambda: not kube.list("sandbox") and not kube.list("pod"), what="nothing left")


def test_an_unready_member_is_kept_and_not_offered(kube, door, stack):
    """A probe that fails for a while makes no other Pod, and nobody is given that member; then it is as before."""
    kube.full_pool()
    (name,) = others(kube)
    mine = kube.get("sandbox", name)
    key = f"sp:{{{kube.ns}}}/p:sb:{name}"
    not_ready(kube, name)
    until(lambda: stack.redis("HGET", key, "state").strip() == str(pb.Sandbox.CREATING), what="taken back")
    assert others(kube) == [name]
    conditions = [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}]
    kube.patch("pod", name, {"status": {"conditions": conditions}}, "--subresource=status")
    kube.pool_has("p", 1)
    assert door.claim(max_wait=20) == name
    assert uid(kube.get("sandbox", name)) == uid(mine)
