"""Objects that cannot be: every field our definitions describe, in both versions, given a value of the wrong kind, must be
refused with the field's path; and what only a Pod's own rules refuse must be said in a condition."""

import copy
import json
import random

import pytest
from harness.kube import AGENTS, EXTENSIONS
from harness.until import until

# of these only the outermost level is ours; what is below is Kubernetes' own schema, tested by a sample
EMBEDDED = {"spec.podTemplate.spec", "spec.volumeClaimTemplates", "spec.networkPolicy"}
SAMPLE_OF_EMBEDDED = 12
SEED = 20261124

VALID = {
    "Sandbox": {"podTemplate": {"spec": {"containers": [{"name": "main", "image": "i"}]}}},
    "SandboxTemplate": {"podTemplate": {"spec": {"containers": [{"name": "main", "image": "i"}]}}},
    "SandboxWarmPool": {"replicas": 0, "sandboxTemplateRef": {"name": "t"}},
    "SandboxClaim": {"warmPoolRef": {"name": "nowhere"}},
}
VALID_OLD = {**VALID, "SandboxClaim": {"sandboxTemplateRef": {"name": "nowhere"}}}
KINDS = [
    (AGENTS, "Sandbox"),
    (EXTENSIONS, "SandboxTemplate"),
    (EXTENSIONS, "SandboxWarmPool"),
    (EXTENSIONS, "SandboxClaim"),
]


def fields(schema, path):
    """(path, schema) of every field below an object schema, lists as [0]."""
    for name, sub in schema.get("properties", {}).items():
        yield f"{path}.{name}", sub
        yield from fields(sub, f"{path}.{name}")
        if sub.get("type") == "array":
            yield f"{path}.{name}[0]", sub["items"]
            yield from fields(sub["items"], f"{path}.{name}[0]")


def wrong_values(schema):
    """(value, what is wrong) that no object of this schema may have."""
    kind = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        return [({"a": 1}, "an object")]
    wrong = {"string": 7, "integer": "seven", "boolean": "yes", "object": [1], "array": {"a": 1}, "number": "x"}
    found = [(wrong[kind], f"not a {kind}")]
    if "enum" in schema:
        found.append(("NoSuchValue", "not in the enum"))
    if "minimum" in schema:
        found.append((schema["minimum"] - 1, "below the minimum"))
    if "maximum" in schema:
        found.append((schema["maximum"] + 1, "above the maximum"))
    if schema.get("format") == "date-time":
        found.append(("yesterday", "not a time"))
    return found


def put(obj, path, value):
    """Sets a path such as a.b[0].c, making what is missing on the way."""
    at, parts = obj, path.replace("[0]", ".0").split(".")
    for part, following in zip(parts, parts[1:]):
        fresh = [] if following == "0" else {}
        if part == "0":
            if not at:
                at.append(fresh)
            at = at[0]
        else:
            if not isinstance(at.get(part), (dict, list)):
                at[part] = fresh
            at = at[part]
    if parts[-1] == "0":
        at[:] = [value]
    else:
        at[parts[-1]] = value


def is_embedded(path):
    return any(path.startswith((e + ".", e + "[")) for e in EMBEDDED)


@pytest.fixture(scope="module")
def schemas(stack):
    crds = json.loads((stack.bin / "api/crds/crds.json").read_text())["items"]
    return {
        (c["spec"]["names"]["kind"], v["name"]): v["schema"]["openAPIV3Schema"]
        for c in crds
        for v in c["spec"]["versions"]
    }


@pytest.mark.parametrize("version", ["v1beta1", "v1alpha1"])
@pytest.mark.parametrize("group,kind", KINDS)
def test_every_field_of_the_wrong_kind_is_refused(kube, schemas, group, kind, version):
    """crds.md 2-6: structural schemas; nothing is stored of an object that has one wrong field."""
    spec = schemas[kind, version]["properties"]["spec"]
    ours, theirs = [], []
    for path, schema in fields(spec, "spec"):
        (theirs if is_embedded(path) else ours).append((path, schema))
    chosen = ours + random.Random(SEED).sample(theirs, min(SAMPLE_OF_EMBEDDED, len(theirs)))
    assert len(ours) >= 3
    base = kube.object(group, version, kind, "bad", copy.deepcopy((VALID if version == "v1beta1" else VALID_OLD)[kind]))
    cases = [(path, value, what) for path, schema in chosen for value, what in wrong_values(schema)]
    objects = []
    for i, (path, value, _) in enumerate(cases):
        obj = copy.deepcopy(base)
        obj["metadata"]["name"] = f"bad-{i}"
        put(obj, path, value)
        objects.append(obj)
    run = kube.kubectl(
        "create",
        "--validate=false",
        "-f",
        "-",
        input=json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}),
        check=False,
    )
    assert run.returncode != 0
    accepted = [cases[i] for i in range(len(cases)) if f"/bad-{i} created" in run.stdout]
    assert not accepted, f"accepted: {accepted}"
    # each refusal names the field: its last part at least, and the API server gives the whole path
    for path, value, what in cases:
        last = path.rsplit(".", 1)[-1].replace("[0]", "")
        assert last in run.stderr, f"{path} = {value!r} ({what}) is not named"
    assert kube.list(f"{kind.lower()}.{version}.{group}") == []


def test_missing_required_fields_are_named(kube):
    """crds.md 3-6: required lists."""
    for group, kind, spec, field in [
        (AGENTS, "Sandbox", {}, "spec.podTemplate"),
        (AGENTS, "Sandbox", {"podTemplate": {}}, "spec.podTemplate.spec"),
        (AGENTS, "Sandbox", {"podTemplate": {"spec": {}}}, "spec.podTemplate.spec.containers"),
        (EXTENSIONS, "SandboxTemplate", {}, "spec.podTemplate"),
        (EXTENSIONS, "SandboxWarmPool", {"replicas": 1}, "spec.sandboxTemplateRef"),
        (EXTENSIONS, "SandboxWarmPool", {"sandboxTemplateRef": {}}, "spec.sandboxTemplateRef.name"),
        (EXTENSIONS, "SandboxClaim", {}, "spec.warmPoolRef"),
        (EXTENSIONS, "SandboxClaim", {"warmPoolRef": {"name": "p"}, "env": [{"name": "A"}]}, "spec.env[0].value"),
    ]:
        run = kube.kubectl(
            "create",
            "--validate=false",
            "-f",
            "-",
            input=json.dumps(kube.object(group, "v1beta1", kind, "bad", spec)),
            check=False,
        )
        assert run.returncode != 0 and f"{field}: Required value" in run.stderr, (kind, spec, run.stderr)


def test_a_pod_that_cannot_be_is_said_in_the_condition(kube):
    """crds.md 8.1 Ready row 2: the API server's own words about the Pod, for what the definitions do not check. It is not asked
    for again until the spec changes, whatever else happens to the Sandbox."""
    mark = kube.cluster.audit_mark()
    creates = lambda: [
        w
        for w in kube.cluster.audit_writes(mark, namespace=kube.ns, resource="pods", subresource="")
        if w.verb == "create"
    ]
    kube.apply(kube.sandbox(pod_spec={"containers": [{"name": "Not_A_Name", "image": "i"}]}))
    sandbox = kube.until_condition("sandbox", "s", status="False", reason="InvalidConfiguration")
    message = next(c["message"] for c in sandbox["status"]["conditions"] if c["type"] == "Ready")
    assert message.startswith('Pod "s" is invalid') and "spec.containers[0].name" in message and "Not_A_Name" in message
    (event,) = until(
        lambda: [e for e in kube.list("event") if e["reason"] == "SandboxPodCreateFailed"], what="the Event of it"
    )
    assert event["type"] == "Warning" and "Not_A_Name" in event["note"]
    # it comes back for this, and says so; the Pod is no part of it
    kube.patch("sandbox", "s", {"spec": {"shutdownPolicy": "Delete"}})
    kube.until_condition("sandbox", "s", observedGeneration=2)
    asked = len(creates())
    for i in range(3):
        kube.kubectl("annotate", "sandbox", "s", f"n={i}", "--overwrite")
    kube.patch("sandbox", "s", {"status": {"selector": None}}, "--subresource=status")
    kube.apply(kube.sandbox("other"))
    kube.until_ready("sandbox", "other")
    assert [w.code for w in creates() if w.code == 422] == [422] * 2 and len(creates()) == asked + 1
    kube.patch("sandbox", "s", {"spec": {"podTemplate": {"spec": {"containers": [{"name": "good", "image": "i"}]}}}})
    kube.until_ready("sandbox", "s")


def test_a_claim_says_that_its_pod_cannot_be(kube):
    """The clients give up at once with this reason, instead of waiting for three minutes."""
    kube.apply(kube.template(pod_spec={"containers": [{"name": "Not_A_Name", "image": "i"}]}), kube.pool(replicas=0))
    kube.apply(kube.claim())
    claim = kube.until_condition("sandboxclaim", "c", status="False", reason="InvalidConfiguration")
    assert "Not_A_Name" in kube.condition("sandboxclaim", "c")["message"] and claim["status"]["sandbox"]["name"] == "c"


def test_a_claim_whose_sandbox_cannot_be(kube):
    """Of a template with a Service, a claim may not have a longer name than a Service: its Sandbox is refused."""
    long = "c" * 64
    kube.apply(kube.template(service=True), kube.pool(replicas=0), kube.claim(long), kube.claim("short"))
    kube.until_condition("sandboxclaim", long, status="False", reason="InvalidConfiguration")
    assert "63 characters" in kube.condition("sandboxclaim", long)["message"]
    kube.until_ready("sandboxclaim", "short")
    assert kube.get("sandbox", long) is None


def test_a_pool_of_such_a_template_does_not_run_hot(kube, stack):
    """Members whose Pods are refused stay unready; the pool says so by its numbers and orders no crowd of them."""
    kube.apply(kube.template(pod_spec={"containers": [{"name": "Not_A_Name", "image": "i"}]}), kube.pool(replicas=2))
    members = lambda: kube.list("sandbox")
    until(lambda: len(members()) == 2, what="two members")
    until(
        lambda: all(
            (kube.condition("sandbox", m["metadata"]["name"]) or {}).get("reason") == "InvalidConfiguration"
            for m in members()
        ),
        what="both said why",
    )
    assert len(members()) == 2 and kube.get("sandboxwarmpool", "p")["status"].get("readyReplicas", 0) == 0
    # once the template is put right, they give way at once, whatever the strategy
    kube.apply(kube.template())
    kube.pool_has("p", 2)
