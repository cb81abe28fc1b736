"""Volumes of a template: what a sandbox has written is there as long as its Sandbox, whoever claimed it and how."""

import pytest
from harness.names import K, annotations, labels, name_hash, uid
from harness.until import until

VOLUME = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
VOLUMES = [{"metadata": {"name": "data"}, "spec": VOLUME}, {"metadata": {"name": "cache"}, "spec": VOLUME}]


def old_claim(kube, name="c", template="t"):
    return kube.object("extensions.agents.x-k8s.io", "v1alpha1", "SandboxClaim", name, {"sandboxTemplateRef": {"name": template}})  # fmt: skip


def mounted(pod):
    """{volume: name of its claim}"""
    return {v["name"]: v["persistentVolumeClaim"]["claimName"] for v in pod["spec"].get("volumes", []) if "persistentVolumeClaim" in v}  # fmt: skip


def controller(thing):
    return next((o["kind"], o["name"], o["uid"]) for o in thing["metadata"]["ownerReferences"] if o.get("controller"))


@pytest.mark.parametrize("door", ["v1beta1", "v1alpha1"])
def test_a_warm_claim_keeps_its_volumes(kube, door):
    """The claims that the warm Pod has mounted are the Sandbox's own, kept over suspend and resume, and gone with the claim."""
    kube.apply(kube.template(volumeClaimTemplates=VOLUMES), kube.pool())
    kube.pool_has("p", 1)
    (member,) = kube.list("sandbox")
    warm = kube.get("pod", member["metadata"]["name"])
    uids = {v: uid(kube.get("pvc", claim)) for v, claim in mounted(warm).items()}
    assert set(uids) == {"data", "cache"}
    kube.apply(old_claim(kube) if door == "v1alpha1" else kube.claim())
    claim = kube.until_ready("sandboxclaim", "c")
    kube.patch("sandboxwarmpool", "p", {"spec": {"replicas": 0}})
    name = claim["status"]["sandbox"]["name"]
    assert name == ("c" if door == "v1alpha1" else member["metadata"]["name"])
    sandbox = kube.get("sandbox", name)
    assert labels(sandbox)[K + "launch-type"] == "warm"

    def check(pod):
        for volume, pvc_name in mounted(pod).items():
            pvc = kube.get("pvc", pvc_name)
            assert uid(pvc) == uids[volume] and controller(pvc) == ("Sandbox", name, uid(sandbox))
            assert (
                labels(pvc)[K + "sandbox-name-hash"] == name_hash(name) and "deletionTimestamp" not in pvc["metadata"]
            )

    until(
        lambda: [s["metadata"]["name"] for s in kube.list("sandbox")] == [name],
        timeout=60,
        what="the member's object gone",
    )
    check(kube.get("pod", annotations(sandbox).get(K + "pod-name", name)))
    kube.patch("sandbox", name, {"spec": {"operatingMode": "Suspended"}})
    kube.until_condition("sandbox", name, reason="SandboxSuspended")
    until(lambda: not kube.list("pod"), what="no Pod")
    kube.patch("sandbox", name, {"spec": {"operatingMode": "Running"}})
    kube.until_ready("sandbox", name)
    kube.until_ready("sandboxclaim", "c")
    (pod,) = kube.list("pod")
    assert set(mounted(pod)) == {"data", "cache"}
    check(pod)
    until(lambda: len(kube.list("pvc")) == 2, timeout=60, what="no other volumes")
    kube.delete("sandboxclaim", "c")
    until(lambda: not kube.list("pvc"), timeout=90, what="its volumes gone")


def test_a_moved_sandbox_is_known_while_it_is_suspended(stack, kube, door):
    """The state knows it by the member's name, and its Pod had that name only until it was made anew."""
    kube.full_pool()
    (member,) = (m["metadata"]["name"] for m in kube.members())
    kube.apply(old_claim(kube))
    kube.until_ready("sandboxclaim", "c")
    assert door.holds(member)
    kube.patch("sandbox", "c", {"spec": {"operatingMode": "Suspended"}})
    kube.until_condition("sandbox", "c", reason="SandboxSuspended")
    until(lambda: kube.get("pod", member) is None, what="no Pod")
    stack.restart("reconciler")  # compares what the state says with what is there
    stack.wait_ready("reconciler")
    kube.apply(kube.claim("later"))  # served by a reconciler that has compared, or soon will have
    kube.until_ready("sandboxclaim", "later")
    assert door.holds(member)
    kube.patch("sandbox", "c", {"spec": {"operatingMode": "Running"}})
    kube.until_ready("sandbox", "c")
    stack.restart("reconciler")
    stack.wait_ready("reconciler")
    kube.apply(kube.claim("last"))
    kube.until_ready("sandboxclaim", "last")
    assert door.holds(member) and kube.get("pod", "c")
    kube.delete("sandboxclaim", "c")
    until(lambda: door.ended(member), timeout=60, what="let go with its claim")


def test_the_template_changed_meanwhile(kube):
    """What the member was made with is what the Sandbox has."""
    kube.apply(kube.template(volumeClaimTemplates=VOLUMES), kube.pool())
    kube.pool_has("p", 1)
    kube.apply(kube.template())
    kube.apply(old_claim(kube))
    kube.until_ready("sandboxclaim", "c")
    sandbox = kube.get("sandbox", "c")
    assert labels(sandbox)[K + "launch-type"] == "warm"
    assert [v["metadata"]["name"] for v in sandbox["spec"]["volumeClaimTemplates"]] == ["data", "cache"]
