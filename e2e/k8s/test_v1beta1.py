"""Definitions with v1beta1 alone and no webhook: what the reference project has from v1.0 on, and `crds.v1alpha1=false` of the chart.

Real Helm brings the definitions, over what is there and back; the reconciler runs as the chart starts it then. The
reference's own definitions are not at hand: those that stand for them have the same versions, conversion and owner.
"""

import json
import subprocess

import pytest
import yaml
from harness.cluster import ROOT
from harness.kube_stack import WEBHOOK_PORT
from harness.until import until

CHART = ROOT / "deploy/helm/sandplane"
GROUP, EXTENSIONS = "agents.x-k8s.io", "extensions.agents.x-k8s.io"
NAMES = [f"sandboxes.{GROUP}", *(f"sandbox{k}.{EXTENSIONS}" for k in ("claims", "templates", "warmpools"))]


@pytest.fixture(scope="module")
def definitions():
    """{True: with v1alpha1, False: without}, as the chart renders them."""
    out = {}
    for old in (True, False):
        command = [ROOT / "tools/helm", "template", "sandplane", CHART, "--show-only", "templates/crds.yaml", "--namespace=agent-sandbox-system",
                   f"--set=crds.v1alpha1={str(old).lower()}"]  # fmt: skip
        text = subprocess.run(list(map(str, command)), check=True, text=True, capture_output=True).stdout
        out[old] = [d for d in yaml.load_all(text, yaml.CSafeLoader) if d]
        assert sorted(d["metadata"]["name"] for d in out[old]) == sorted(NAMES)
    return out


@pytest.fixture
def release(cluster, ns):
    """Helm, with a release whose workloads nobody needs here: what counts is what it does to the definitions."""

    def call(verb, *args):
        command = [*cluster.netns, ROOT / "tools/helm", verb, "box", *args, "--namespace", ns]
        run = subprocess.run(list(map(str, command)), env=cluster.env, text=True, capture_output=True)
        assert run.returncode == 0, run.stderr
        return run.stdout

    yield lambda verb, old=None: call(
        verb,
        *([] if verb == "uninstall" else [CHART, "--set=rbac.create=false", f"--set=crds.v1alpha1={str(old).lower()}"]),
        *(["--take-ownership"] if verb == "install" else []),
    )
    subprocess.run(
        list(map(str, [*cluster.netns, ROOT / "tools/helm", "uninstall", "box", "--ignore-not-found", "--namespace", ns])),
        env=cluster.env, capture_output=True,
    )  # fmt: skip


@pytest.fixture
def webhook_off(stack):
    """The reconciler as the chart starts it without v1alpha1; afterwards all is as other tests have it."""
    stack.stop("reconciler")
    stack.start("reconciler", "--enable-webhook=false")
    stack.wait_ready("reconciler")
    yield
    # replaced and not applied: an apply leaves what another manager wrote, such as the Service beside the URL
    ours = json.loads((stack.bin / "api/crds/crds.json").read_text())["items"]
    for crd in ours:
        crd["spec"]["conversion"]["webhook"]["clientConfig"] = {"url": f"https://127.0.0.1:{WEBHOOK_PORT}/convert"}
    put(stack.cluster, ours)
    for name in NAMES:
        stack.cluster.kubectl("wait", "--for=condition=Established", "crd", name, "--timeout=60s")
    stack.stop("reconciler")
    stack.flags.pop("reconciler", None)
    stack.start("reconciler")
    stack.wait_ready("reconciler")
    stack.wait_webhook()


def served(cluster):
    """{name: (versions, strategy, stored versions)}"""
    out = {}
    for name in NAMES:
        crd = cluster.get("crd", name)
        out[name] = (
            [v["name"] for v in crd["spec"]["versions"] if v["served"]],
            crd["spec"]["conversion"]["strategy"],
            crd["status"]["storedVersions"],
        )
    return out


ALONE = {name: (["v1beta1"], "None", ["v1beta1"]) for name in NAMES}


def put(cluster, crds):
    """The definitions as a `kubectl replace` of the reference's leaves them: ours and no trace of Helm."""
    for crd in crds:
        there = cluster.get("crd", crd["metadata"]["name"])
        metadata = {"name": crd["metadata"]["name"], "resourceVersion": there["metadata"]["resourceVersion"]}
        cluster.kubectl("replace", "-f", "-", input=json.dumps({**crd, "metadata": metadata}))


def serves_v1alpha1(cluster):
    return cluster.kubectl("get", "--raw", f"/apis/{EXTENSIONS}/v1alpha1", check=False).returncode == 0


def until_served(cluster, old):
    until(lambda: serves_v1alpha1(cluster) == old, timeout=60, what=f"v1alpha1 served: {old}")


def users_objects(kube):
    """What nobody but their users may change: {(kind, name): (uid, spec)}."""
    kinds = ("sandboxtemplate", "sandboxwarmpool", "sandboxclaim", "sandbox")
    return {(k, o["metadata"]["name"]): (o["metadata"]["uid"], o["spec"]) for k in kinds for o in kube.list(k)}


def test_over_an_installed_reference_and_back(cluster, stack, kube, definitions, release, webhook_off):
    put(cluster, definitions[False])
    until_served(cluster, False)
    kube.full_pool(replicas=2)
    kube.apply(kube.claim("before"), kube.sandbox("by-hand"))
    kube.until_ready("sandboxclaim", "before")
    kube.until_ready("sandbox", "by-hand")
    kube.pool_has("p", 2)
    objects = users_objects(kube)

    release("install", old=False)
    assert served(cluster) == ALONE
    assert users_objects(kube) == objects
    kube.apply(kube.claim("during"))
    kube.until_ready("sandboxclaim", "during")
    assert not serves_v1alpha1(cluster)

    # and back: what is left behind is the users', and takes the reference's definitions again
    release("uninstall")
    assert served(cluster) == ALONE
    put(cluster, definitions[False])
    assert served(cluster) == ALONE
    uids = lambda found: {name: uid for name, (uid, _) in found.items()}
    assert uids(objects).items() <= uids(users_objects(kube)).items()
    kube.until_ready("sandboxclaim", "before")


def test_from_v1alpha1_and_back(cluster, stack, kube, definitions, release, webhook_off):
    """What was written in v1alpha1 stays readable where only v1beta1 is served, and comes back with it."""
    put(cluster, definitions[True])
    release("install", old=True)
    assert {v[0][0] for v in served(cluster).values()} == {"v1beta1"} and serves_v1alpha1(cluster)
    # written through the webhook, or as it stands in a cluster of before
    origin = {"apiVersion": f"{EXTENSIONS}/v1alpha1", "kind": "SandboxClaim", "metadata": {"name": "old", "namespace": kube.ns},
              "spec": {"sandboxTemplateRef": {"name": "t"}, "warmpool": "p"}}  # fmt: skip
    state = {"api.agents.x-k8s.io/v1alpha1-sandboxclaim-state": json.dumps(origin)}
    kube.apply(kube.template(), kube.pool(replicas=1), kube.claim("old", annotations=state))
    kube.until_ready("sandboxclaim", "old")

    release("upgrade", old=False)
    assert served(cluster) == ALONE
    until_served(cluster, False)
    claim = kube.get("sandboxclaim", "old")
    assert claim["status"]["sandbox"]["name"] == "old" and claim["spec"]["warmPoolRef"] == {"name": "p"}
    kube.apply(kube.claim("new"))
    kube.until_ready("sandboxclaim", "new")

    release("upgrade", old=True)
    until_served(cluster, True)
    assert {tuple(v[0]) for v in served(cluster).values()} == {("v1beta1", "v1alpha1")}
    assert {v[1] for v in served(cluster).values()} == {"Webhook"}
    release("uninstall")


def test_doctor_says_which_form_is_needed(cluster, stack, kube, definitions, webhook_off):
    def finding(check):
        command = [stack.bin / "cli/sandctl", "doctor", "--kubeconfig", cluster.kubeconfig, "-o", "json"]
        run = subprocess.run([*cluster.netns, *map(str, command)], timeout=120, text=True, capture_output=True)
        return [f for f in json.loads(run.stdout) if f["check"] == check]

    put(cluster, definitions[False])
    until_served(cluster, False)
    assert "v1beta1 alone, so that no webhook is needed" in finding("definitions")[0]["found"]
    for check in ("certificates", "conversion"):
        assert finding(check) == [
            {"check": check, "result": "ok", "found": "not needed: the definitions have v1beta1 alone"}
        ]
    state = {"api.agents.x-k8s.io/v1alpha1-sandboxtemplate-state": "{}"}
    kube.apply({**kube.template("old"), "metadata": {"name": "old", "namespace": kube.ns, "annotations": state}})
    (versions,) = finding("versions")
    assert versions["result"] == "warning" and "v1alpha1 is not served; objects" in versions["found"]
    assert "crds.v1alpha1=true" in versions["next"]

    # one that may still have objects stored in the old version
    put(cluster, definitions[True])
    until_served(cluster, True)
    name = NAMES[3]
    stored = ["patch", "crd", name, "--subresource=status", "--type=merge", "-p"]
    cluster.kubectl(*stored, json.dumps({"status": {"storedVersions": ["v1alpha1", "v1beta1"]}}))
    try:
        found = finding("versions")
        assert any(f["result"] == "ok" and "v1alpha1 is needed" in f["found"] for f in found), found
        (warned,) = [f for f in found if f["result"] == "warning"]
        assert (
            warned["found"].startswith(f"{name}: objects may still be stored in v1alpha1")
            and "storedVersions" in warned["next"]
        )
        # as an API server says it
        refused = cluster.kubectl(
            "replace", "--dry-run=server", "-f", "-", check=False, input=json.dumps(without_old(cluster, name))
        )
        assert refused.returncode != 0 and "storedVersions" in refused.stderr
    finally:
        cluster.kubectl(*stored, json.dumps({"status": {"storedVersions": ["v1beta1"]}}))


def without_old(cluster, name):
    crd = cluster.get("crd", name)
    crd["spec"]["versions"] = [v for v in crd["spec"]["versions"] if v["name"] != "v1alpha1"]
    crd["spec"]["conversion"] = {"strategy": "None"}
    return crd
