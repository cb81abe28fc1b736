"""sandctl doctor against a cluster in which one thing at a time is broken: it says which, and what to do."""

import base64
import contextlib
import functools
import http.server
import json
import subprocess
import threading
import time

import pytest
import yaml
from harness.kube import POD_SPEC
from harness.kube_stack import NAMESPACE
from harness.until import until

CHECKS = ["api-server", "clock", "definitions", "versions", "rights", "workloads", "leader", "certificates", "conversion", "network", "runtime-classes", "pools",
          "claims", "leftovers"]  # fmt: skip
POOLS_CRD = "sandboxwarmpools.extensions.agents.x-k8s.io"
SECRET = "agent-sandbox-webhook-certs"


class Doctor:
    def __init__(self, stack):
        self.stack = stack

    def run(self, *args, kubeconfig=None):
        """(exit code, findings)."""
        command = [
            self.stack.bin / "cli/sandctl",
            "doctor",
            "--kubeconfig",
            kubeconfig or self.stack.cluster.kubeconfig,
            "-o",
            "json",
            *args,
        ]
        run = subprocess.run(
            [*self.stack.cluster.netns, *map(str, command)], timeout=120, text=True, capture_output=True
        )
        assert run.returncode in (0, 1), run.stderr
        return run.returncode, json.loads(run.stdout)

    def findings(self, check, *args, **kw):
        return [f for f in self.run(*args, **kw)[1] if f["check"] == check]

    def finds(self, check, result, *words, args=(), timeout=20):
        """Waits until it says so: a controller may be on its way to it."""
        seen = []

        def said():
            seen[:] = self.findings(check, *args)
            return any(f["result"] == result and all(w in f["found"] + f.get("next", "") for w in words) for f in seen)

        try:
            until(said, timeout=timeout, what="finding")
        except Exception:
            pytest.fail(f"no {result} of {check} with {words} in {json.dumps(seen, indent=1)}")
        assert all(f.get("next") for f in seen if f["result"] in ("warning", "problem")), seen


@pytest.fixture
def doctor(stack):
    return Doctor(stack)


@contextlib.contextmanager
def stopped(stack, name):
    stack.kill(name)
    try:
        yield
    finally:
        stack.start(name)
        stack.wait_ready(name)


def unwell(found):
    return {f["check"] for f in found if f["result"] != "ok"}


def test_healthy(doctor, kube):
    kube.full_pool(replicas=2)
    kube.apply(kube.claim())
    kube.until_ready("sandboxclaim", "c")
    # the pool's status may still be from before the claim, and then it is being filled: that is worth a warning
    kube.pool_has("p", 2)
    until(lambda: "pools" not in unwell(doctor.run("-n", kube.ns)[1]), what="the pool is full again")
    code, found = doctor.run("-n", kube.ns)
    assert code == 0, found
    assert list(dict.fromkeys(f["check"] for f in found)) == CHECKS
    # the services run beside the cluster here
    assert unwell(found) == {"workloads"}


def test_lines_for_people(doctor, stack):
    command = [
        stack.bin / "cli/sandctl",
        "doctor",
        "--kubeconfig",
        stack.cluster.kubeconfig,
        "--system-namespace",
        "elsewhere",
    ]
    run = subprocess.run([*stack.cluster.netns, *map(str, command)], timeout=120, text=True, capture_output=True)
    assert run.returncode == 1
    lines = run.stdout.splitlines()
    assert lines[0].startswith("ok       api-server      https://")
    lease = next(line for line in lines if line.startswith("problem  leader"))
    assert "no reconciler has ever led; next: " in lease
    assert "skipped  conversion      not looked at: it depends on certificates, see above" in lines


def test_a_definition_is_missing(doctor, stack):
    stack.cluster.kubectl("delete", "crd", POOLS_CRD)
    try:
        code, found = doctor.run()
        assert code == 1
        assert [f["found"] for f in found if f["check"] == "definitions"] == [f"{POOLS_CRD} is not installed"]
        skipped = {f["check"] for f in found if f["result"] == "skipped"}
        assert {"certificates", "conversion", "pools"} <= skipped
        assert not [f for f in found if f["result"] == "problem" and f["check"] not in ("definitions", "leader")], found
    finally:
        stack.install_crds()
        stack.cluster.kubectl("wait", "--for=condition=Established", "crd", POOLS_CRD, "--timeout=60s")
        stack.restart("reconciler")
        stack.wait_ready("reconciler")
        stack.wait_webhook()


def test_the_webhook_is_not_trusted(doctor, stack):
    crd = json.loads(stack.cluster.kubectl("get", "crd", POOLS_CRD, "-o", "json"))
    right = crd["spec"]["conversion"]["webhook"]["clientConfig"]["caBundle"]
    # of another cluster's CA: a real certificate, as an API server takes no other
    ca = yaml.safe_load(stack.cluster.kubeconfig.read_text())["clusters"][0]["cluster"]["certificate-authority"]
    with open(ca, "rb") as f:
        other = base64.b64encode(f.read()).decode()

    def bundle(value):
        patch = {"spec": {"conversion": {"webhook": {"clientConfig": {"caBundle": value}}}}}
        stack.cluster.kubectl("patch", "crd", POOLS_CRD, "--type=merge", "-p", json.dumps(patch))

    bundle(other)
    try:
        doctor.finds(
            "certificates",
            "problem",
            f"{POOLS_CRD}: caBundle is not the ca.crt of Secret {NAMESPACE}/{SECRET}",
            "rollout restart",
        )
        doctor.finds("conversion", "skipped", "certificates")
    finally:
        bundle(right)
        stack.wait_webhook()


@pytest.mark.parametrize("value,words", [("!", "cannot be read"), (None, "cannot be read")], ids=["garbage", "empty"])
def test_a_useless_secret(doctor, stack, value, words):
    get = json.loads(stack.cluster.kubectl("get", "secret", SECRET, "-n", NAMESPACE, "-o", "json"))
    broken = base64.b64encode(b"no certificate").decode() if value else ""

    def certificate(text):
        stack.cluster.kubectl(
            "patch", "secret", SECRET, "-n", NAMESPACE, "--type=merge", "-p", json.dumps({"data": {"tls.crt": text}})
        )

    certificate(broken)
    try:
        doctor.finds("certificates", "problem", "tls.crt", words, "delete secret")
    finally:
        certificate(get["data"]["tls.crt"])
    doctor.finds("certificates", "ok")


def test_an_expired_certificate(doctor, stack, tmp_path):
    get = json.loads(stack.cluster.kubectl("get", "secret", SECRET, "-n", NAMESPACE, "-o", "json"))
    pem, key, request = (tmp_path / n for n in ("c.pem", "k.pem", "c.csr"))
    openssl = functools.partial(subprocess.run, check=True, capture_output=True)
    openssl(
        [
            "openssl",
            "req",
            "-new",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-subj",
            "/CN=x",
            "-keyout",
            key,
            "-out",
            request,
        ]
    )
    openssl(["openssl", "x509", "-req", "-in", request, "-signkey", key, "-days", "-1", "-out", pem])
    expired = {
        "data": {
            "tls.crt": base64.b64encode(pem.read_bytes()).decode(),
            "tls.key": base64.b64encode(key.read_bytes()).decode(),
        }
    }
    stack.cluster.kubectl("patch", "secret", SECRET, "-n", NAMESPACE, "--type=merge", "-p", json.dumps(expired))
    try:
        doctor.finds("certificates", "problem", "has expired on 20", "delete secret")
    finally:
        right = {"data": {k: get["data"][k] for k in ("tls.crt", "tls.key")}}
        stack.cluster.kubectl("patch", "secret", SECRET, "-n", NAMESPACE, "--type=merge", "-p", json.dumps(right))


def test_a_right_is_missing(doctor, stack):
    binding = json.loads(
        stack.cluster.kubectl("get", "clusterrolebinding", "agent-sandbox-controller-extensions", "-o", "json")
    )
    stack.cluster.kubectl("delete", "clusterrolebinding", "agent-sandbox-controller-extensions")
    try:
        doctor.finds("rights", "problem", "system:serviceaccount:agent-sandbox-system:agent-sandbox-controller lacks",
                     "sandboxes.agents.x-k8s.io (create)", "sandboxclaims.extensions.agents.x-k8s.io/status (patch)", "rbac.yaml")  # fmt: skip
        text = doctor.findings("rights")[0]["found"]
        assert "pods" not in text and "leases" not in text
    finally:
        binding["metadata"] = {k: binding["metadata"][k] for k in ("name", "labels")}
        stack.cluster.kubectl("apply", "-f", "-", input=json.dumps(binding))
    doctor.finds("rights", "ok", "has all")


def test_nobody_leads(doctor, stack):
    with stopped(stack, "reconciler"):
        # killed, not ended: the Lease still names it
        doctor.finds("leader", "problem", "nobody leads", "it lasts 15 s", "get pods", timeout=40)
        doctor.finds("conversion", "problem", "refused", "no reconciler answers")
    doctor.finds("leader", "ok", "leads", timeout=40)
    stack.wait_webhook()


def test_a_runtime_class_is_missing(doctor, kube):
    kube.apply(kube.template("isolated", pod_spec={**POD_SPEC, "runtimeClassName": "nowhere"}))
    doctor.finds(
        "runtime-classes",
        "problem",
        "RuntimeClass nowhere does not exist",
        f"SandboxTemplate {kube.ns}/isolated",
        args=("-n", kube.ns),
    )


def test_a_pool_without_its_template(doctor, kube):
    kube.apply(kube.pool("lonely", "absent", 1))
    doctor.finds(
        "pools",
        "problem",
        f"{kube.ns}/lonely has 0 of 1 ready",
        f"SandboxTemplate {kube.ns}/absent does not exist",
        args=("-n", kube.ns),
    )


def set_status(kube, pod, status):
    kube.patch("pod", pod, {"status": status}, "--subresource=status")


def test_a_pool_whose_image_cannot_be_pulled(doctor, kube):
    kube.apply(kube.template(metadata={"annotations": {"sandplane.test/fake-node": "bind"}}), kube.pool())
    until(lambda: [p for p in kube.list("pod") if p["spec"].get("nodeName")], what="a bound Pod")
    pod = kube.list("pod")[0]["metadata"]["name"]
    message = 'Back-off pulling image "sandplane.test/python:1": not found'
    waiting = {"name": "main", "image": "sandplane.test/python:1", "imageID": "", "ready": False, "restartCount": 0,
               "state": {"waiting": {"reason": "ImagePullBackOff", "message": message}}}  # fmt: skip
    set_status(kube, pod, {"phase": "Pending", "containerStatuses": [waiting]})
    doctor.finds("pools", "problem", "has 0 of 1 ready", "container main (sandplane.test/python:1): ImagePullBackOff", message, "imagePullSecrets",
                 args=("-n", kube.ns))  # fmt: skip


def test_a_pool_that_finds_no_node(doctor, kube):
    kube.apply(kube.template(metadata={"annotations": {"sandplane.test/fake-node": "ignore"}}), kube.pool())
    until(lambda: kube.list("pod"), what="a Pod")
    pod = kube.list("pod")[0]["metadata"]["name"]
    condition = {
        "type": "PodScheduled",
        "status": "False",
        "reason": "Unschedulable",
        "message": "0/3 nodes are available: 3 Insufficient cpu.",
    }
    set_status(kube, pod, {"phase": "Pending", "conditions": [condition]})
    doctor.finds(
        "pools", "problem", "Unschedulable: 0/3 nodes are available", "lower the pool's replicas", args=("-n", kube.ns)
    )


def test_a_pool_whose_sandboxes_fail(doctor, kube):
    kube.apply(kube.template(metadata={"annotations": {"sandplane.test/fake-node": "fail"}}), kube.pool())
    doctor.finds("pools", "problem", "has 0 of 1 ready", args=("-n", kube.ns), timeout=60)


def test_a_pool_whose_sandboxes_end_soon(doctor, kube):
    """None is there to be asked, or one that has just been started: the pool says what became of those before."""
    kube.apply(kube.template(metadata={"annotations": {"sandplane.test/fake-node": "ignore"}}), kube.pool())
    (pod,) = until(lambda: kube.list("pod"), what="its Pod")
    name, ip = pod["metadata"]["name"], "10.77.0.1"
    ready = {"conditions": [{"type": "Ready", "status": "True"}], "podIP": ip, "podIPs": [{"ip": ip}]}
    set_status(kube, name, {"phase": "Running", **ready})
    kube.pool_has("p", 1)
    set_status(kube, name, {"phase": "Succeeded", "conditions": []})
    says = (
        "has 0 of 1 ready: PodSucceeded: ",
        "end soon after they are ready",
        f"-n {kube.ns} describe sandboxwarmpool p",
    )
    doctor.finds("pools", "problem", *says, args=("-n", kube.ns))


def test_claims_that_wait(doctor, kube):
    kube.apply(kube.claim("c1", "nowhere"), kube.claim("c2", "nowhere"))
    for name in ("c1", "c2"):
        kube.until_condition("sandboxclaim", name, reason="WarmPoolNotFound")
        ready = next(c for c in kube.get("sandboxclaim", name)["status"]["conditions"] if c["type"] == "Ready")
        ready["lastTransitionTime"] = "2020-01-01T00:00:00Z"
        kube.kubectl(
            "patch",
            "sandboxclaim",
            name,
            "--type=merge",
            "--subresource=status",
            "-p",
            json.dumps({"status": {"conditions": [ready]}}),
        )
    doctor.finds("claims", "warning", "2 SandboxClaims are not Ready for more than a minute: WarmPoolNotFound", f"{kube.ns}/c1", "apply that pool",
                 args=("-n", kube.ns))  # fmt: skip


def test_workloads_that_are_not_ready(doctor, stack):
    """As the chart labels them; nobody runs them here, so they never come up."""
    labels = {"app.kubernetes.io/part-of": "sandplane", "app.kubernetes.io/component": "claims"}
    container = {"name": "claims", "image": "sandplane.test/claims:1"}
    template = {
        "metadata": {"labels": labels, "annotations": {"sandplane.test/fake-node": "ignore"}},
        "spec": {"containers": [container]},
    }
    spec = {"replicas": 2, "selector": {"matchLabels": labels}, "template": template}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "claims", "namespace": NAMESPACE, "labels": labels},
        "spec": spec,
    }
    stack.cluster.kubectl("apply", "-f", "-", input=json.dumps(deployment))
    try:
        doctor.finds(
            "workloads",
            "problem",
            f"Deployment {NAMESPACE}/claims: 0 of 2 replicas are ready",
            "describe deployments claims",
        )
    finally:
        stack.cluster.kubectl("delete", "deployment", "claims", "-n", NAMESPACE)


def test_a_router_outside_the_namespace_of_the_policy(doctor, kube):
    kube.apply(kube.template(), {"apiVersion": "v1", "kind": "Pod", "spec": POD_SPEC,
                                 "metadata": {"name": "router", "namespace": kube.ns, "labels": {"app": "sandbox-router"}}})  # fmt: skip
    doctor.finds(
        "network", "warning", f"router Pod {kube.ns}/router", f"{kube.ns}/t", "spec.networkPolicy", args=("-n", kube.ns)
    )


def test_without_rights_of_its_own(doctor, stack, ns, tmp_path):
    """It names the right that it lacks instead of calling the installation broken."""
    config = yaml.safe_load(stack.cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": stack.cluster.kubectl("create", "token", "default", "-n", ns).strip()}
    weak = tmp_path / "weak"
    weak.write_text(yaml.safe_dump(config))
    code, found = doctor.run(kubeconfig=weak)
    by = {f["check"]: f for f in found}
    assert code == 1 and by["api-server"]["result"] == by["clock"]["result"] == "ok"
    for check, right in {
        "definitions": 'cannot get resource "customresourcedefinitions"',
        "rights": 'cannot create resource "subjectaccessreviews"',
        "pools": 'cannot list resource "sandboxwarmpools"',
        "leader": 'cannot get resource "leases"',
    }.items():
        assert (
            by[check]["result"] == "problem"
            and right in by[check]["found"]
            and "a right is missing" in by[check]["found"]
        ), by[check]


def test_refused_credentials(doctor, stack, tmp_path):
    config = yaml.safe_load(stack.cluster.kubeconfig.read_text())
    config["users"][0]["user"] = {"token": "nobody"}
    bad = tmp_path / "bad"
    bad.write_text(yaml.safe_dump(config))
    code, found = doctor.run(kubeconfig=bad)
    assert code == 1 and found[0]["result"] == "problem" and "credentials are refused" in found[0]["found"]
    assert {f["result"] for f in found[1:]} == {"skipped"}


def test_no_api_server(doctor, stack, tmp_path):
    config = yaml.safe_load(stack.cluster.kubeconfig.read_text())
    config["clusters"][0]["cluster"]["server"] = "https://127.0.0.1:1"
    bad = tmp_path / "bad"
    bad.write_text(yaml.safe_dump(config))
    began = time.monotonic()
    code, found = doctor.run("--timeout", "2s", kubeconfig=bad)
    assert code == 1 and found[0]["result"] == "problem" and "https://127.0.0.1:1" in found[0]["found"]
    assert time.monotonic() - began < 10


class Clock(http.server.BaseHTTPRequestHandler):
    """An API server that knows its version only, and has another time."""

    ahead = 0

    def date_time_string(self, timestamp=None):
        return super().date_time_string(time.time() + self.ahead)

    def do_GET(self):
        there = self.path == "/version"
        body = json.dumps({"gitVersion": "v1.35.0"} if there else {"kind": "Status", "message": "not found"}).encode()
        self.send_response(200 if there else 404)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *args):
        pass


@pytest.mark.parametrize(
    "ahead,result,words",
    [(0, "ok", "agree"), (10, "warning", "before"), (-10, "warning", "behind"), (100, "problem", "before")],
)
def test_clocks(doctor, tmp_path, ahead, result, words):
    handler = type("Handler", (Clock,), {"ahead": ahead})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    cluster = {"name": "c", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
    context = {"name": "c", "context": {"cluster": "c", "user": "u"}}
    config = {
        "clusters": [cluster],
        "contexts": [context],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "current-context": "c",
    }
    file = tmp_path / "kubeconfig"
    file.write_text(yaml.safe_dump(config))
    try:
        found = doctor.findings("clock", kubeconfig=file)
    finally:
        server.shutdown()
    assert [f["result"] for f in found] == [result] and words in found[0]["found"], found
    assert result == "ok" or "timedatectl" in found[0]["next"]


def test_a_service_that_runs_and_is_not_ready(doctor, stack):
    """As it is when Redis does not answer it."""
    labels = {"app.kubernetes.io/part-of": "sandplane", "app.kubernetes.io/component": "router"}
    meta = {
        "name": "router-x",
        "namespace": NAMESPACE,
        "labels": labels,
        "annotations": {"sandplane.test/fake-node": "ignore"},
    }
    stack.cluster.kubectl(
        "apply", "-f", "-", input=json.dumps({"apiVersion": "v1", "kind": "Pod", "metadata": meta, "spec": POD_SPEC})
    )
    try:
        status = {"phase": "Running", "conditions": [{"type": "Ready", "status": "False"}]}
        patch = ["--type=merge", "--subresource=status", "-p", json.dumps({"status": status})]
        stack.cluster.kubectl("patch", "pod", "router-x", "-n", NAMESPACE, *patch)
        doctor.finds(
            "workloads",
            "warning",
            f"Pod {NAMESPACE}/router-x: the Pod is Running and not ready",
            "most often Redis does not answer it",
        )
    finally:
        stack.cluster.kubectl("delete", "pod", "router-x", "-n", NAMESPACE, "--grace-period=0", "--force")
