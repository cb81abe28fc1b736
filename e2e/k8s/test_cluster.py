"""The test cluster itself: what the other tests take for granted of it and of the stand-in for its node."""

import json
import subprocess

import pytest
from harness.cluster import TOOL
from harness.fake_node import ANNOTATION
from harness.until import until

pytestmark = pytest.mark.usefixtures("stack")  # its stand-in for the node


def pod(name, annotation=None, **spec):
    meta = {"name": name, "annotations": {ANNOTATION: annotation} if annotation else {}}
    spec = {"containers": [{"name": "a", "image": "none"}, {"name": "b", "image": "none"}], **spec}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": spec}


@pytest.fixture
def apply(cluster, ns):
    def go(*objects):
        cluster.kubectl(
            "-n", ns, "apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        )

    return go


def pods(cluster, ns):
    return {p["metadata"]["name"]: p for p in cluster.get("-n", ns, "pods")["items"]}


def is_ready(p):
    return any(c["type"] == "Ready" and c["status"] == "True" for c in p["status"].get("conditions", []))


def test_pods_run_at_addresses_of_their_own(cluster, ns, apply):
    apply(*[pod(f"p{i}") for i in range(20)])
    until(lambda: all(map(is_ready, pods(cluster, ns).values())), timeout=30, what="every Pod ready")
    there = pods(cluster, ns).values()
    assert len({p["status"]["podIP"] for p in there}) == 20
    for p in there:
        assert p["spec"]["nodeName"].startswith("fake-node-")
        assert p["status"]["phase"] == "Running" and p["status"]["startTime"]
        assert p["status"]["podIPs"] == [{"ip": p["status"]["podIP"]}]
        assert [(c["name"], c["ready"]) for c in p["status"]["containerStatuses"]] == [("a", True), ("b", True)]
        assert any(c["type"] == "PodScheduled" and c["status"] == "True" for c in p["status"]["conditions"])


def test_annotated_pods_do_not_run(cluster, ns, apply):
    apply(*[pod(what, what) for what in ("ignore", "bind", "fail")], pod("last"))
    until(lambda: is_ready(pods(cluster, ns)["last"]), timeout=30, what="the last Pod ready")
    until(lambda: pods(cluster, ns)["fail"]["status"]["phase"] == "Failed", timeout=10, what="the failing Pod failed")
    until(lambda: "nodeName" in pods(cluster, ns)["bind"]["spec"], timeout=10, what="the bound Pod bound")
    there = pods(cluster, ns)
    assert "nodeName" not in there["ignore"]["spec"]
    assert there["bind"]["status"]["phase"] == "Pending" and not is_ready(there["bind"])


def test_deletion_is_finished(cluster, ns, apply):
    kept = pod("kept")
    kept["metadata"]["finalizers"] = ["sandplane.test/keep"]
    apply(kept, pod("gone"))
    until(lambda: all(map(is_ready, pods(cluster, ns).values())), timeout=30, what="both Pods ready")
    cluster.kubectl("-n", ns, "delete", "pod", "kept", "gone", "--wait=false")
    until(lambda: "gone" not in pods(cluster, ns), timeout=10, what="the Pod gone")
    assert "deletionTimestamp" in pods(cluster, ns)["kept"]["metadata"]
    cluster.kubectl("-n", ns, "patch", "pod", "kept", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    until(lambda: not pods(cluster, ns), timeout=10, what="the kept Pod gone")


def test_a_pod_of_the_same_name_runs_again(cluster, ns, apply):
    seen = set()
    for _ in range(3):
        apply(pod("same"))
        until(lambda: is_ready(pods(cluster, ns)["same"]), timeout=20, what="the Pod ready")
        seen.add(pods(cluster, ns)["same"]["status"]["podIP"])
        cluster.kubectl("-n", ns, "delete", "pod", "same", timeout=20)
    assert len(seen) == 3


def test_writes_are_counted(cluster, ns):
    mark = cluster.audit_mark()
    cluster.kubectl("-n", ns, "create", "configmap", "counted")
    cluster.kubectl("-n", ns, "get", "configmap", "counted")
    assert cluster.kubectl("-n", ns, "create", "configmap", "counted", check=False).returncode != 0
    cluster.kubectl("-n", ns, "delete", "configmap", "counted")
    found = [(w.verb, w.code) for w in cluster.audit_writes(mark, user="admin", resource="configmaps", namespace=ns)]
    assert found == [("create", 201), ("create", 409), ("delete", 200)]


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["--what"],
        ["up", "--what"],
        ["up", "more"],
        ["make"],
        ["stop"],
        ["status", "--control-plane-only"],
        ["up", "--name", "A_b"],
    ],
    ids=" ".join,
)
def test_misuse_is_one_line_and_2(arguments):
    run = subprocess.run([TOOL, *arguments], capture_output=True, text=True)
    assert run.returncode == 2
    assert run.stdout == "" and run.stderr.count("\n") == 1


def test_status(cluster):
    run = subprocess.run([TOOL, "status", "--name", cluster.name], capture_output=True, text=True)
    assert run.returncode == 0
    assert all(line in run.stdout for line in ("etcd", "apiserver", "controllers"))
    assert subprocess.run([TOOL, "status", "--name", "not-there"], capture_output=True).returncode == 1
