"""Sandboxes made by hand: their Pods, volume claims and Services, and what their status says of them.

Numbers are sections of the API's description: 3 the Sandbox controller, 7 Events, 8.1 conditions of a Sandbox.
"""

import datetime

import pytest
from harness.kube import POD_SPEC
from harness.names import FAKE_NODE, K, annotations, labels, name_hash, owner, uid
from harness.until import until

V1BETA1 = "agents.x-k8s.io/v1beta1"
HASH = name_hash("s")
VOLUME = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
IGNORED = {"annotations": {FAKE_NODE: "ignore"}}
BOUND = {"annotations": {FAKE_NODE: "bind"}}
OURS = "sandplane"  # in the User-Agent
READY_POD = {
    "phase": "Running",
    "podIP": "10.1.2.3",
    "podIPs": [{"ip": "10.1.2.3"}],
    "conditions": [{"type": "PodScheduled", "status": "True"}, {"type": "Ready", "status": "True"}],
}


def by_hand(kube, kind, name, spec=None, labels=None, owners=None, **rest):
    meta = {"name": name, "namespace": kube.ns, "labels": labels or {}, "ownerReferences": owners or []}
    thing = {"apiVersion": "v1", "kind": kind, "metadata": meta, **rest}
    return kube.apply({**thing, "spec": spec} if spec else thing)


@pytest.fixture
def stranger(kube):
    """References to an owner that is no Sandbox."""
    return owner(by_hand(kube, "ConfigMap", "other"), "v1", "ConfigMap")


def pod_status(kube, status, name="s"):
    kube.patch("pod", name, {"status": status}, "--subresource=status")


def refused_by(stranger, noun, name="s", sandbox="s"):
    owned = f"ConfigMap/other (UID: {stranger[0]['uid']})"
    return f'Error seen: {noun} "{name}" is owned by {owned}, not by sandbox "{sandbox}"'


def spec_patch(kube, **spec):
    kube.patch("sandbox", "s", {"spec": spec})


def until_error(kube, text, name="s"):
    kube.until_condition("sandbox", name, reason="ReconcilerError")
    said = kube.condition("sandbox", name)
    assert said["status"] == "False"
    assert text in said["message"]


def in_seconds(n):
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=n)
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


# ---- the Pod (3.4) ----


def test_pod(kube):
    """3.4 create, 3.7, 8.1: every field of the Pod, and the whole status once it runs."""
    meta = {
        "labels": {"app": "x", "b": "y", K + "mine": "1", "extensions." + K + "mine": "1", K + "claim-uid": "u"},
        "annotations": {"note": "n", K + "mine": "1", "opentelemetry.io/trace-context": "{}"},
    }
    mark = kube.cluster.audit_mark()
    kube.apply(kube.sandbox(metadata=meta, labels={K + "created-by": "go-client"}))
    s = kube.until_ready("sandbox", "s")
    pod = kube.get("pod", "s")
    assert labels(pod) == {"app": "x", "b": "y", K + "sandbox-name-hash": HASH, K + "created-by": "go-client"}
    assert annotations(pod) == {"note": "n", K + "propagated-labels": "app,b", K + "propagated-annotations": "note"}
    assert pod["metadata"]["ownerReferences"] == owner(s, V1BETA1, "Sandbox")
    assert "sandbox-controller" in [m["manager"] for m in pod["metadata"]["managedFields"]]
    assert pod["spec"]["containers"][0]["image"] == POD_SPEC["containers"][0]["image"]
    assert annotations(s)[K + "pod-name"] == "s"
    assert "finalizers" not in s["metadata"]
    times = {c["type"]: c.pop("lastTransitionTime") for c in s["status"]["conditions"]}
    assert list(times) and all(times.values())
    about = lambda type, status, reason, message: dict(
        type=type, status=status, reason=reason, message=message, observedGeneration=1
    )
    assert sorted(s["status"].pop("conditions"), key=lambda c: c["type"]) == [
        about("PodScheduled", "True", "PodScheduled", ""),
        about("Ready", "True", "DependenciesReady", "Pod is Ready"),
        about("Suspended", "False", "NotSuspended", "Sandbox is not suspended"),
    ]
    assert s["status"] == {
        "selector": f"{K}sandbox-name-hash={HASH}",
        "podIPs": [ip["ip"] for ip in pod["status"]["podIPs"]],
        "nodeName": pod["spec"]["nodeName"],
    }
    assert kube.get("service", "s") is None
    # the name of the Pod stands in the Sandbox before its status can say that it is ready
    writes = [
        (w.verb, w.resource, w.subresource)
        for w in kube.cluster.audit_writes(mark, namespace=kube.ns)
        if OURS in w.agent and w.resource != "events"
    ]
    assert writes[:2] == [("create", "pods", ""), ("patch", "sandboxes", "")], writes
    assert set(writes[2:]) == {("patch", "sandboxes", "status")}


def told(kube, name="s"):
    """[(type, reason, note)] of the Events about a Sandbox, in their order."""
    events = [e for e in kube.list("event") if e["regarding"]["name"] == name and e["regarding"]["kind"] == "Sandbox"]
    for e in events:
        assert (e["reportingController"], e["action"]) == ("sandbox-controller", "Reconciling")
    return [(e["type"], e["reason"], e["note"]) for e in sorted(events, key=lambda e: e["eventTime"])]


def until_told(kube, *wanted, name="s"):
    until(lambda: told(kube, name) == [*wanted], what=f"{wanted}; is {told(kube, name)}")


def test_events(kube):
    """v1.0.4: what became of a Sandbox, once for each turn it takes."""
    kube.apply(kube.sandbox())
    kube.until_ready("sandbox", "s")
    made, ready = ("Normal", "SandboxPodCreated", 'Created Pod "s"'), ("Normal", "SandboxReady", "Sandbox is ready")
    until_told(kube, made, ready)
    spec_patch(kube, operatingMode="Suspended")
    suspended = ("Normal", "SandboxSuspended", "Sandbox is suspended")
    until_told(kube, made, ready, suspended)
    spec_patch(kube, operatingMode="Running")
    until_told(kube, made, ready, suspended, made, ready)
    spec_patch(kube, shutdownTime=in_seconds(-5))
    until_told(kube, made, ready, suspended, made, ready, ("Normal", "SandboxExpired", "Sandbox has expired"))


def test_events_of_a_pod_that_ends(kube):
    kube.apply(kube.sandbox(metadata={"annotations": {FAKE_NODE: "fail"}}))
    until_told(kube, ("Normal", "SandboxPodCreated", 'Created Pod "s"'), ("Warning", "PodFailed", "Pod failed"))
    kube.apply(kube.sandbox("done", metadata=IGNORED))
    until(lambda: kube.get("pod", "done"), what="its Pod")
    pod_status(kube, {**READY_POD, "phase": "Succeeded"}, "done")
    until_told(
        kube,
        ("Normal", "SandboxPodCreated", 'Created Pod "done"'),
        ("Normal", "PodSucceeded", "Pod completed successfully"),
        name="done",
    )


def test_a_pod_that_terminates_is_not_ready(kube):
    """v1.0.11: whoever was told that it is ready learns at once that its Pod goes, not when it has gone."""
    kube.apply(kube.template(), kube.pool(replicas=0), kube.claim())
    kube.until_ready("sandboxclaim", "c")
    pod = kube.get("pod", "c")
    # somebody keeps it from going, as a long grace period would
    kube.patch("pod", "c", {"metadata": {"finalizers": ["sandplane.test/stay"]}})
    kube.delete("pod", "c", wait=False)
    going = {"status": "False", "reason": "DependenciesNotReady", "message": "Pod is terminating"}
    kube.until_condition("sandbox", "c", **going)
    kube.until_condition("sandboxclaim", "c", **going)
    assert uid(kube.get("pod", "c")) == uid(pod)
    kube.patch("pod", "c", {"metadata": {"finalizers": None}})
    kube.until_ready("sandboxclaim", "c")
    assert uid(kube.get("pod", "c")) != uid(pod)


def test_a_claim_says_what_keeps_its_pod_from_running(kube):
    """In kubelet's words; a member that nobody waits for leaves them to its pool."""
    kube.apply(kube.template(metadata=IGNORED), kube.pool(), kube.pool("empty", replicas=0), kube.claim(pool="empty"))
    until(lambda: len(kube.list("pod")) == 2, what="the Pods of the member and of the claim")
    (member,) = [p["metadata"]["name"] for p in kube.list("pod") if p["metadata"]["name"] != "c"]
    waiting = {"reason": "ErrImagePull", "message": "no such image"}
    main = {"name": "main", "image": "i", "imageID": "", "ready": False, "restartCount": 0}
    for pod in ("c", member):
        pod_status(kube, {"containerStatuses": [{**main, "state": {"waiting": waiting}}]}, pod)
    words = "Pod exists with phase: Pending (container main: ErrImagePull: no such image)"
    kube.until_condition("sandboxclaim", "c", status="False", reason="DependenciesNotReady", message=words)
    kube.until_condition("sandboxwarmpool", "p", reason="ErrImagePull")
    assert "ErrImagePull" not in (kube.condition("sandbox", member) or {}).get("message", "")


def test_readiness_step_by_step(kube):
    """8.1 Ready row 4 and 5, PodScheduled, Finished; 3.4: a terminal Pod is kept, a deleted one is made again."""
    kube.apply(kube.sandbox(metadata=IGNORED))

    def says(message, status="False", reason="DependenciesNotReady"):
        return kube.until_condition("sandbox", "s", status=status, reason=reason, message=message)

    def scheduled(**wanted):
        return kube.until_condition("sandbox", "s", "PodScheduled", **wanted)

    first = says("Pod exists with phase: Pending")
    scheduled(
        status="Unknown", reason="PodSchedulingUnknown", message="Pod has not reported a PodScheduled condition yet"
    )
    assert annotations(first)[K + "pod-name"] == "s"
    no_room = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": "no room"}
    pod_status(kube, {"conditions": [no_room]})
    scheduled(status="False", reason="Unschedulable", message="no room")
    says("Pod exists with phase: Pending (Unschedulable: no room)")
    pod_status(kube, {"conditions": [{"type": "PodScheduled", "status": "False"}]})
    scheduled(status="False", reason="PodSchedulingUnknown", message="")
    yes = {"type": "PodScheduled", "status": "True"}
    pod_status(kube, {"phase": "Running", "conditions": [yes]})
    says("Pod is Running but not Ready")
    scheduled(status="True", reason="PodScheduled", message="")
    ready = {"type": "Ready", "status": "True"}
    pod_status(kube, {"conditions": [yes, ready]})
    before = says("Pod is Ready but has no podIPs yet")
    assert "podIPs" not in before["status"]
    # reason and message moved, the status did not: no transition
    moved = [
        next(c for c in thing["status"]["conditions"] if c["type"] == "Ready")["lastTransitionTime"]
        for thing in (first, before)
    ]
    assert moved[0] == moved[1]
    pod_status(kube, READY_POD)
    assert says("Pod is Ready", "True", "DependenciesReady")["status"]["podIPs"] == ["10.1.2.3"]
    pod = kube.get("pod", "s")
    pod_status(kube, {"phase": "Succeeded"})
    says("Pod completed successfully", reason="PodSucceeded")
    kube.until_condition(
        "sandbox", "s", "Finished", status="True", reason="PodSucceeded", message="Pod completed successfully"
    )
    assert uid(kube.get("pod", "s")) == uid(pod)
    kube.delete("pod", "s")
    says("Pod exists with phase: Pending")
    assert uid(kube.get("pod", "s")) != uid(pod)
    assert kube.condition("sandbox", "s", "Finished") is None
    assert "podIPs" not in kube.get("sandbox", "s")["status"]


def test_pod_deleted_by_hand_is_made_again(kube):
    """3.4"""
    kube.apply(kube.sandbox())
    kube.until_ready("sandbox", "s")
    old = kube.get("pod", "s")
    kube.delete("pod", "s", wait=False)
    until(lambda: uid(kube.get("pod", "s") or old) != uid(old), what="another Pod")
    kube.until_ready("sandbox", "s")


def test_failed_pod_is_kept(kube):
    """3.4, 8.1 row 4; 3.6: an expired Sandbox keeps its condition Finished."""
    kube.apply(kube.sandbox(metadata={"annotations": {FAKE_NODE: "fail"}}))
    kube.until_condition("sandbox", "s", status="False", reason="PodFailed", message="Pod failed")
    kube.until_condition("sandbox", "s", "Finished", status="True", reason="PodFailed", message="Pod failed")
    pod = kube.get("pod", "s")
    spec_patch(kube, shutdownPolicy="Delete")
    until(lambda: kube.condition("sandbox", "s")["observedGeneration"] == 2, what="another pass")
    assert uid(kube.get("pod", "s")) == uid(pod)
    spec_patch(kube, shutdownPolicy="Retain", shutdownTime=in_seconds(-5))
    kube.until_condition("sandbox", "s", reason="SandboxExpired")
    kube.until_gone("pod", "s")
    assert kube.condition("sandbox", "s", "Finished")["reason"] == "PodFailed"


def test_refused_pod(kube):
    """8.1 Ready row 2 and PodScheduled when the Pod step failed; 3: the other steps run nonetheless."""
    kube.apply(kube.sandbox(pod_spec={"containers": [{"name": "main"}]}, service=True))
    kube.until_condition("sandbox", "s", status="False", reason="InvalidConfiguration")
    assert "image" in kube.condition("sandbox", "s")["message"]
    kube.until_condition("sandbox", "s", "PodScheduled", status="Unknown", reason="PodSchedulingUnknown", message="Pod state is unknown. Pod scheduling cannot be determined")  # fmt: skip
    assert kube.get("service", "s")
    assert kube.get("sandbox", "s")["status"]["service"] == "s"


def test_metadata_sync(kube):
    """3.4 metadata sync and created-by; the spec of a Pod is never updated."""
    meta = {"labels": {"app": "x", "b": "y"}, "annotations": {"note": "n"}}
    kube.apply(kube.sandbox(metadata=meta, labels={K + "created-by": "python-client"}))
    kube.until_ready("sandbox", "s")
    pod = kube.get("pod", "s")
    kube.kubectl("label", "pod", "s", "theirs=1")
    kube.kubectl("annotate", "pod", "s", "theirs=1")
    image = [{"name": "main", "image": "sandplane.test/other:1"}]
    spec_patch(
        kube,
        podTemplate={
            "metadata": {"labels": {"app": "z", "b": None, "c": "w"}, "annotations": {"note": None}},
            "spec": {"containers": image},
        },
    )
    kube.kubectl("label", "sandbox", "s", K + "created-by=somebody", "--overwrite")
    own = {K + "sandbox-name-hash": HASH, K + "created-by": "unknown"}
    until(lambda: labels(kube.get("pod", "s")) == {"app": "z", "c": "w", "theirs": "1", **own}, what="labels")
    after = kube.get("pod", "s")
    assert annotations(after) == {"theirs": "1", K + "propagated-labels": "app,c", K + "propagated-annotations": ""}
    assert uid(after) == uid(pod)
    assert after["spec"]["containers"] == pod["spec"]["containers"]
    # reserved keys that a list claims are taken off, what this controller needs is not
    kube.kubectl("label", "pod", "s", K + "claim-uid=u")
    kube.kubectl("annotate", "pod", "s", "--overwrite", f"{K}propagated-labels=app,{K}claim-uid,{K}sandbox-name-hash")
    spec_patch(kube, podTemplate={"metadata": {"labels": None}})
    kube.kubectl("label", "sandbox", "s", K + "created-by-")
    kept = {"c": "w", "theirs": "1", K + "sandbox-name-hash": HASH}
    until(
        lambda: labels(kube.get("pod", "s")) in (kept, {k: v for k, v in kept.items() if k != "c"}),
        what="scrubbed labels",
    )
    assert annotations(kube.get("pod", "s"))[K + "propagated-labels"] == ""


def test_pod_without_its_label_or_owner(kube):
    """3.2, 3.4: the Pod under the name is found without its label, and adopted again without its owner."""
    kube.apply(kube.sandbox())
    s = kube.until_ready("sandbox", "s")
    pod = kube.get("pod", "s")
    kube.kubectl("label", "pod", "s", K + "sandbox-name-hash-")
    until(lambda: labels(kube.get("pod", "s")).get(K + "sandbox-name-hash") == HASH, what="the label again")
    kube.patch("pod", "s", {"metadata": {"ownerReferences": None}})
    until(
        lambda: kube.get("pod", "s")["metadata"].get("ownerReferences") == owner(s, V1BETA1, "Sandbox"),
        what="the owner again",
    )
    assert uid(kube.get("pod", "s")) == uid(pod)


def test_adopted_pod(kube):
    """3.4: a Pod without an owner is adopted if it says that it may be; 3.2: under the name of the annotation."""
    by_hand(kube, "Pod", "s", POD_SPEC, {K + "adoptable": "true", "theirs": "1"})
    by_hand(kube, "Pod", "other", POD_SPEC, {K + "sandbox-name-hash": name_hash("named")})
    kube.apply(kube.sandbox(), kube.sandbox("named", annotations={K + "pod-name": "other"}))
    s = kube.until_ready("sandbox", "s")
    pod = kube.get("pod", "s")
    assert pod["metadata"]["ownerReferences"] == owner(s, V1BETA1, "Sandbox")
    assert labels(pod) == {K + "adoptable": "true", "theirs": "1", K + "sandbox-name-hash": HASH}
    named = kube.until_ready("sandbox", "named")
    assert kube.get("pod", "other")["metadata"]["ownerReferences"] == owner(named, V1BETA1, "Sandbox")
    assert annotations(named)[K + "pod-name"] == "other"
    assert kube.get("pod", "named") is None


def test_foreign_pod(kube, stranger):
    """3.4, 8.1 row 2: a Pod of somebody else is refused, and so is one that did not ask to be adopted."""
    by_hand(kube, "Pod", "s", POD_SPEC, owners=stranger)
    by_hand(kube, "Pod", "free", POD_SPEC)
    kube.apply(kube.sandbox(annotations={K + "pod-name": "s"}), kube.sandbox("free"))
    until_error(kube, refused_by(stranger, "pod"))
    until(lambda: K + "pod-name" not in annotations(kube.get("sandbox", "s")), what="no annotation")
    assert kube.get("pod", "s")["metadata"]["ownerReferences"] == stranger
    until_error(kube, K + "adoptable", "free")
    until_error(kube, K + "sandbox-name-hash", "free")
    assert "ownerReferences" not in kube.get("pod", "free")["metadata"]
    kube.kubectl("label", "pod", "free", K + "adoptable=true")
    kube.until_ready("sandbox", "free")


def test_tracked_pod_that_is_not_there(kube):
    """3.2: the annotation goes, and a Pod under the Sandbox's own name comes."""
    kube.apply(kube.sandbox(annotations={K + "pod-name": "nowhere"}))
    s = kube.until_ready("sandbox", "s")
    assert annotations(s)[K + "pod-name"] == "s"
    # another one that it owns takes the place of the tracked one
    kube.patch("sandbox", "s", {"metadata": {"annotations": {K + "pod-name": "elsewhere"}}})
    until(lambda: annotations(kube.get("sandbox", "s")).get(K + "pod-name") == "s", what="the name of the owned Pod")


def test_several_pods(kube):
    """3.2, 8.1 row 1, 7: it refuses to choose, says so in one Event, and leaves the Service alone."""
    kube.apply(kube.sandbox())
    s = kube.until_ready("sandbox", "s")
    by_hand(kube, "Pod", "second", POD_SPEC, {K + "sandbox-name-hash": HASH}, owner(s, V1BETA1, "Sandbox"))
    note = "multiple Pods (2) are controlled by this Sandbox; refusing to choose or create a Pod"
    kube.until_condition("sandbox", "s", status="False", reason="MultiplePods", message=note)
    spec_patch(kube, service=True)
    until(lambda: kube.condition("sandbox", "s")["observedGeneration"] == 2, what="another pass")
    assert kube.get("service", "s") is None
    about_several = lambda: [e for e in kube.list("event") if e["reason"] == "MultiplePods"]
    (event,) = until(about_several, what="the Event")
    assert {k: event[k] for k in ("type", "reason", "action", "note", "reportingController")} == {
        "type": "Warning",
        "reason": "MultiplePods",
        "action": "Reconciling",
        "note": note,
        "reportingController": "sandbox-controller",
    }
    about = {k: event["regarding"][k] for k in ("apiVersion", "kind", "namespace", "name", "uid")}
    assert about == {"apiVersion": V1BETA1, "kind": "Sandbox", "namespace": kube.ns, "name": "s", "uid": uid(s)}
    kube.delete("pod", "second", wait=False)
    kube.until_condition("sandbox", "s", status="True", message="Pod is Ready; Service Exists")
    assert len(about_several()) == 1


# ---- suspended (3.3) ----


def test_suspend_and_resume(kube):
    """3.3, 3.1, 8.1 Suspended and Ready row 3: Pod gone, volume claim, Service and selector kept, and back."""
    kube.apply(kube.sandbox(service=True, volumeClaimTemplates=[{"metadata": {"name": "data"}, "spec": VOLUME}]))
    running = kube.until_ready("sandbox", "s")
    volume, pod = kube.get("pvc", "data-s"), kube.get("pod", "s")
    kube.patch("pod", "s", {"metadata": {"finalizers": ["sandplane.test/hold"]}})
    spec_patch(kube, operatingMode="Suspended")
    kube.until_condition("sandbox", "s", status="False", reason="SandboxSuspended", message="Sandbox is suspending")
    going = kube.until_condition(
        "sandbox",
        "s",
        "Suspended",
        status="False",
        reason="PodTerminating",
        message="Pod is terminating. Sandbox is suspending",
    )
    since = [
        c["lastTransitionTime"]
        for thing in (running, going)
        for c in thing["status"]["conditions"]
        if c["type"] == "Suspended"
    ]
    assert since[0] == since[1]
    assert annotations(going)[K + "pod-name"] == "s"
    assert kube.get("pod", "s")["metadata"]["deletionTimestamp"]
    kube.patch("pod", "s", {"metadata": {"finalizers": None}})
    kube.until_condition(
        "sandbox",
        "s",
        "Suspended",
        status="True",
        reason="PodTerminated",
        message="Pod has been terminated. Sandbox is suspended",
    )
    s = kube.until_condition("sandbox", "s", status="False", reason="SandboxSuspended", message="Sandbox is suspended")
    assert K + "pod-name" not in annotations(s)
    assert kube.condition("sandbox", "s", "PodScheduled") is None
    kept = ("selector", "service", "serviceFQDN")
    assert {k: v for k, v in s["status"].items() if k != "conditions"} == {k: running["status"][k] for k in kept}
    assert kube.get("service", "s")
    assert kube.get("pod", "s") is None
    spec_patch(kube, operatingMode="Running")
    kube.until_ready("sandbox", "s")
    assert uid(kube.get("pvc", "data-s")) == uid(volume)
    assert uid(kube.get("pod", "s")) != uid(pod)
    kube.until_condition(
        "sandbox", "s", "Suspended", status="False", reason="NotSuspended", message="Sandbox is not suspended"
    )


def test_suspended_beside_a_foreign_pod(kube, stranger):
    """3.3, 8.1: a Pod that is not ours is left, whoever has it, and reported."""
    by_hand(kube, "Pod", "s", POD_SPEC, owners=stranger)
    by_hand(kube, "Pod", "free", POD_SPEC)
    kube.apply(*(kube.sandbox(n, operatingMode="Suspended", annotations={K + "pod-name": n}) for n in ("s", "free")))
    for name in ("s", "free"):
        kube.until_condition("sandbox", name, "Suspended", status="False", reason="PodNotOwned", message="Refused to delete pod because it is not owned by this sandbox")  # fmt: skip
        kube.until_condition(
            "sandbox", name, status="False", reason="SandboxSuspended", message="Sandbox is suspending"
        )
        assert "deletionTimestamp" not in kube.get("pod", name)["metadata"]
        assert K + "pod-name" not in annotations(kube.get("sandbox", name))


# ---- volume claims (3.1) ----


def test_volume_claims(kube):
    """3.1: the claims of the templates; 3.4: their volumes stand last, in place of others of their name."""
    templates = [
        {"metadata": {"name": "data", "labels": {"l": "1"}, "annotations": {"a": "1"}}, "spec": VOLUME},
        {"metadata": {"name": "more"}, "spec": VOLUME},
    ]
    spec = {**POD_SPEC, "volumes": [{"name": "data", "emptyDir": {}}, {"name": "tmp", "emptyDir": {}}]}
    kube.apply(kube.sandbox(pod_spec=spec, volumeClaimTemplates=templates))
    s = kube.until_ready("sandbox", "s")
    data, more = kube.get("pvc", "data-s"), kube.get("pvc", "more-s")
    assert labels(data) == {"l": "1", K + "sandbox-name-hash": HASH}
    assert annotations(data) == {"a": "1"}
    assert labels(more) == {K + "sandbox-name-hash": HASH}
    for claim in (data, more):
        assert claim["metadata"]["ownerReferences"] == owner(s, V1BETA1, "Sandbox")
        assert {k: claim["spec"][k] for k in VOLUME} == VOLUME
    volumes = [v for v in kube.get("pod", "s")["spec"]["volumes"] if not v["name"].startswith("kube-api-access")]
    assert volumes == [
        {"name": "tmp", "emptyDir": {}},
        {"name": "data", "persistentVolumeClaim": {"claimName": "data-s"}},
        {"name": "more", "persistentVolumeClaim": {"claimName": "more-s"}},
    ]


def test_volume_claims_of_others(kube, stranger):
    """3.1: adopted with either label, else refused, while the Pod is made nonetheless (3)."""
    by_hand(kube, "PersistentVolumeClaim", "data-s", VOLUME, {K + "adoptable": "true"})
    by_hand(kube, "PersistentVolumeClaim", "data-b", VOLUME, {K + "sandbox-name-hash": name_hash("b")})
    by_hand(kube, "PersistentVolumeClaim", "data-free", VOLUME)
    by_hand(kube, "PersistentVolumeClaim", "data-foreign", VOLUME, {K + "adoptable": "true"}, stranger)
    templates = [{"metadata": {"name": "data"}, "spec": VOLUME}]
    kube.apply(*(kube.sandbox(n, volumeClaimTemplates=templates) for n in ("s", "b", "free", "foreign")))
    for name in ("s", "b"):
        s = kube.until_ready("sandbox", name)
        assert kube.get("pvc", f"data-{name}")["metadata"]["ownerReferences"] == owner(s, V1BETA1, "Sandbox")
    until_error(kube, refused_by(stranger, "PVC", "data-foreign", "foreign"), "foreign")
    until_error(kube, 'PVC "data-free"', "free")
    assert kube.get("pod", "free") and kube.get("pod", "foreign")
    assert "ownerReferences" not in kube.get("pvc", "data-free")["metadata"]
    kube.kubectl("label", "pvc", "data-free", K + "adoptable=true")
    kube.until_ready("sandbox", "free")


# ---- the Service (3.5) ----

PORTS = {
    "initContainers": [
        {"name": "before", "image": "x", "ports": [{"containerPort": 6000}]},
        {
            "name": "beside",
            "image": "x",
            "restartPolicy": "Always",
            "ports": [{"containerPort": 7000, "name": "p-53-udp"}],
        },
    ],
    "containers": [
        {
            "name": "a",
            "image": "x",
            "ports": [{"containerPort": 8080, "name": "http"}, {"containerPort": 53, "protocol": "UDP"}],
        },
        {
            "name": "b",
            "image": "x",
            "ports": [
                {"containerPort": 8080, "name": "web"},
                {"containerPort": 9090, "name": "http"},
                {"containerPort": 53},
            ],
        },
    ],
}


def port(number, name, protocol="TCP"):
    return {"name": name, "protocol": protocol, "port": number, "targetPort": number}


def test_service(kube):
    """3.5 created: every field, the names of its ports; status.service and serviceFQDN; 8.1: `Service Exists`."""
    kube.apply(kube.sandbox(pod_spec=PORTS, service=True))
    s = kube.until_condition("sandbox", "s", status="True", message="Pod is Ready; Service Exists")
    service = kube.get("service", "s")
    assert labels(service) == {K + "sandbox-name-hash": HASH}
    assert service["spec"]["selector"] == {K + "sandbox-name-hash": HASH}
    assert service["spec"]["clusterIP"] == "None"
    assert service["metadata"]["ownerReferences"] == owner(s, V1BETA1, "Sandbox")
    assert service["spec"]["ports"] == [
        port(53, "p-53-tcp"),
        port(53, "p-53-udp-2", "UDP"),
        port(7000, "p-53-udp"),
        port(8080, "http"),
        port(9090, "p-9090-tcp"),
    ]
    assert s["status"]["service"] == "s"
    assert s["status"]["serviceFQDN"] == f"s.{kube.ns}.svc.cluster.local"


def test_owned_service(kube):
    """3.5 owned: true repairs all, unset leaves the ports, false deletes; a Service without ports."""
    bare = {"containers": [{"name": "main", "image": "x"}]}
    kube.apply(kube.sandbox(service=True), kube.sandbox("bare", pod_spec=bare, service=True))
    kube.until_condition("sandbox", "s", status="True", message="Pod is Ready; Service Exists")

    def spoil(*ports):
        meta = {"labels": {K + "sandbox-name-hash": "wrong"}}
        kube.patch(
            "service",
            "s",
            {"metadata": meta, "spec": {"selector": {"a": "b", K + "sandbox-name-hash": None}, "ports": list(ports)}},
        )

    def repaired():
        service = kube.get("service", "s")
        return (
            labels(service) == {K + "sandbox-name-hash": HASH}
            and service["spec"]["selector"] == {K + "sandbox-name-hash": HASH}
            and service
        )

    spoil(port(1, "one"))
    assert until(repaired, what="repaired")["spec"]["ports"] == [port(8888, "p-8888-tcp")]
    spec_patch(kube, service=None)
    until(lambda: kube.condition("sandbox", "s")["observedGeneration"] == 2, what="a pass with service unset")
    spoil(port(1, "one"))
    assert until(repaired, what="repaired but for its ports")["spec"]["ports"] == [port(1, "one")]
    kube.until_condition("sandbox", "s", status="True", message="Pod is Ready; Service Exists")
    kube.kubectl("label", "service", "s", K + "sandbox-name-hash-")
    until(repaired, what="labelled again")
    kube.until_condition("sandbox", "s", status="True", message="Pod is Ready; Service Exists")
    spec_patch(kube, service=False)
    kube.until_gone("service", "s")
    s = kube.until_condition("sandbox", "s", status="True", message="Pod is Ready")
    assert "service" not in s["status"] and "serviceFQDN" not in s["status"]
    kube.until_condition("sandbox", "bare", status="True", message="Pod is Ready; Service Exists")
    assert "ports" not in kube.get("service", "bare")["spec"]


HEADLESS = {"clusterIP": "None", "selector": {"a": "b"}}


@pytest.mark.parametrize(
    "label", [{K + "adoptable": "true"}, {K + "sandbox-name-hash": HASH}], ids=["adoptable", "hash"]
)
def test_adopted_service(kube, label):
    """3.5 unowned: taken with either label when it is wanted; ignored when it is not asked for."""
    by_hand(kube, "Service", "s", HEADLESS, label)
    kube.apply(kube.sandbox())
    s = kube.until_condition("sandbox", "s", status="True", message="Pod is Ready")
    assert "service" not in s["status"]
    assert kube.get("service", "s")["spec"]["selector"] == {"a": "b"}
    spec_patch(kube, service=True)
    kube.until_condition("sandbox", "s", status="True", message="Pod is Ready; Service Exists")
    service = kube.get("service", "s")
    assert service["metadata"]["ownerReferences"] == owner(s, V1BETA1, "Sandbox")
    assert labels(service) == {**label, K + "sandbox-name-hash": HASH}
    assert service["spec"]["selector"] == {K + "sandbox-name-hash": HASH}
    assert service["spec"]["ports"] == [port(8888, "p-8888-tcp")]


def test_services_that_are_refused(kube, stranger):
    """3.5: neither without a label, nor with a cluster IP, nor somebody else's; ignored when it is false."""
    by_hand(kube, "Service", "free", HEADLESS)
    by_hand(kube, "Service", "balanced", {"selector": {"a": "b"}, "ports": [{"port": 80}]}, {K + "adoptable": "true"})
    by_hand(kube, "Service", "foreign", HEADLESS, {K + "sandbox-name-hash": name_hash("foreign")}, stranger)
    by_hand(kube, "Service", "unset", HEADLESS, {K + "sandbox-name-hash": name_hash("unset")}, stranger)
    kube.apply(*(kube.sandbox(n, service=True) for n in ("free", "balanced", "foreign")), kube.sandbox("unset"))
    until_error(kube, 'Error seen: service "free"', "free")
    until_error(kube, 'Error seen: service "balanced"', "balanced")
    until_error(kube, refused_by(stranger, "service", "foreign", "foreign"), "foreign")
    until_error(kube, refused_by(stranger, "service", "unset", "unset"), "unset")
    for name in ("free", "balanced", "foreign", "unset"):
        kube.patch("sandbox", name, {"spec": {"service": False}})
    for name in ("free", "balanced", "foreign", "unset"):
        s = kube.until_condition("sandbox", name, status="True", message="Pod is Ready")
        assert "service" not in s["status"]
        assert kube.get("service", name)["spec"]["selector"] == {"a": "b"}


# ---- the end (3.6) ----


def test_expiry(kube):
    """3.6 Retain: Pod and Service go, claims stay, the status is its conditions; a later time revives it."""
    templates = [{"metadata": {"name": "data"}, "spec": VOLUME}]
    kube.apply(kube.sandbox(service=True, volumeClaimTemplates=templates))
    kube.until_ready("sandbox", "s")
    spec_patch(kube, shutdownTime=in_seconds(3))
    kube.until_condition("sandbox", "s", status="False", reason="SandboxExpired", message="Sandbox has expired")
    at = kube.get("sandbox", "s")["spec"]["shutdownTime"]
    assert in_seconds(0) >= at
    until(lambda: list(kube.get("sandbox", "s")["status"]) == ["conditions"], what="only conditions in the status")
    kube.until_gone("pod", "s")
    kube.until_gone("service", "s")
    assert "deletionTimestamp" not in kube.get("pvc", "data-s")["metadata"]
    said = {c["type"]: c["reason"] for c in kube.get("sandbox", "s")["status"]["conditions"]}
    assert said == {"Ready": "SandboxExpired", "Suspended": "NotSuspended"}
    spec_patch(kube, shutdownTime=in_seconds(3600))
    kube.until_condition("sandbox", "s", status="True", message="Pod is Ready; Service Exists")


def test_expiry_leaves_what_is_not_ours(kube, stranger):
    """3.6: never non-owned objects; one that was over before it began has no Pod."""
    by_hand(kube, "Pod", "s", POD_SPEC, owners=stranger)
    by_hand(kube, "Service", "s", HEADLESS, {K + "adoptable": "true"})
    kube.apply(
        kube.sandbox(shutdownTime=in_seconds(-60), service=True), kube.sandbox("t", shutdownTime=in_seconds(-60))
    )
    for name in ("s", "t"):
        kube.until_condition("sandbox", name, status="False", reason="SandboxExpired")
    assert "deletionTimestamp" not in kube.get("pod", "s")["metadata"]
    assert kube.get("service", "s")["spec"]["selector"] == {"a": "b"}
    assert kube.get("pod", "t") is None


def test_expiry_with_deletion(kube):
    """3.6 Delete: the Sandbox goes as well, and with it its volume claims (3.1)."""
    templates = [{"metadata": {"name": "data"}, "spec": VOLUME}]
    kube.apply(kube.sandbox(volumeClaimTemplates=templates, service=True))
    kube.until_ready("sandbox", "s")
    spec_patch(kube, shutdownPolicy="Delete", shutdownTime=in_seconds(-1))
    for kind, name in (("sandbox", "s"), ("pod", "s"), ("service", "s"), ("pvc", "data-s")):
        kube.until_gone(kind, name)


def test_deletion(kube):
    """3: garbage collection takes the Pod, the Service and the claims of a deleted Sandbox."""
    templates = [{"metadata": {"name": "data"}, "spec": VOLUME}]
    kube.apply(kube.sandbox(volumeClaimTemplates=templates, service=True))
    kube.until_ready("sandbox", "s")
    kube.delete("sandbox", "s")
    for kind, name in (("pod", "s"), ("service", "s"), ("pvc", "data-s")):
        kube.until_gone(kind, name)


def test_deleting_sandbox(kube):
    """3: while a Sandbox waits for somebody's finalizer, nothing is made for it any more."""
    kube.apply(kube.sandbox())
    kube.until_ready("sandbox", "s")
    kube.patch("sandbox", "s", {"metadata": {"finalizers": ["sandplane.test/hold"]}})
    kube.delete("sandbox", "s", wait=False)
    kube.delete("pod", "s")
    # a second Sandbox that comes after it tells that its passes are over
    kube.apply(kube.sandbox("later"))
    kube.until_ready("sandbox", "later")
    assert kube.get("pod", "s") is None
    kube.patch("sandbox", "s", {"metadata": {"finalizers": None}})
    kube.until_gone("sandbox", "s")


def test_no_needless_writes(kube):
    """3.7: a change that changes nothing of ours is answered by no write."""
    kube.apply(kube.sandbox(service=True))
    kube.until_ready("sandbox", "s")
    mark = kube.cluster.audit_mark()
    kube.kubectl("annotate", "sandbox", "s", "theirs=1")
    kube.kubectl("label", "pod", "s", "theirs=1")
    kube.kubectl("label", "service", "s", "theirs=1")
    # a second Sandbox that comes after it tells that its passes are over
    kube.apply(kube.sandbox("later"))
    kube.until_ready("sandbox", "later")
    writes = [w for w in kube.cluster.audit_writes(mark, namespace=kube.ns, name="s") if OURS in w.agent]
    assert writes == []
