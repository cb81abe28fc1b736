"""The custom resource definitions and the rights of the reconciler, as a real API server understands them.

No controller runs, so the objects' conversion is off: the server then keeps an object as it is and only changes its
version. The cluster is one of its own, because these tests change definitions that others use.
"""

import copy
import json
import pathlib
import shutil
import subprocess
import sys
import uuid

import pytest
import yaml
from harness.cluster import Cluster
from harness.until import until

ROOT = pathlib.Path(__file__).resolve().parents[2]
GROUP = "agents.x-k8s.io"
EXTENSIONS = "extensions." + GROUP
PLURALS = {f"sandboxes.{GROUP}"} | {f"sandbox{k}.{EXTENSIONS}" for k in ("claims", "templates", "warmpools")}
NEW, OLD = "v1beta1", "v1alpha1"
TEMPLATE_REF = {"sandboxTemplateRef": {"name": "t"}}
POOL_REF = {"warmPoolRef": {"name": "p"}}
ACCOUNT = "system:serviceaccount:agent-sandbox-system:agent-sandbox-controller"

pytestmark = pytest.mark.skipif(shutil.which("go") is None, reason="tools/cluster builds Kubernetes with Go")


@pytest.fixture(scope="module")
def generated(tmp_path_factory):
    """(crds.yaml, the definitions by name), by the generator that the build runs."""
    folder, source = tmp_path_factory.mktemp("crds"), ROOT / "api/crds"
    files = [source / "kubernetes.json", folder / "crds.yaml", folder / "crds.json"]
    subprocess.run([sys.executable, "-B", source / "crds.py", *files], check=True)
    return files[1], {c["metadata"]["name"]: c for c in json.loads(files[2].read_text())["items"]}


@pytest.fixture(scope="module")
def bare_cluster():
    c = Cluster("crds", control_plane_only=True)
    c.down()
    c.up()
    try:
        yield c
    finally:
        c.down()


@pytest.fixture(scope="module")
def cluster(bare_cluster, generated):
    bare_cluster.kubectl("apply", "-f", str(generated[0]))
    # kubectl wait fails at once on a definition that has no conditions yet
    wait = ["wait", "--for=condition=Established", "--timeout=30s", "crd", *PLURALS]
    until(lambda: bare_cluster.kubectl(*wait, check=False).returncode == 0, what="definitions established")
    for name in PLURALS:
        no_conversion = '{"spec":{"conversion":{"strategy":"None","webhook":null}}}'
        bare_cluster.kubectl("patch", "crd", name, "--type=merge", "-p", no_conversion)
    for version in ("v1beta1", "v1alpha1"):
        for group in (GROUP, EXTENSIONS):
            path = f"/apis/{group}/{version}"
            until(lambda path=path: bare_cluster.kubectl("get", "--raw", path), what="discovery")
    return bare_cluster


@pytest.fixture
def space(cluster):
    """A namespace per test, so that none sees the objects of another."""
    name = "crds-" + uuid.uuid4().hex[:8]
    cluster.kubectl("create", "namespace", name)
    yield name
    cluster.kubectl("delete", "namespace", name, "--wait=false")


def pod_template(**spec):
    return {"spec": {"containers": [{"name": "main", "image": "pause"}], **spec}}


def sandbox(version="v1beta1", name="s", **spec):
    return obj("Sandbox", version, name, podTemplate=pod_template(), **spec)


def obj(kind, version, name="o", **spec):
    group = GROUP if kind == "Sandbox" else EXTENSIONS
    return {"apiVersion": f"{group}/{version}", "kind": kind, "metadata": {"name": name}, "spec": spec}


def claim_template(name="work", size="1Gi"):
    return {
        "metadata": {"name": name},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": size}}},
    }


def send(cluster, space, thing, *args):
    """Creates and returns what the server made of it."""
    flags = ["--namespace", space, "--output", "json", *args]
    return json.loads(cluster.kubectl("create", *flags, "-f", "-", input=json.dumps(thing)))


def refused(cluster, *args, **kw):
    run = cluster.kubectl(*args, check=False, **kw)
    assert run.returncode != 0, run.stdout
    return run.stderr


# ---- the definitions ----


def test_the_types_of_kubernetes_are_those_of_its_release():
    sys.path.insert(0, str(ROOT / "api/crds"))
    import extract

    assert extract.extract(extract.folder())[0] == (ROOT / "api/crds/kubernetes.json").read_text()


def test_they_are_established(cluster):
    crds = cluster.get("crd")["items"]
    assert {c["metadata"]["name"] for c in crds} >= PLURALS
    for crd in crds:
        if crd["metadata"]["name"] not in PLURALS:
            continue
        # a NonStructuralSchema or a name in conflict would be a third condition, or a False
        got = {c["type"]: c["status"] for c in crd["status"]["conditions"]}
        assert got == {"Established": "True", "NamesAccepted": "True"}, crd["metadata"]["name"]
        assert crd["status"]["acceptedNames"] == crd["spec"]["names"]
        assert crd["status"]["storedVersions"] == ["v1beta1"]


def test_the_server_keeps_what_we_wrote(cluster, generated):
    """So the YAML that was applied says the same as the JSON, and the server dropped nothing of it."""
    for name, ours in generated[1].items():
        theirs = cluster.get("crd", name)
        assert theirs["spec"]["versions"] == ours["spec"]["versions"], name
        assert theirs["spec"]["names"] == ours["spec"]["names"], name


def test_conversion_is_accepted_and_gets_the_port(cluster, generated):
    for name, ours in generated[1].items():
        run = cluster.kubectl(
            "replace", "--dry-run=server", "-o", "json", "-f", "-", input=json.dumps(with_version(cluster, ours))
        )
        service = json.loads(run)["spec"]["conversion"]["webhook"]["clientConfig"]["service"]
        assert service == {**ours["spec"]["conversion"]["webhook"]["clientConfig"]["service"], "port": 443}, name


def with_version(cluster, crd):
    crd = copy.deepcopy(crd)
    crd["metadata"]["resourceVersion"] = cluster.get("crd", crd["metadata"]["name"])["metadata"]["resourceVersion"]
    return crd


def test_short_names_and_columns(cluster, space):
    send(cluster, space, obj("SandboxWarmPool", "v1beta1", sandboxTemplateRef={"name": "t"}))
    send(cluster, space, obj("SandboxClaim", "v1beta1", warmPoolRef={"name": "p"}))
    send(cluster, space, obj("SandboxTemplate", "v1beta1", podTemplate=pod_template()))
    send(cluster, space, sandbox())

    def header(name):
        return cluster.kubectl("get", name, "-n", space).splitlines()[0].split()

    assert header("swp") == ["NAME", "READY", "DESIRED", "AGE"]
    assert header("sandboxclaim") == ["NAME", "READY", "SANDBOX", "REASON", "AGE"]
    assert header("sandboxtemplate") == ["NAME", "AGE"]
    assert header("sandbox") == ["NAME", "READY", "REASON", "AGE"]
    assert header(f"sandboxes.v1alpha1.{GROUP}") == ["NAME", "AGE"]
    assert header(f"sandboxclaims.v1alpha1.{EXTENSIONS}") == ["NAME", "AGE"]
    assert header(f"sandboxwarmpools.v1alpha1.{EXTENSIONS}") == ["NAME", "READY", "DESIRED", "AGE"]


@pytest.mark.parametrize(
    "path, group, version, present, absent",
    [
        ("sandboxes.spec", GROUP, "v1beta1", "operatingMode", "replicas"),
        ("sandboxes.spec", GROUP, "v1alpha1", "replicas", "operatingMode"),
        ("sandboxes.status", GROUP, "v1beta1", "nodeName", "replicas"),
        ("sandboxclaims.spec", EXTENSIONS, "v1beta1", "warmPoolRef", "sandboxTemplateRef"),
        ("sandboxclaims.spec", EXTENSIONS, "v1alpha1", "sandboxTemplateRef", "warmPoolRef"),
        ("sandboxtemplates.spec", EXTENSIONS, "v1beta1", "volumeClaimTemplatesPolicy", "status"),
        ("sandboxwarmpools.status", EXTENSIONS, "v1beta1", "conditions", "conditionsObserved"),
    ],
)
def test_explain(cluster, path, group, version, present, absent):
    said = cluster.kubectl("explain", path, f"--api-version={group}/{version}")
    fields = [line.split()[0] for line in said.split("FIELDS:")[1].splitlines() if "\t<" in line]
    assert present in fields
    assert absent not in fields


def test_explain_reaches_into_a_pod(cluster):
    said = cluster.kubectl("explain", "sandboxes.spec.podTemplate.spec.containers.ports.protocol")
    assert "FIELD: protocol <string>" in said


@pytest.mark.parametrize(
    "kind, spec",
    [
        ("Sandbox", {"podTemplate": pod_template()}),
        ("SandboxClaim", {"sandboxTemplateRef": {"name": "t"}}),
        ("SandboxTemplate", {"podTemplate": pod_template()}),
        ("SandboxWarmPool", {"replicas": 1, "sandboxTemplateRef": {"name": "t"}}),
    ],
)
def test_the_old_version_warns(cluster, space, kind, spec):
    group = GROUP if kind == "Sandbox" else EXTENSIONS
    run = cluster.kubectl(
        "create", "-n", space, "-f", "-", input=json.dumps(obj(kind, "v1alpha1", **spec)), check=False
    )
    assert run.returncode == 0
    assert run.stderr.strip() == f"Warning: {group}/v1alpha1 {kind} is deprecated; use {group}/v1beta1 {kind} instead"


# ---- defaults ----

POLICIES = {"networkPolicyManagement": "Managed", "envVarsInjectionPolicy": "Disallowed"}


def test_defaults_of_a_sandbox(cluster, space):
    spec = send(cluster, space, sandbox())["spec"]
    assert spec == {"operatingMode": "Running", "shutdownPolicy": "Retain", "podTemplate": pod_template()}


def test_defaults_of_a_template(cluster, space):
    spec = send(cluster, space, obj("SandboxTemplate", "v1beta1", podTemplate=pod_template()))["spec"]
    assert spec == {"podTemplate": pod_template(), **POLICIES, "volumeClaimTemplatesPolicy": "Disallowed"}


def test_defaults_of_a_claim(cluster, space):
    spec = {"warmPoolRef": {"name": "p"}}
    assert send(cluster, space, obj("SandboxClaim", "v1beta1", **spec))["spec"] == spec
    spec["lifecycle"] = {}
    assert send(cluster, space, obj("SandboxClaim", "v1beta1", "life", **spec))["spec"]["lifecycle"] == {
        "shutdownPolicy": "Retain"
    }


def test_defaults_of_a_pool(cluster, space):
    spec = {"sandboxTemplateRef": {"name": "t"}}
    assert send(cluster, space, obj("SandboxWarmPool", "v1beta1", **spec))["spec"] == {**spec, "replicas": 1}
    spec |= {"replicas": 0, "updateStrategy": {}}
    got = send(cluster, space, obj("SandboxWarmPool", "v1beta1", "none", **spec))["spec"]
    assert got == {**spec, "updateStrategy": {"type": "OnReplenish"}}


def test_defaults_inside_a_pod(cluster, space):
    """The few that the schema has, and none of those that a Pod gets when it is made."""
    container = {
        "name": "main",
        "image": "pause",
        "ports": [{"containerPort": 80}],
        "env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"key": "k"}}}],
        "envFrom": [{"secretRef": {}}],
        "livenessProbe": {"grpc": {"port": 1}},
        "resources": {"requests": {"cpu": 1, "memory": "1Gi"}},
    }
    volumes = [{"name": "c", "configMap": {}}, {"name": "d", "azureDisk": {"diskName": "d", "diskURI": "u"}}]
    thing = sandbox()
    thing["spec"]["podTemplate"]["spec"] = {"containers": [container], "volumes": volumes, "imagePullSecrets": [{}]}
    want = copy.deepcopy(thing["spec"]["podTemplate"]["spec"])
    want["containers"][0]["ports"][0]["protocol"] = "TCP"
    want["containers"][0]["env"][0]["valueFrom"]["configMapKeyRef"]["name"] = ""
    want["containers"][0]["envFrom"][0]["secretRef"]["name"] = ""
    want["containers"][0]["livenessProbe"]["grpc"]["service"] = ""
    want["volumes"][0]["configMap"]["name"] = ""
    want["volumes"][1]["azureDisk"] |= {"fsType": "ext4", "readOnly": False}
    want["imagePullSecrets"] = [{"name": ""}]
    assert send(cluster, space, thing)["spec"]["podTemplate"]["spec"] == want


# ---- what is refused, and what is dropped ----


def pod(**container):
    return {"podTemplate": {"spec": {"containers": [{"name": "main", **container}]}}}


@pytest.mark.parametrize(
    "kind, version, spec, message",
    [
        ("Sandbox", NEW, {}, "spec.podTemplate: Required value"),
        ("Sandbox", NEW, {"podTemplate": {}}, "spec.podTemplate.spec: Required value"),
        ("Sandbox", NEW, {"podTemplate": {"spec": {}}}, "spec.podTemplate.spec.containers: Required value"),
        ("Sandbox", NEW, {**pod(), "operatingMode": "Asleep"}, 'spec.operatingMode: Unsupported value: "Asleep"'),
        ("Sandbox", NEW, {**pod(), "shutdownPolicy": "DeleteForeground"}, "spec.shutdownPolicy: Unsupported value"),
        ("Sandbox", NEW, {**pod(), "shutdownTime": "tomorrow"}, "spec.shutdownTime in body must be of type date-time"),
        ("Sandbox", NEW, {**pod(), "service": "yes"}, "spec.service"),
        ("Sandbox", NEW, {**pod(), "volumeClaimTemplates": [{}]}, "spec.volumeClaimTemplates[0].spec: Required value"),
        ("Sandbox", OLD, {**pod(), "replicas": 2}, "should be less than or equal to 1"),
        ("Sandbox", OLD, {**pod(), "replicas": -1}, "should be greater than or equal to 0"),
        (
            "Sandbox",
            NEW,
            pod(resources={"limits": {"cpu": "many"}}),
            "spec.podTemplate.spec.containers[0].resources.limits.cpu",
        ),
        (
            "Sandbox",
            NEW,
            pod(ports=[{"containerPort": 1}] * 2),
            "spec.podTemplate.spec.containers[0].ports[1]: Duplicate value",
        ),
        ("Sandbox", NEW, pod(env=[{"name": "A"}] * 2), "spec.podTemplate.spec.containers[0].env[1]: Duplicate value"),
        ("Sandbox", NEW, pod(ports=[{}]), "ports[0].containerPort: Required value"),
        (
            "Sandbox",
            NEW,
            {"podTemplate": pod_template(containers=[{"name": "a"}] * 2)},
            "containers[1]: Duplicate value",
        ),
        ("SandboxTemplate", NEW, {}, "spec.podTemplate: Required value"),
        (
            "SandboxTemplate",
            NEW,
            {**pod(), "networkPolicyManagement": "Off"},
            "spec.networkPolicyManagement: Unsupported value",
        ),
        (
            "SandboxTemplate",
            OLD,
            {**pod(), "envVarsInjectionPolicy": "Yes"},
            "spec.envVarsInjectionPolicy: Unsupported value",
        ),
        (
            "SandboxTemplate",
            NEW,
            {**pod(), "volumeClaimTemplatesPolicy": ""},
            "spec.volumeClaimTemplatesPolicy: Unsupported value",
        ),
        (
            *("SandboxTemplate", NEW, {**pod(), "networkPolicy": {"egress": [{"to": [{"ipBlock": {}}]}]}}),
            "spec.networkPolicy.egress[0].to[0].ipBlock.cidr: Required value",
        ),
        ("SandboxClaim", NEW, {}, "spec.warmPoolRef: Required value"),
        ("SandboxClaim", NEW, {"warmPoolRef": {}}, "spec.warmPoolRef.name: Required value"),
        ("SandboxClaim", OLD, {}, "spec.sandboxTemplateRef: Required value"),
        ("SandboxClaim", OLD, {"sandboxTemplateRef": {}}, "spec.sandboxTemplateRef.name: Required value"),
        (
            "SandboxClaim",
            NEW,
            {**POOL_REF, "lifecycle": {"ttlSecondsAfterFinished": -1}},
            "spec.lifecycle.ttlSecondsAfterFinished",
        ),
        (
            "SandboxClaim",
            NEW,
            {**POOL_REF, "lifecycle": {"shutdownPolicy": "Keep"}},
            "spec.lifecycle.shutdownPolicy: Unsupported value",
        ),
        ("SandboxClaim", NEW, {**POOL_REF, "env": [{"name": "A"}]}, "spec.env[0].value: Required value"),
        ("SandboxClaim", NEW, {**POOL_REF, "env": [{"value": "A"}]}, "spec.env[0].name: Required value"),
        ("SandboxWarmPool", OLD, TEMPLATE_REF, "spec.replicas: Required value"),
        ("SandboxWarmPool", NEW, {"replicas": 1}, "spec.sandboxTemplateRef: Required value"),
        ("SandboxWarmPool", NEW, {**TEMPLATE_REF, "replicas": -1}, "should be greater than or equal to 0"),
        (
            "SandboxWarmPool",
            NEW,
            {**TEMPLATE_REF, "updateStrategy": {"type": "Roll"}},
            "spec.updateStrategy.type: Unsupported value",
        ),
    ],
)
def test_refused(cluster, kind, version, spec, message):
    said = refused(cluster, "create", "-f", "-", input=json.dumps(obj(kind, version, **spec)))
    assert message in said
    assert f'The {kind} "o" is invalid' in said


@pytest.mark.parametrize("kind", ["Sandbox", "SandboxTemplate", "SandboxClaim", "SandboxWarmPool"])
@pytest.mark.parametrize("version", [NEW, OLD])
def test_no_spec_is_refused(cluster, kind, version):
    thing = obj(kind, version)
    del thing["spec"]
    assert "spec: Required value" in refused(cluster, "create", "-f", "-", input=json.dumps(thing))


def test_unknown_fields_are_dropped(cluster, space):
    thing = sandbox(surprise=1)
    thing["spec"]["podTemplate"]["metadata"] = {"name": "x", "labels": {"a": "b"}, "annotations": {"c": "d"}}
    thing["spec"]["podTemplate"]["spec"]["containers"][0]["surprise"] = {}
    spec = send(cluster, space, thing, "--validate=ignore")["spec"]
    assert "surprise" not in spec
    assert spec["podTemplate"]["metadata"] == {"labels": {"a": "b"}, "annotations": {"c": "d"}}
    assert spec["podTemplate"]["spec"]["containers"] == [{"name": "main", "image": "pause"}]


def test_server_side_apply(cluster, space):
    """Two writers of one map list each keep their own entry."""
    thing = sandbox()
    thing["spec"]["podTemplate"]["spec"]["containers"][0]["env"] = [{"name": "A", "value": "1"}]
    flags = ["apply", "--server-side", "-n", space, "-f", "-"]
    cluster.kubectl(*flags, "--field-manager=one", input=json.dumps(thing))
    other = sandbox()
    other["spec"]["podTemplate"]["spec"]["containers"] = [{"name": "main", "env": [{"name": "B", "value": "2"}]}]
    cluster.kubectl(*flags, "--field-manager=two", input=json.dumps(other))
    (container,) = cluster.get("sandbox", "s", "-n", space)["spec"]["podTemplate"]["spec"]["containers"]
    assert {e["name"]: e["value"] for e in container["env"]} == {"A": "1", "B": "2"}
    assert container["image"] == "pause"


# ---- the rules ----

IMMUTABLE = "volumeClaimTemplates is immutable"


@pytest.mark.parametrize(
    "before, after, allowed",
    [
        ([claim_template()], [claim_template(size="2Gi")], False),
        ([claim_template()], [claim_template(), claim_template("more")], False),
        ([claim_template()], None, False),
        ([claim_template()], [], False),
        ([], None, False),
        (None, [claim_template()], False),
        (None, [], False),
        ([claim_template()], [claim_template()], True),
        (None, None, True),
        ([], [], True),
    ],
)
def test_claim_templates_are_immutable(cluster, space, before, after, allowed):
    thing = sandbox()
    if before is not None:
        thing["spec"]["volumeClaimTemplates"] = before
    made = send(cluster, space, thing)
    made["spec"].pop("volumeClaimTemplates", None)
    made["spec"]["operatingMode"] = "Suspended"
    if after is not None:
        made["spec"]["volumeClaimTemplates"] = after
    run = cluster.kubectl("replace", "-n", space, "-f", "-", input=json.dumps(made), check=False)
    if allowed:
        assert run.returncode == 0, run.stderr
    else:
        assert run.returncode != 0
        assert IMMUTABLE in run.stderr
        assert 'The Sandbox "s" is invalid' in run.stderr


def test_the_old_version_does_not_know_the_rule(cluster, space):
    made = send(cluster, space, sandbox("v1alpha1"))
    made["spec"]["volumeClaimTemplates"] = [claim_template()]
    cluster.kubectl("replace", "-n", space, "-f", "-", input=json.dumps(made))


@pytest.mark.parametrize(
    "length, service, allowed", [(63, True, True), (64, True, False), (64, False, True), (64, None, True)]
)
def test_a_name_that_no_service_can_have(cluster, space, length, service, allowed):
    thing = sandbox(name="s" * length, **({} if service is None else {"service": service}))
    run = cluster.kubectl("create", "-n", space, "-f", "-", input=json.dumps(thing), check=False)
    assert (run.returncode == 0) == allowed, run.stderr
    assert allowed or "metadata.name must be no longer than 63 characters when spec.service is true" in run.stderr


def test_a_service_is_refused_for_a_name_that_is_too_long(cluster, space):
    send(cluster, space, sandbox(name="s" * 64))
    patch = ["patch", "sandbox", "s" * 64, "-n", space, "--type=merge", "-p"]
    assert cluster.kubectl(*patch, '{"spec":{"service":false}}')
    run = cluster.kubectl(*patch, '{"spec":{"service":true}}', check=False)
    assert run.returncode != 0 and "63 characters" in run.stderr


@pytest.mark.parametrize("seconds, allowed", [(30, True), (86400, True), (29, False), (0, False), ("60", False)])
def test_grace_period_of_a_pool(cluster, space, seconds, allowed):
    thing = obj("SandboxWarmPool", "v1beta1", "p", **TEMPLATE_REF, readinessGracePeriodSeconds=seconds)
    run = cluster.kubectl("create", "-n", space, "-f", "-", "--validate=false", input=json.dumps(thing), check=False)
    assert (run.returncode == 0) == allowed and (allowed or "readinessGracePeriodSeconds" in run.stderr), run.stderr


# ---- subresources ----


def test_scale(cluster, space):
    send(cluster, space, obj("SandboxWarmPool", "v1beta1", "p", **TEMPLATE_REF))
    cluster.kubectl("scale", "swp", "p", "-n", space, "--replicas=7")
    status = {"status": {"replicas": 3, "readyReplicas": 2, "selector": "a=b", "observedGeneration": 2}}
    cluster.kubectl("patch", "swp", "p", "-n", space, "--subresource=status", "--type=merge", "-p", json.dumps(status))
    for version in (NEW, OLD):
        path = f"/apis/{EXTENSIONS}/{version}/namespaces/{space}/sandboxwarmpools/p/scale"
        scale = json.loads(cluster.kubectl("get", "--raw", path))
        assert scale["spec"] == {"replicas": 7}
        assert scale["status"] == {"replicas": 3, "selector": "a=b"}
    row = cluster.kubectl("get", "swp", "p", "-n", space, "--no-headers").split()
    assert row[:3] == ["p", "2", "7"]


def condition(**over):
    fields = {
        "type": "Ready",
        "status": "True",
        "reason": "DependenciesReady",
        "message": "",
        "lastTransitionTime": "2026-01-02T03:04:05Z",
    }
    return {"status": {"conditions": [{**fields, **over}]}}


def test_status_of_a_claim(cluster, space):
    send(cluster, space, obj("SandboxClaim", "v1beta1", "c", **POOL_REF))
    patch = ["patch", "sandboxclaim", "c", "-n", space, "--type=merge", "-p"]
    bound = condition()
    bound["status"]["sandbox"] = {"name": "warm-1", "podIPs": ["10.0.0.1"]}
    cluster.kubectl(*patch, json.dumps(bound))
    assert "status" not in cluster.get("sandboxclaim", "c", "-n", space)
    cluster.kubectl(*patch, json.dumps(bound), "--subresource=status")
    assert cluster.get("sandboxclaim", "c", "-n", space)["status"] == bound["status"]
    row = cluster.kubectl("get", "sandboxclaim", "c", "-n", space, "--no-headers").split()
    assert row[:4] == ["c", "True", "warm-1", "DependenciesReady"]
    for over, message in [
        ({"status": "Yes"}, "conditions[0].status: Unsupported value"),
        ({"reason": ""}, "conditions[0].reason"),
        ({"reason": "not a word"}, "conditions[0].reason"),
        ({"type": "-"}, "conditions[0].type"),
        ({"message": "x" * 32769}, "conditions[0].message: Too long"),
        ({"observedGeneration": -1}, "conditions[0].observedGeneration"),
        ({"lastTransitionTime": None}, "conditions[0].lastTransitionTime: Required value"),
    ]:
        assert message in refused(cluster, *patch, json.dumps(condition(**over)), "--subresource=status")


def test_a_template_has_no_status(cluster, space):
    thing = obj("SandboxTemplate", "v1beta1", podTemplate=pod_template())
    thing["status"] = {"a": 1}
    assert "status" not in send(cluster, space, thing, "--validate=ignore")
    path = f"/apis/{EXTENSIONS}/v1beta1/namespaces/{space}/sandboxtemplates/o/status"
    assert "NotFound" in refused(cluster, "get", "--raw", path)


# ---- the old version, as if it were the stored one ----


class TestOldVersion:
    """Without conversion the server drops what the stored version does not know. So the old version is stored here."""

    @pytest.fixture(scope="class", autouse=True)
    def stored(self, cluster):
        self.store(cluster, old=True)
        yield
        self.store(cluster, old=False)

    @staticmethod
    def store(cluster, old):
        values = json.dumps(
            [
                {"op": "replace", "path": "/spec/versions/0/storage", "value": not old},
                {"op": "replace", "path": "/spec/versions/1/storage", "value": old},
            ]
        )
        for name in PLURALS:
            cluster.kubectl("patch", "crd", name, "--type=json", "-p", values)
        probe = json.dumps(obj("SandboxClaim", OLD, **TEMPLATE_REF)), json.dumps(sandbox(OLD))
        flags = ["create", "--dry-run=server", "-o", "json", "-f", "-"]
        specs = lambda: [json.loads(cluster.kubectl(*flags, input=p))["spec"] for p in probe]
        until(lambda: ["warmpool" in specs()[0], "replicas" in specs()[1]] == [old, old], what="the stored version")

    def test_sandbox(self, cluster, space):
        spec = send(cluster, space, sandbox(OLD))["spec"]
        assert spec == {"replicas": 1, "shutdownPolicy": "Retain", "podTemplate": pod_template()}

    def test_scale_of_a_sandbox(self, cluster, space):
        send(cluster, space, sandbox(OLD))
        path = f"/apis/{GROUP}/%s/namespaces/{space}/sandboxes/s/scale"
        cluster.kubectl("scale", f"sandboxes.v1alpha1.{GROUP}", "s", "-n", space, "--replicas=0")
        assert json.loads(cluster.kubectl("get", "--raw", path % OLD)).get("spec", {}) == {}
        assert "NotFound" in refused(cluster, "get", "--raw", path % NEW)
        assert "less than or equal to 1" in refused(
            cluster, "scale", f"sandboxes.v1alpha1.{GROUP}", "s", "-n", space, "--replicas=2"
        )

    def test_template(self, cluster, space):
        spec = send(cluster, space, obj("SandboxTemplate", OLD, podTemplate=pod_template()))["spec"]
        assert spec == {"podTemplate": pod_template(), **POLICIES}

    def test_claim(self, cluster, space):
        assert send(cluster, space, obj("SandboxClaim", OLD, **TEMPLATE_REF))["spec"] == {
            **TEMPLATE_REF,
            "warmpool": "default",
        }

    def test_pool(self, cluster, space):
        spec = {**TEMPLATE_REF, "replicas": 0, "updateStrategy": {}}
        got = send(cluster, space, obj("SandboxWarmPool", OLD, **spec))["spec"]
        assert got == {**spec, "updateStrategy": {"type": "OnReplenish"}}

    def test_objects_of_the_first_release(self, cluster, space):
        """They know fewer fields; only an empty status and the key status.sandbox.Name are not kept."""
        vct = [claim_template()]
        old = send(cluster, space, sandbox(OLD, volumeClaimTemplates=vct, shutdownTime="2030-01-01T00:00:00Z"))
        assert old["spec"]["volumeClaimTemplates"] == vct
        for thing in (
            obj("SandboxTemplate", OLD, podTemplate=pod_template()),
            obj("SandboxWarmPool", OLD, replicas=2, **TEMPLATE_REF),
            obj("SandboxClaim", OLD, **TEMPLATE_REF),
        ):
            got = send(cluster, space, thing)["spec"]
            assert {k: got[k] for k in thing["spec"]} == thing["spec"]
        status = {"status": {"replicas": 0, "serviceFQDN": "s.x.svc.cluster.local", "service": "s", "selector": "a=b"}}
        where = ["patch", f"sandboxes.v1alpha1.{GROUP}", "s", "-n", space]
        cluster.kubectl(*where, "--subresource=status", "--type=merge", "-p", json.dumps(status))
        assert cluster.get(f"sandboxes.v1alpha1.{GROUP}", "s", "-n", space)["status"] == status["status"]


# ---- manifests ----


def test_examples(cluster, space):
    for file in sorted((ROOT / "examples").glob("*.yaml")):
        docs = [
            d
            for d in yaml.safe_load_all(file.read_text())
            if d and d.get("apiVersion", "").partition("/")[0].endswith(GROUP)
        ]
        for doc in docs:
            doc["metadata"]["namespace"] = space
            cluster.kubectl("apply", "-f", "-", input=json.dumps(doc))
            where = [doc["kind"].lower(), doc["metadata"]["name"], "-n", space]
            first = cluster.get(*where)["metadata"]["generation"]
            cluster.kubectl("apply", "-f", "-", input=json.dumps(doc))
            assert cluster.get(*where)["metadata"]["generation"] == first


# (verb, resource, namespace or "" for all, name): what the code does, and what would be too much
MAY = [
    *((verb, "pods", "", None) for verb in "create delete get list patch watch".split()),
    *((verb, "services", "", None) for verb in "create delete get list patch update watch".split()),
    *((verb, "persistentvolumeclaims", "", None) for verb in "create delete get list patch watch".split()),
    ("get", "clusterroles", "", "agent-sandbox-controller"),
    *((verb, "sandboxes", "", None) for verb in "create delete get list patch watch".split()),
    *((verb, "sandboxclaims", "", None) for verb in "create delete get list patch watch".split()),
    *((verb, "sandboxtemplates", "", None) for verb in "get list patch watch".split()),
    *((verb, "sandboxwarmpools", "", None) for verb in "get list watch".split()),
    *((verb, "networkpolicies", "", None) for verb in "create delete get list patch update watch".split()),
    *(("patch", f"{kind}/status", "", None) for kind in ("sandboxes", "sandboxclaims", "sandboxwarmpools")),
    *(
        ("update", f"{kind}/finalizers", "", None)
        for kind in ("sandboxes", "sandboxclaims", "sandboxtemplates", "sandboxwarmpools")
    ),
    *((verb, "events.events.k8s.io", "", None) for verb in ("create", "patch")),
    *((verb, "crd", "", name) for verb in ("get", "patch") for name in PLURALS),
    ("create", "leases", "agent-sandbox-system", None),
    *(
        (verb, "leases", "agent-sandbox-system", "a3317529.agent-sandbox.x-k8s.io")
        for verb in ("get", "patch", "update")
    ),
    ("create", "secrets", "agent-sandbox-system", None),
    *((verb, "secrets", "agent-sandbox-system", "agent-sandbox-webhook-certs") for verb in ("get", "patch", "update")),
]
MAY_NOT = [
    ("get", "secrets", "default", "agent-sandbox-webhook-certs"),
    ("get", "secrets", "agent-sandbox-system", "other"),
    ("list", "secrets", "agent-sandbox-system", None),
    ("create", "secrets", "default", None),
    ("create", "leases", "default", None),
    ("update", "leases", "agent-sandbox-system", "other"),
    ("create", "pods/exec", "", None),
    ("get", "nodes", "", None),
    ("get", "crd", "", "other.example.com"),
    ("create", "crd", "", None),
    ("delete", "crd", "", f"sandboxes.{GROUP}"),
    ("deletecollection", "pods", "", None),
    ("update", "pods", "", None),
    ("delete", "sandboxtemplates", "", None),
    ("patch", "sandboxwarmpools", "", None),
    ("create", "sandboxwarmpools", "", None),
    ("impersonate", "users", "", None),
    ("get", "clusterroles", "", "other"),
    ("bind", "clusterroles", "", None),
]


def test_rights(cluster):
    cluster.kubectl("apply", "-f", str(ROOT / "deploy/manifests/rbac.yaml"))
    wrong = []
    for rule, want in [(r, "yes") for r in MAY] + [(r, "no") for r in MAY_NOT]:
        verb, resource, namespace, name = rule
        resource, _, subresource = resource.partition("/")
        flags = ["--as", ACCOUNT] + (["-n", namespace] if namespace else ["-A"])
        flags += [f"--subresource={subresource}"] if subresource else []
        got = cluster.kubectl("auth", "can-i", *flags, verb, resource + (f"/{name}" if name else ""), check=False)
        if got.stdout.strip() != want:
            wrong.append((rule, want, got.stdout, got.stderr))
    assert not wrong


def test_the_account_has_no_other_rights(cluster):
    """Every rule of ours grants only named verbs on named resources."""
    rules = [
        rule
        for doc in yaml.safe_load_all((ROOT / "deploy/manifests/rbac.yaml").read_text())
        for rule in doc.get("rules", [])
    ]
    assert len(rules) == 20
    for rule in rules:
        assert "*" not in rule["verbs"] + rule["resources"] + rule["apiGroups"]


def test_webhook_service(cluster, generated):
    cluster.kubectl("apply", "-f", str(ROOT / "deploy/manifests/rbac.yaml"))
    cluster.kubectl("apply", "-f", str(ROOT / "deploy/manifests/webhook-service.yaml"))
    for crd in generated[1].values():
        ref = crd["spec"]["conversion"]["webhook"]["clientConfig"]["service"]
        (port,) = cluster.get("service", ref["name"], "-n", ref["namespace"])["spec"]["ports"]
        assert (port["port"], port["targetPort"]) == (443, 9443)
