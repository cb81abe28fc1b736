"""SandboxClaims as the contract has them: controllers section 5, conditions of crds section 8.2, field by field.

Each test names its section. Pods run on the fake node; the annotation sandplane.test/fake-node in a template or in
additionalPodMetadata tells it what becomes of a Pod.
"""

import datetime
import json
import re

from harness.client import Client
from harness.kube import POD_SPEC
from harness.stubs import sandbox_pb2 as pb
from harness.until import until

K = "agents.x-k8s.io/"
EVICT = "cluster-autoscaler.kubernetes.io/safe-to-evict"
TRACE = "opentelemetry.io/trace-context"
NODE = "sandplane.test/fake-node"
NANO = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{1,9}Z")
READY = {"status": "True", "reason": "DependenciesReady", "message": "Pod is Ready"}


def name_hash(text):
    h = 2166136261
    for b in text.encode():
        h = (h ^ b) * 16777619 & 0xFFFFFFFF
    return f"{h:08x}"


def at(seconds):
    return (datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


def owner(kind, group, obj):
    return {
        "apiVersion": f"{group}/v1beta1", "kind": kind, "name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"],
        "controller": True, "blockOwnerDeletion": True,
    }  # fmt: skip


def labels(obj):
    return obj["metadata"].get("labels", {})


def annotations(obj):
    return obj["metadata"].get("annotations", {})


def events(kube, reason, name="c"):
    found = json.loads(kube.kubectl("get", "events.events.k8s.io", "-o", "json"))["items"]
    return [e for e in found if e["reason"] == reason and e["regarding"]["name"] == name]


def until_event(kube, reason, action, note, name="c"):
    def look():
        return [e for e in events(kube, reason, name) if e["action"] == action and e.get("note") == note]

    e = until(look, what=f"event {reason} {action}: {note}")[0]
    assert (e["type"], e["reportingController"], e["regarding"]["kind"]) == (
        "Normal",
        "sandboxclaim-controller",
        "SandboxClaim",
    )


def bound(kube, name="c"):
    """The claim once it is Ready, and its Sandbox."""
    claim = kube.until_ready("sandboxclaim", name)
    return claim, kube.get("sandbox", claim["status"]["sandbox"]["name"])


def rejected(kube, reason, message, name="c"):
    return kube.until_condition("sandboxclaim", name, status="False", reason=reason, message=message)


def with_env(**container):
    return {"containers": [{**POD_SPEC["containers"][0], **container}]}


def volume(name, size="1Gi"):
    return {
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }


def first_ready(kube, version, *objects):
    """The claim `c` as it is when a watcher first reads that it is Ready."""
    path = f"/apis/extensions.{K}{version}/namespaces/{kube.ns}/sandboxclaims"
    listed = json.loads(kube.api.call("GET", path)[1])["metadata"]["resourceVersion"]
    kube.apply(*objects)
    watch = f"{path}?watch=1&fieldSelector=metadata.name%3Dc&timeoutSeconds=60&resourceVersion={listed}"
    for line in kube.api.watch(watch):
        claim = json.loads(line)["object"]
        if any(c["type"] == "Ready" and c["status"] == "True" for c in claim.get("status", {}).get("conditions", [])):
            return claim
    raise AssertionError("the watch ended before the claim was Ready")


# ---- warm ----


def test_a_ready_claim_names_its_sandbox(kube):
    """controllers 5.4a: clients read the annotation right after Ready."""
    kube.full_pool(replicas=1)
    claim = first_ready(kube, "v1beta1", kube.claim())
    assert annotations(claim)[K + "sandbox-name"] == claim["status"]["sandbox"]["name"]
    assert NANO.fullmatch(annotations(claim)[K + "controller-first-observed-at"])


def test_a_ready_claim_names_its_cold_sandbox(kube):
    kube.apply(kube.template(), kube.pool(replicas=0))
    claim = first_ready(kube, "v1beta1", kube.claim())
    assert annotations(claim)[K + "sandbox-name"] == "c"


def test_a_ready_claim_of_the_first_release_names_its_sandbox(kube):
    kube.full_pool()
    old = kube.object("extensions." + K[:-1], "v1alpha1", "SandboxClaim", "c", {"sandboxTemplateRef": {"name": "t"}})
    claim = first_ready(kube, "v1alpha1", old)
    assert annotations(claim)[K + "sandbox-name"] == claim["status"]["sandbox"]["name"] == "c"


def test_warm_adoption(kube):
    """controllers 5.4, crds 8.2: the member keeps its name and its Pod, and changes its owner and labels."""
    metadata = {"labels": {"team": "a"}, "annotations": {"note": "b"}}
    kube.apply(kube.template(metadata=metadata), kube.pool())
    kube.pool_has("p", 1)
    (before,) = kube.list("sandbox")
    pod_before = kube.get("pod", before["metadata"]["name"])
    assert before["spec"]["podTemplate"]["metadata"]["annotations"][EVICT] == "true"
    kube.apply(kube.claim(labels={K + "created-by": "python-client"}, annotations={TRACE: '{"traceparent":"x"}'}))
    claim, sandbox = bound(kube)

    name = before["metadata"]["name"]
    assert re.fullmatch(r"p-[a-z0-9]{5}", name)
    assert sandbox["metadata"]["name"] == name and sandbox["metadata"]["uid"] == before["metadata"]["uid"]
    assert sandbox["metadata"]["ownerReferences"] == [owner("SandboxClaim", "extensions." + K[:-1], claim)]
    gone = ("warm-pool-sandbox", "sandbox-pod-template-hash", "sandbox-template-hash")
    assert all(K + k in labels(before) and K + k not in labels(sandbox) for k in gone)
    uid = claim["metadata"]["uid"]
    tracking = {
        K + "claim-uid": uid,
        K + "sandbox-template-ref-hash": name_hash("t"),
        K + "created-by": "python-client",
    }
    assert labels(sandbox) == {K + "launch-type": "warm", **tracking}
    assert annotations(sandbox)[K + "pod-name"] == name
    assert annotations(sandbox)[K + "sandbox-template-ref"] == "t"
    assert annotations(sandbox)[TRACE] == '{"traceparent":"x"}'
    assert sandbox["spec"]["podTemplate"]["metadata"] == {
        "labels": {"team": "a", **tracking},
        "annotations": {"note": "b"},
    }
    assert sandbox["spec"]["podTemplate"]["spec"] == before["spec"]["podTemplate"]["spec"]

    # crds 8.2: the Sandbox's Ready, with the claim's generation
    theirs = kube.condition("sandbox", name)
    (ready,) = claim["status"]["conditions"]
    assert ready == {
        **READY,
        "type": "Ready",
        "observedGeneration": claim["metadata"]["generation"],
        "lastTransitionTime": theirs["lastTransitionTime"],
    }
    assert claim["status"]["sandbox"] == {"name": name, "podIPs": sandbox["status"]["podIPs"]}

    def stamped():
        a = annotations(kube.get("sandboxclaim", "c"))
        return a if K + "claim-first-ready-at" in a else None

    stamps = until(stamped, what="stamps")
    assert stamps[K + "sandbox-name"] == name
    assert NANO.fullmatch(stamps[K + "controller-first-observed-at"]) and NANO.fullmatch(
        stamps[K + "claim-first-ready-at"]
    )
    assert stamps[K + "controller-first-observed-at"] < stamps[K + "claim-first-ready-at"]
    until_event(kube, "SandboxAdopted", "Adoption", f'Adopted warm pool Sandbox "{name}"')

    # controllers 3.4: the Pod is not started again, only its metadata follows
    def pod_follows():
        pod = kube.get("pod", name)
        return (
            pod
            if K + "warm-pool-sandbox" not in labels(pod) and labels(pod).get(K + "created-by") == "python-client"
            else None
        )

    pod = until(pod_follows, what="the Pod's labels")
    assert pod["metadata"]["uid"] == pod_before["metadata"]["uid"] and pod["spec"] == pod_before["spec"]
    assert (
        pod["metadata"]["ownerReferences"]
        == [owner("Sandbox", K[:-1], sandbox)]
        == pod_before["metadata"]["ownerReferences"]
    )
    assert labels(pod)[K + "sandbox-template-ref-hash"] == name_hash("t") and labels(pod)["team"] == "a"
    assert EVICT in annotations(pod_before)
    until(lambda: EVICT not in annotations(kube.get("pod", name)), what="safe-to-evict gone from the Pod")
    assert kube.get("service", name) is None
    kube.pool_has("p", 1)
    assert len(kube.list("sandbox")) == 2


def test_the_service_of_a_template(kube):
    """crds 8.2: Ready is the Sandbox's verbatim, with the half about the Service; evict as the template has it stays (5.4)."""
    kube.apply(kube.template(metadata={"annotations": {EVICT: "false"}}, service=True), kube.pool())
    kube.pool_has("p", 1)
    kube.apply(kube.claim())
    claim, sandbox = bound(kube)
    assert claim["status"]["conditions"][0]["message"] == "Pod is Ready; Service Exists"
    assert kube.get("service", sandbox["metadata"]["name"]) is not None
    assert sandbox["spec"]["podTemplate"]["metadata"]["annotations"] == {EVICT: "false"}
    assert K + "created-by" not in labels(sandbox)


def test_each_claim_has_its_own(kube):
    """controllers 5.4: no member goes to two claims; when the pool is empty the rest starts cold (5.2, 7)."""
    kube.full_pool(replicas=3)
    claims = [f"c{i}" for i in range(6)]
    kube.apply(*[kube.claim(c) for c in claims])
    for c in claims:
        kube.until_ready("sandboxclaim", c, timeout=60)
    found = {c["metadata"]["name"]: c["status"]["sandbox"]["name"] for c in kube.list("sandboxclaim")}
    assert len(set(found.values())) == 6
    owners = {s["metadata"]["name"]: s["metadata"]["ownerReferences"][0]["name"] for s in kube.list("sandbox")}
    assert all(owners[s] == c for c, s in found.items())
    assert sum(s.startswith("p-") for s in found.values()) >= 3


# ---- cold ----


def test_cold_start(kube):
    """controllers 5.2 "Cold Sandbox", 4 "Secure defaults", 7: the Sandbox has the claim's name."""
    metadata = {"labels": {"team": "a"}}
    kube.apply(
        kube.template(metadata=metadata), kube.pool(replicas=0), kube.claim(labels={K + "created-by": "go-client"})
    )
    claim, sandbox = bound(kube)
    uid = claim["metadata"]["uid"]
    assert sandbox["metadata"]["name"] == "c"
    assert sandbox["metadata"]["ownerReferences"] == [owner("SandboxClaim", "extensions." + K[:-1], claim)]
    tracking = {K + "claim-uid": uid, K + "sandbox-template-ref-hash": name_hash("t"), K + "created-by": "go-client"}
    assert labels(sandbox) == {K + "launch-type": "cold", **tracking}
    assert annotations(sandbox)[K + "sandbox-template-ref"] == "t"
    assert sandbox["spec"]["podTemplate"]["metadata"] == {"labels": {"team": "a", **tracking}}
    spec = sandbox["spec"]["podTemplate"]["spec"]
    assert spec["automountServiceAccountToken"] is False
    assert spec["dnsPolicy"] == "None" and spec["dnsConfig"] == {"nameservers": ["8.8.8.8", "1.1.1.1"]}
    assert "shutdownTime" not in sandbox["spec"] and sandbox["spec"]["operatingMode"] == "Running"
    assert claim["status"]["sandbox"]["name"] == "c"
    until_event(kube, "SandboxProvisioned", "Provisioning", 'Created Sandbox "c"')
    pod = kube.get("pod", "c")
    assert labels(pod)["team"] == "a" and K + "claim-uid" not in labels(pod)
    assert not events(kube, "SandboxAdopted")


# ---- what it needs is missing ----


def test_waits_for_pool_and_template(kube):
    """controllers 5 (triggers), crds 8.2: WarmPoolNotFound, TemplateNotFound; each wakes the claim when it comes."""
    kube.apply(kube.claim())
    claim = rejected(kube, "WarmPoolNotFound", 'SandboxWarmPool "p" not found')
    assert claim["status"].get("sandbox", {}) == {}
    kube.apply(kube.pool(replicas=0))
    rejected(kube, "TemplateNotFound", 'SandboxTemplate "t" not found')
    kube.apply(kube.template())
    bound(kube)


def test_name_taken(kube):
    """controllers 5.2, 3: a Sandbox of the claim's name that is not the claim's; the claim goes on when it is gone."""
    kube.full_pool()
    kube.apply(kube.sandbox("c"))
    kube.apply(kube.claim())
    text = 'Error seen: sandbox "c" is not controlled by claim "c". Please use a different claim name or delete the sandbox manually'
    rejected(kube, "ReconcilerError", text)
    kube.delete("sandbox", "c")
    bound(kube)


def test_a_young_claim_waits_for_a_member(stack, kube):
    """controllers 5.2, 6: while a member is on its way the claim waits up to 2 s, and its status is not touched."""
    kube.apply(kube.template(metadata={"annotations": {NODE: "ignore"}}), kube.pool())
    name = until(lambda: kube.list("pod"), what="the member's Pod")[0]["metadata"]["name"]
    mark = stack.cluster.audit_mark()
    kube.apply(kube.claim())
    ready = [
        {"type": t, "status": "True", "lastTransitionTime": at(0)} for t in ("PodScheduled", "ContainersReady", "Ready")
    ]
    status = {"phase": "Running", "podIP": "10.9.9.9", "podIPs": [{"ip": "10.9.9.9"}], "conditions": ready}
    kube.patch("pod", name, {"status": status}, "--subresource=status")
    claim, sandbox = bound(kube)
    assert sandbox["metadata"]["name"] == name and claim["status"]["sandbox"] == {"name": name, "podIPs": ["10.9.9.9"]}
    statuses = [
        w for w in stack.cluster.audit_writes(mark, namespace=kube.ns, resource="sandboxclaims", subresource="status")
    ]
    assert len(statuses) == 1, statuses


def test_a_member_that_runs_and_is_not_ready(kube):
    """controllers 5.4 "Pick": with none ready, the oldest that has an address is taken, and is Ready when it is."""
    kube.apply(kube.template(metadata={"annotations": {NODE: "ignore"}}), kube.pool())
    name = until(lambda: kube.list("pod"), what="the member's Pod")[0]["metadata"]["name"]
    status = {"phase": "Running", "podIP": "10.9.9.8", "podIPs": [{"ip": "10.9.9.8"}]}
    kube.patch("pod", name, {"status": status}, "--subresource=status")
    until(lambda: kube.get("sandbox", name)["status"].get("podIPs"), what="the member's address")
    kube.apply(kube.claim())
    claim = kube.until_condition(
        "sandboxclaim", "c", status="False", reason="DependenciesNotReady", message="Pod is Running but not Ready"
    )
    assert claim["status"]["sandbox"] == {"name": name, "podIPs": ["10.9.9.8"]}
    ready = [
        {"type": t, "status": "True", "lastTransitionTime": at(0)} for t in ("PodScheduled", "ContainersReady", "Ready")
    ]
    kube.patch("pod", name, {"status": {"conditions": ready}}, "--subresource=status")
    bound(kube)
    assert kube.get("sandbox", "c") is None


def test_an_older_claim_starts_cold(kube):
    """controllers 5.2, 6-7: a claim older than 2 s does not wait for the pool."""
    kube.apply(kube.template(metadata={"annotations": {NODE: "bind"}}), kube.pool())
    until(lambda: kube.list("pod"), what="the member's Pod")
    kube.apply(kube.claim())
    until(lambda: kube.get("sandbox", "c"), what="cold Sandbox")
    created = [kube.get(kind, "c")["metadata"]["creationTimestamp"] for kind in ("sandboxclaim", "sandbox")]
    seconds = [datetime.datetime.fromisoformat(t.replace("Z", "+00:00")).timestamp() for t in created]
    assert 1 <= seconds[1] - seconds[0] <= 5
    claim = kube.until_condition("sandboxclaim", "c", status="False", reason="DependenciesNotReady")
    assert claim["status"]["sandbox"]["name"] == "c"


# ---- environment ----

ENV = [{"name": "A", "value": "1"}]
REFUSED = "environment variable injection rejected: "


NOT_OVER = 'Error seen: environment variable override is not allowed by the template policy for variable "A"'
NOT_THERE = 'Error seen: target container "x" not found in template for environment variable "A"'
ENV_REFUSED = [  # policy, container of the template, env of the claim, reason, message
    ("Disallowed", {}, ENV, "EnvVarsInjectionRejected", REFUSED),
    (None, {}, ENV, "EnvVarsInjectionRejected", REFUSED),
    ("Allowed", {"envFrom": [{"configMapRef": {"name": "m"}}]}, ENV, "EnvVarsInjectionRejected", REFUSED),
    ("Allowed", {"env": [{"name": "A", "value": "0"}]}, ENV, "ReconcilerError", NOT_OVER),
    ("Overrides", {}, [{"name": "A", "value": "1", "containerName": "x"}], "ReconcilerError", NOT_THERE),
]


def test_env_refused(kube):
    """controllers 5.2 "env", crds 8.2: policies, and the words of the refusals."""
    objects = []
    for i, (policy, container, env, _, _) in enumerate(ENV_REFUSED):
        spec = {"envVarsInjectionPolicy": policy} if policy else {}
        objects.append(kube.template(f"t{i}", pod_spec=with_env(**container), **spec))
        objects += [kube.pool(f"p{i}", f"t{i}", 0), kube.claim(f"c{i}", f"p{i}", env=env)]
    kube.apply(*objects)
    for i, (_, _, _, reason, message) in enumerate(ENV_REFUSED):
        kube.until_condition("sandboxclaim", f"c{i}", status="False", reason=reason)
        said = kube.condition("sandboxclaim", f"c{i}")["message"]
        assert said == message or message == REFUSED and said.startswith(message)
    assert kube.list("sandbox") == []


def test_env(kube):
    """controllers 5.2, 4: env makes a claim cold though the pool is full, of Pods without a runtime; named containers first, Overrides
    in place."""
    two = {
        "initContainers": [{"name": "init", "image": "i"}],
        "containers": [
            {
                "name": "main",
                "image": "i",
                "env": [
                    {"name": "A", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
                    {"name": "B", "value": "0"},
                ],
            },
            {"name": "side", "image": "i"},
        ],
    }
    kube.full_pool()
    kube.apply(
        kube.template("t2", pod_spec=two, envVarsInjectionPolicy="Overrides"),
        kube.template("t3", envVarsInjectionPolicy="Allowed"),
    )
    kube.apply(kube.pool("p2", "t2", 1), kube.pool("p3", "t3", 0))
    kube.pool_has("p2", 1)
    env = [
        {"name": "A", "value": "1"}, {"name": "C", "value": "2"}, {"name": "D", "value": "3", "containerName": "side"},
        {"name": "E", "value": "4", "containerName": "init"}, {"name": "C", "value": "named", "containerName": "main"},
    ]  # fmt: skip
    kube.apply(kube.claim("c2", "p2", env=env), kube.claim("c3", "p3", env=ENV))
    _, sandbox = bound(kube, "c2")
    assert sandbox["metadata"]["name"] == "c2"
    spec = sandbox["spec"]["podTemplate"]["spec"]
    assert spec["containers"][0]["env"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "0"},
        {"name": "C", "value": "2"},
    ]
    assert spec["containers"][1]["env"] == [{"name": "D", "value": "3"}]
    assert spec["initContainers"][0]["env"] == [{"name": "E", "value": "4"}]
    _, sandbox = bound(kube, "c3")
    assert sandbox["spec"]["podTemplate"]["spec"]["containers"][0]["env"] == ENV


# ---- volumes ----


VOLUMES_REFUSED = [  # policy, names of the template's, of the claim's, message
    (None, [], ["a"], "volume claim templates are disallowed by the template"),
    ("Disallowed", ["a"], ["b"], "volume claim templates are disallowed by the template"),
    (
        "Allowed",
        ["a"],
        ["b", "a"],
        'overriding volume claim templates is forbidden by the template: cannot override template volume "a"',
    ),
    ("Allowed", [], ["a", ""], "invalid volume claim templates: name at index 1 is empty"),
    ("Overrides", [], ["a", "a"], 'invalid volume claim templates: duplicate name "a"'),
    (None, ["a", "a"], [], 'invalid volume claim templates: duplicate name "a"'),
]


def test_volumes_refused(kube):
    """controllers 5.2 "VCTs", crds 8.2: VolumeClaimTemplatesError and its words."""
    objects = []
    for i, (policy, theirs, ours, _) in enumerate(VOLUMES_REFUSED):
        spec = {"volumeClaimTemplatesPolicy": policy} if policy else {}
        spec.update({"volumeClaimTemplates": [volume(n) for n in theirs]} if theirs else {})
        wanted = {"volumeClaimTemplates": [volume(n) for n in ours]} if ours else {}
        objects += [
            kube.template(f"t{i}", **spec),
            kube.pool(f"p{i}", f"t{i}", 0),
            kube.claim(f"c{i}", f"p{i}", **wanted),
        ]
    kube.apply(*objects)
    for i, (_, _, _, message) in enumerate(VOLUMES_REFUSED):
        rejected(kube, "VolumeClaimTemplatesError", message, f"c{i}")
    assert kube.list("sandbox") == []


def test_volumes(kube):
    """controllers 5.2 "VCTs", 3.1: Allowed appends, Overrides replaces in place; cold though the pool is full."""
    kube.apply(
        kube.template("t", volumeClaimTemplatesPolicy="Allowed", volumeClaimTemplates=[volume("a")]),
        kube.template("t2", volumeClaimTemplatesPolicy="Overrides", volumeClaimTemplates=[volume("a"), volume("b")]),
        kube.pool("p", "t", 1), kube.pool("p2", "t2", 0),
    )  # fmt: skip
    kube.pool_has("p", 1)
    kube.apply(kube.claim("c", "p", volumeClaimTemplates=[volume("x", "2Gi")]))
    kube.apply(kube.claim("c2", "p2", volumeClaimTemplates=[volume("y"), volume("a", "3Gi")]))

    def sizes(sandbox):
        return [
            (v["metadata"]["name"], v["spec"]["resources"]["requests"]["storage"])
            for v in sandbox["spec"]["volumeClaimTemplates"]
        ]

    _, sandbox = bound(kube, "c")
    assert sandbox["metadata"]["name"] == "c" and sizes(sandbox) == [("a", "1Gi"), ("x", "2Gi")]
    _, sandbox = bound(kube, "c2")
    assert sizes(sandbox) == [("a", "3Gi"), ("b", "1Gi"), ("y", "1Gi")]
    assert {v["metadata"]["name"] for v in kube.list("pvc")} >= {"a-c", "x-c", "a-c2", "b-c2", "y-c2"}


# ---- additionalPodMetadata ----


METADATA_REFUSED = [
    ("labels", "app", "Sandbox-Router"),
    ("labels", "plain", "x"),
    ("labels", "example.com/x", "x"),
    ("labels", "notsandbox.users.io/x", "x"),
    ("labels", "sandbox.users.io/x", "not a value"),
    ("labels", "sandbox.users.io/a/b", "x"),
    ("annotations", "kubernetes.io/x", "x"),
    ("annotations", "a.k8s.io/x", "x"),
    ("annotations", "agents.x-k8s.io/x", "x"),
    ("annotations", "cluster-autoscaler.kubernetes.io/other", "x"),
    ("annotations", "-", "x"),
]


def test_metadata_refused(kube):
    """controllers 5.3, crds 8.2: InvalidMetadata for what a Pod may not be given; no Sandbox is taken for it."""
    claims = [
        kube.claim(f"c{i}", additionalPodMetadata={kind: {key: value}})
        for i, (kind, key, value) in enumerate(METADATA_REFUSED)
    ]
    kube.apply(kube.template(), kube.pool(replicas=0), *claims)
    for i, refused in enumerate(METADATA_REFUSED):
        kube.until_condition("sandboxclaim", f"c{i}", status="False", reason="InvalidMetadata")
        assert kube.condition("sandboxclaim", f"c{i}")["message"].startswith("invalid additionalPodMetadata: "), refused
    assert kube.list("sandbox") == []


def test_domains_that_the_installation_allows(stack, kube):
    """controllers 5.3: the key allowed-label-domains of the ConfigMap counts while the controller runs; a claim that was
    refused cost the pool nothing, and gets its sandbox as it stands."""
    kube.full_pool()
    (member,) = [s["metadata"]["name"] for s in kube.list("sandbox")]
    kube.apply(kube.claim(additionalPodMetadata={"labels": {"studio.example.com/role": "claimed"}}))
    kube.until_condition("sandboxclaim", "c", status="False", reason="InvalidMetadata")
    said = kube.condition("sandboxclaim", "c")["message"]
    assert (
        'label domain "studio.example.com" is not in the allowlist (configure the allowed-label-domains key of the '
        in said
    )
    assert "agent-sandbox-config ConfigMap in the controller namespace; default: sandbox.users.io)" in said
    assert [s["metadata"]["name"] for s in kube.list("sandbox")] == [member]
    stack.settings.mkdir()
    domains = stack.settings / "allowed-label-domains"
    try:
        domains.write_text("sandbox.users.io,Studio.Example.com\n")
        claim, sandbox = bound(kube)
        assert sandbox["metadata"]["name"] == member
        until(
            lambda: labels(kube.get("pod", member)).get("studio.example.com/role") == "claimed", what="label of the Pod"
        )
    finally:
        domains.unlink()
        stack.settings.rmdir()
    # one that is bound already is told, and keeps what it has
    claim = kube.until_condition("sandboxclaim", "c", status="False", reason="InvalidMetadata")
    assert claim["status"]["sandbox"]["name"] == member


def test_metadata(kube):
    """controllers 5.2, 5.3: what is allowed reaches the Pod, later edits too; the spec of the Sandbox stays."""
    kube.full_pool()
    allowed = {
        "labels": {"sandbox.users.io/a": "1", "x.sandbox.users.io/b": ""},
        "annotations": {"plain": "2", EVICT: "true", "example.com/c": "3"},
    }
    kube.apply(kube.claim(additionalPodMetadata=allowed))
    _, sandbox = bound(kube)
    name, generation = sandbox["metadata"]["name"], sandbox["metadata"]["generation"]
    assert name.startswith("p-")

    def pod_has(wanted_labels, wanted_annotations, without=()):
        def look():
            pod = kube.get("pod", name)
            both = {**labels(pod), **annotations(pod)}
            return (
                wanted_labels.items() <= labels(pod).items()
                and wanted_annotations.items() <= annotations(pod).items()
                and not set(without) & set(both)
            )

        until(look, what=f"the Pod's metadata {wanted_labels} {wanted_annotations} without {without}")

    pod_has(allowed["labels"], allowed["annotations"])
    edit = {
        "labels": {"sandbox.users.io/a": "9", "x.sandbox.users.io/b": None},
        "annotations": {"plain": None, "new": "4"},
    }
    kube.patch("sandboxclaim", "c", {"spec": {"additionalPodMetadata": edit}})
    pod_has({"sandbox.users.io/a": "9"}, {"new": "4", "example.com/c": "3"}, ["x.sandbox.users.io/b", "plain"])
    assert kube.get("sandbox", name)["metadata"]["generation"] == generation + 1
    # a bad edit of a claim that is bound: said, and nothing taken away
    kube.patch("sandboxclaim", "c", {"spec": {"additionalPodMetadata": {"labels": {"plain": "x"}}}})
    claim = kube.until_condition("sandboxclaim", "c", status="False", reason="InvalidMetadata")
    assert claim["status"]["sandbox"]["name"] == name
    kube.patch("sandboxclaim", "c", {"spec": {"additionalPodMetadata": None}})
    bound(kube)
    pod_has({}, {}, ["sandbox.users.io/a", "new", "example.com/c"])


def test_metadata_conflict(kube):
    """controllers 5.3: a key of the template with another value is a ReconcilerError; the same value is none."""
    kube.full_pool()
    kube.apply(kube.template(metadata={"labels": {"sandbox.users.io/a": "1"}}))
    kube.apply(kube.claim(additionalPodMetadata={"labels": {"sandbox.users.io/a": "2"}}))
    claim = kube.until_condition("sandboxclaim", "c", status="False", reason="ReconcilerError")
    assert claim["status"]["conditions"][0]["message"].startswith("Error seen: metadata override conflict: ")
    kube.patch("sandboxclaim", "c", {"spec": {"additionalPodMetadata": {"labels": {"sandbox.users.io/a": "1"}}}})
    bound(kube)


# ---- the end ----

EXPIRED = {"status": "False", "reason": "ClaimExpired", "message": "Claim expired. Sandbox cleanup initiated."}


def test_expiry_delete(kube):
    """controllers 5.1, 3: Delete: marked, an Event, and the claim goes with all it has."""
    kube.full_pool()
    kube.apply(kube.claim(lifecycle={"shutdownTime": at(4), "shutdownPolicy": "Delete"}))
    _, sandbox = bound(kube)
    kube.until_gone("sandboxclaim", "c")
    kube.until_gone("sandbox", sandbox["metadata"]["name"])
    kube.until_gone("pod", sandbox["metadata"]["name"])
    until_event(kube, "ClaimExpired", "Claim Expired", "Claim expired")
    until_event(kube, "ClaimExpired", "Deleting", "Deleting Claim (ShutdownPolicy=Delete)")


def test_expiry_delete_foreground(kube):
    """controllers 5.1, 3: DeleteForeground: the claim lingers until the Pod is gone."""
    kube.full_pool()
    kube.apply(kube.claim(lifecycle={"shutdownPolicy": "DeleteForeground"}))
    _, sandbox = bound(kube)
    name = sandbox["metadata"]["name"]
    kube.patch("pod", name, {"metadata": {"finalizers": ["sandplane.test/hold"]}})
    kube.patch("sandboxclaim", "c", {"spec": {"lifecycle": {"shutdownTime": at(-1)}}})
    until(lambda: "deletionTimestamp" in kube.get("pod", name)["metadata"], what="the Pod's deletion")
    claim = kube.get("sandboxclaim", "c")
    assert claim["metadata"]["finalizers"] == ["foregroundDeletion"] and "deletionTimestamp" in claim["metadata"]
    assert kube.get("sandbox", name) is not None
    assert {k: claim["status"]["conditions"][0][k] for k in EXPIRED} == EXPIRED
    kube.patch("pod", name, {"metadata": {"finalizers": None}})
    kube.until_gone("sandboxclaim", "c")
    until_event(kube, "ClaimExpired", "Deleting", "Deleting Claim (ShutdownPolicy=DeleteForeground)")


def test_expiry_retain(kube):
    """controllers 5.1, 3 and crds 5.1: Retain is the default: the Sandbox goes, the claim stays and says why."""
    kube.full_pool()
    kube.apply(kube.claim(lifecycle={"shutdownTime": at(4)}))
    claim, sandbox = bound(kube)
    assert claim["spec"]["lifecycle"]["shutdownPolicy"] == "Retain"
    kube.until_condition("sandboxclaim", "c", **EXPIRED)
    kube.until_gone("sandbox", sandbox["metadata"]["name"])
    until(lambda: kube.get("sandboxclaim", "c")["status"].get("sandbox", {}) == {}, what="the name is cleared")
    assert {k: kube.condition("sandboxclaim", "c")[k] for k in EXPIRED} == EXPIRED
    assert kube.get("sandbox", "c") is None
    # a later end brings it back to life
    kube.patch("sandboxclaim", "c", {"spec": {"lifecycle": {"shutdownTime": None}}})
    bound(kube)


def test_expiry_of_a_foreign_sandbox(kube):
    """controllers 5.1, 3, crds 8.2: what is not the claim's is not deleted, and that is said."""
    kube.apply(kube.sandbox("c"), kube.claim(lifecycle={"shutdownTime": at(-1)}))
    claim = kube.until_condition("sandboxclaim", "c", status="False", reason="ClaimExpired")

    def said():
        return re.fullmatch(r"Claim expired\. .+; deletion skipped\.", kube.condition("sandboxclaim", "c")["message"])

    until(said, what="the message")
    assert kube.get("sandbox", "c") is not None and claim["status"].get("sandbox", {}) == {}


def test_a_client_that_moves_the_shutdown_time(kube):
    """An old client keeps its sandbox by moving shutdownTime, stops it by the present, and wakes it by moving it again."""
    kube.full_pool()

    def moved(seconds, **more):
        return {"lifecycle": {"shutdownTime": at(seconds).replace("Z", ".123Z"), "shutdownPolicy": "Retain"}, **more}

    def move(seconds):
        patch = json.dumps({"spec": moved(seconds)})
        kube.kubectl("patch", "sandboxclaims.v1alpha1.extensions.agents.x-k8s.io", "c", "--type=merge", "-p", patch)

    spec = moved(3600, sandboxTemplateRef={"name": "t"})
    kube.apply(kube.object("extensions." + K[:-1], "v1alpha1", "SandboxClaim", "c", spec))
    _, first = bound(kube)
    move(7200)
    assert bound(kube)[1]["metadata"]["uid"] == first["metadata"]["uid"]
    move(0)
    rejected(kube, "ClaimExpired", "Claim expired. Sandbox cleanup initiated.")
    kube.until_gone("sandbox", "c")
    move(3600)
    _, second = bound(kube)
    assert second["metadata"]["uid"] != first["metadata"]["uid"]
    for seconds in (-3600, 3600, -3600, 3600):
        move(seconds)
    kube.until_condition(
        "sandboxclaim", "c", status="True", observedGeneration=kube.get("sandboxclaim", "c")["metadata"]["generation"]
    )
    assert len(kube.list("sandbox", f"{K}claim-uid")) == 1
    kube.patch("sandboxclaim", "c", {"spec": {"lifecycle": None}})
    bound(kube)


def test_ttl_after_finished(kube):
    """controllers 5.1, 3-4, crds 8.2: Finished is copied whole; after the ttl the claim has expired."""
    fail = {"annotations": {NODE: "fail"}}
    kube.apply(kube.template(), kube.pool(replicas=0))
    kube.apply(
        kube.claim(
            "now", lifecycle={"ttlSecondsAfterFinished": 0, "shutdownPolicy": "Delete"}, additionalPodMetadata=fail
        ),
        kube.claim("kept", lifecycle={"ttlSecondsAfterFinished": 2}, additionalPodMetadata=fail),
        kube.claim("never", additionalPodMetadata=fail),
    )
    kube.until_gone("sandboxclaim", "now")
    claim = kube.until_condition("sandboxclaim", "never", status="False", reason="PodFailed", message="Pod failed")
    finished = kube.condition("sandboxclaim", "never", "Finished")
    assert finished == kube.condition("sandbox", "never", "Finished")
    assert (finished["status"], finished["reason"], finished["message"]) == ("True", "PodFailed", "Pod failed")
    assert [c["type"] for c in claim["status"]["conditions"]] == ["Finished", "Ready"]
    kube.until_condition("sandboxclaim", "kept", **EXPIRED)
    kube.until_gone("sandbox", "kept")
    until(lambda: kube.get("sandboxclaim", "kept")["status"].get("sandbox", {}) == {}, what="the name is cleared")
    assert kube.condition("sandboxclaim", "kept", "Finished")["status"] == "True"
    assert kube.get("sandbox", "never") is not None


def test_the_sandbox_expires_by_itself(kube):
    """crds 8.2: SandboxExpired, when the Sandbox's own shutdownTime came."""
    kube.full_pool()
    kube.apply(kube.claim())
    _, sandbox = bound(kube)
    kube.patch("sandbox", sandbox["metadata"]["name"], {"spec": {"shutdownTime": at(-1)}})
    rejected(kube, "SandboxExpired", "Underlying Sandbox resource has expired independently of the Claim.")


def test_delete_the_claim(kube):
    """controllers 5.1, 1 (garbage collection does it), 6.3: Sandbox and Pod go, the shared state lets go, the pool is full."""
    kube.full_pool()
    kube.apply(kube.claim())
    _, sandbox = bound(kube)
    name, grpc = sandbox["metadata"]["name"], Client("127.0.0.1:7401")
    full_name = f"namespaces/{kube.ns}/sandboxes/{name}"
    until(lambda: grpc.get(full_name).state == pb.Sandbox.CLAIMED, what="the claim in the state")
    kube.delete("sandboxclaim", "c", wait=False)
    kube.until_gone("sandbox", name)
    kube.until_gone("pod", name)
    until(lambda: full_name not in {s.name for s in grpc.list(parent=f"namespaces/{kube.ns}")}, what="let go")
    kube.pool_has("p", 1)
    assert len(kube.list("sandbox")) == 1
    grpc.close()


def test_the_sandbox_is_deleted_by_hand(kube):
    """controllers 5.2, 1-5: the claim gets another Sandbox."""
    kube.full_pool()
    kube.apply(kube.claim())
    _, sandbox = bound(kube)
    first = sandbox["metadata"]["name"]
    kube.pool_has("p", 1)
    kube.delete("sandbox", first, wait=False)
    kube.until_gone("sandbox", first)
    until(
        lambda: kube.get("sandboxclaim", "c")["status"].get("sandbox", {}).get("name", first) != first,
        what="another Sandbox",
    )
    claim, sandbox = bound(kube)
    assert sandbox["metadata"]["ownerReferences"] == [owner("SandboxClaim", "extensions." + K[:-1], claim)]
    until(
        lambda: annotations(kube.get("sandboxclaim", "c"))[K + "sandbox-name"] == sandbox["metadata"]["name"],
        what="annotation",
    )


def test_legacy_keys(kube):
    """controllers 5.1, 1 and 5.2, 2: the label of the annotation's key is migrated; the legacy NetworkPolicy goes."""
    kube.full_pool()
    claim = kube.apply(kube.claim(labels={K + "sandbox-name": "not-there"}))
    policy = {
        "apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy", "spec": {"podSelector": {}},
        "metadata": {"name": "c-network-policy", "ownerReferences": [owner("SandboxClaim", "extensions." + K[:-1], claim)]},
    }  # fmt: skip
    kube.kubectl("create", "-f", "-", input=json.dumps(policy))
    _, sandbox = bound(kube)
    until(lambda: K + "sandbox-name" not in labels(kube.get("sandboxclaim", "c")), what="the label goes")
    assert annotations(kube.get("sandboxclaim", "c"))[K + "sandbox-name"] == sandbox["metadata"]["name"]
    kube.patch("sandboxclaim", "c", {"metadata": {"annotations": {"touch": "1"}}})
    kube.until_gone("networkpolicy", "c-network-policy")


# ---- metrics ----


def test_metrics(stack, kube):
    """controllers 8: names, types, labels, and that a warm and a cold claim are counted."""
    kube.full_pool()
    requested = datetime.datetime.now(datetime.UTC).isoformat().replace("+00:00", "Z")
    asked = {K + "client-first-requested-at": requested, K + "webhook-first-observed-at": requested}
    kube.apply(kube.claim("warm", labels={K + "created-by": "python-client"}, annotations=asked))
    bound(kube, "warm")
    kube.apply(kube.pool("empty", replicas=0), kube.claim("cold", pool="empty"))
    bound(kube, "cold")
    kube.pool_has("p", 1)

    def series(name, **wanted):
        """(value, labels) of those that have these labels."""
        found = []
        for key, value in stack.metrics("reconciler").items():
            metric, _, rest = key.partition("{")
            pairs = dict(re.findall(r'(\w+)="([^"]*)"', rest))
            if metric == name and wanted.items() <= pairs.items():
                found.append((value, pairs))
        return found

    here = {"namespace": kube.ns}
    until(lambda: len(series("agent_sandbox_claim_creation_total", **here)) == 2, what="claims are counted")
    warm = {
        "sandbox_template": "t",
        "launch_type": "warm",
        "warmpool_name": "p",
        "pod_condition": "ready",
        "created_by": "python-client",
    }
    cold = {"sandbox_template": "t", "launch_type": "cold", "warmpool_name": "empty", "created_by": "unknown"}
    assert series("agent_sandbox_claim_creation_total", **here, **warm) == [(1, {**here, **warm})]
    ((n, pairs),) = series("agent_sandbox_claim_creation_total", **here, **cold)
    assert n == 1 and pairs["pod_condition"] in ("ready", "not_ready")
    for name in ("claim_startup", "claim_controller_startup", "client_claim_startup"):
        name = f"agent_sandbox_{name}_latency_ms"
        bounds = [p["le"] for _, p in series(name + "_bucket", launch_type="warm", sandbox_template="t")]
        assert bounds == "100 250 500 750 1000 1250 1500 2000 2500 5000 10000 30000 60000 120000 240000 +Inf".split(), (
            name
        )
        assert series(name + "_count", launch_type="warm", sandbox_template="t")[0][0] >= 1
    name = "agent_sandbox_creation_latency_ms"
    assert {p["launch_type"] for _, p in series(name + "_count", **here)} == {"warm", "cold"}
    bounds = [p["le"] for _, p in series(name + "_bucket", **here, launch_type="cold", sandbox_template="t")]
    assert bounds == "50 100 250 500 1000 2500 5000 10000 30000 60000 120000 240000 300000 600000 +Inf".split()
    assert {p["operating_mode"] for _, p in series("agent_sandboxes", **here)} == {"Running"}
    for name in ("rest_client_request_duration_seconds", "rest_client_rate_limiter_duration_seconds"):
        found = series(name + "_count", verb="PATCH")
        assert [p["host"] for _, p in found] == ["127.0.0.1:6443"] and found[0][0] > 0, name
    gauge = {
        (p["owned_by"], p["launch_type"], p["ready_condition"], p["expired"], p["sandbox_template"]): v
        for v, p in series("agent_sandboxes", **here)
    }
    assert gauge == {
        ("SandboxClaim", "warm", "true", "false", "t"): 1, ("SandboxClaim", "cold", "true", "false", "t"): 1,
        ("SandboxWarmPool", "warm", "true", "false", "t"): 1,
    }  # fmt: skip
    assert {p["created_by"] for _, p in series("agent_sandboxes", **here)} >= {"python-client", "controller"}
    ((value, pairs),) = series("agent_sandbox_build_info")
    assert value == 1 and set(pairs) == {
        "git_version",
        "git_commit",
        "build_date",
        "go_version",
        "compiler",
        "platform",
    }
    kube.delete("sandboxclaim", "warm")
    until(lambda: len(series("agent_sandboxes", **here, owned_by="SandboxClaim")) == 1, what="the gauge follows")
