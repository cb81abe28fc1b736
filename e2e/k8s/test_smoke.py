"""The shortest way through everything: if this fails, look here first."""


def test_pool_claim_and_release(kube):
    kube.full_pool(replicas=2)
    kube.apply(kube.claim())
    claim = kube.until_ready("sandboxclaim", "c")
    name = claim["status"]["sandbox"]["name"]
    assert name.startswith("p-")
    sandbox = kube.get("sandbox", name)
    assert sandbox["metadata"]["ownerReferences"][0]["uid"] == claim["metadata"]["uid"]
    assert claim["status"]["sandbox"]["podIPs"] == sandbox["status"]["podIPs"]
    kube.pool_has("p", 2)  # replaced
    kube.delete("sandboxclaim", "c")
    kube.until_gone("sandbox", name)
    kube.until_gone("pod", name)


def test_sandbox_by_hand_gets_a_pod(kube):
    kube.apply(kube.sandbox())
    sandbox = kube.until_ready("sandbox", "s")
    assert sandbox["metadata"]["annotations"]["agents.x-k8s.io/pod-name"] == "s"
    assert kube.get("pod", "s")["metadata"]["ownerReferences"][0]["uid"] == sandbox["metadata"]["uid"]


def test_old_version_is_converted(kube):
    kube.apply(kube.sandbox("old", "v1alpha1", replicas=0))
    sandbox = kube.until_condition("sandbox", "old", reason="SandboxSuspended")
    assert sandbox["spec"]["operatingMode"] == "Suspended"
