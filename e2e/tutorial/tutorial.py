"""tools/e2e tutorial: docs/tutorial.md, step by step, on a real node with gVisor. Runs inside the cluster's network."""

import json
import os
import pathlib
import socket
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from harness.cluster import ROOT, Cluster
from harness.kube import Kube
from harness.sdk import Sdk
from harness.until import until

from tutorial.install import NAMESPACE, Installation
from tutorial.steps import Steps, end_on_signals

TEMPLATE, POOL = ROOT / "examples/python-template.yaml", ROOT / "examples/python-warmpool.yaml"
HELLO = "echo 'Hello from the sandboxed environment!'"

NEW = """
from k8s_agent_sandbox import SandboxClient
client = SandboxClient()
s = client.create_sandbox("python-sandbox-warmpool")
out = s.commands.run(hello).stdout
kernel = s.commands.run("dmesg").stdout
s.files.write("notes.txt", "kept")
text = s.files.read("notes.txt").decode()
name, claim = s.sandbox_id, s.claim_name
s.terminate()
result = dict(out=out, kernel=kernel, text=text, name=name, claim=claim)
"""
OLD = """
from k8s_agent_sandbox.sandbox_client import SandboxClient
with SandboxClient("python-runtime-template", namespace="default") as s:
    out = s.run(hello).stdout
    kernel = s.run("dmesg").stdout
    s.write("notes.txt", b"kept")
    text = s.read("notes.txt").decode()
    result = dict(out=out, kernel=kernel, text=text, name=s.sandbox_name, claim=s.claim_name, pod=s.pod_name)
"""


def check(got):
    assert got["out"] == "Hello from the sandboxed environment!\n", got
    assert "gVisor" in got["kernel"], got["kernel"][:300]
    assert got["text"] == "kept"
    return f"{got['out'].strip()}  (sandbox {got['name']}, kernel: {got['kernel'].splitlines()[0].strip()})"


class Tutorial:
    def __init__(self, cluster):
        self.cluster, self.kube = cluster, Kube(cluster, "default")
        self.installation = Installation(cluster)

    def controller_pod(self):
        out = self.cluster.kubectl("get", "pods", "-n", NAMESPACE, "-l", "app=agent-sandbox-controller")
        assert " 1/1 " in out and "Running" in out, out
        return out

    def apply_seed(self):
        # as it stands in examples/, in the version of the tutorial's time
        return self.cluster.kubectl("apply", "-f", str(TEMPLATE), "-f", str(POOL))

    def pool_ready(self):
        pool = self.kube.get("sandboxwarmpool", "python-sandbox-warmpool")
        self.kube.pool_has("python-sandbox-warmpool", pool["spec"]["replicas"], timeout=180)
        return self.cluster.kubectl("get", "sandboxwarmpool,sandbox,pod")

    def router(self):
        ready = [e for s in self.cluster.get("endpointslices", "-n", NAMESPACE, "-l", "kubernetes.io/service-name=sandbox-router-svc")["items"]
                 for e in s["endpoints"] if e["conditions"]["ready"]]  # fmt: skip
        assert len(ready) == 2, ready
        return "2 routers behind sandbox-router-svc"

    def run_client(self, version, code):
        sdk = Sdk(version, self.cluster)
        try:
            return sdk.run(code, hello=HELLO)
        finally:
            sdk.close()

    def newest_client(self):
        return check(self.run_client("1.0.8", NEW))

    def first_client(self):
        got = self.run_client("0.1.1", OLD)
        assert got["name"] == got["claim"], "the first clients look for a Sandbox with the claim's name"
        assert got["pod"].startswith("python-sandbox-warmpool-"), "the Pod was to be a warm one"
        return check(got)

    def by_grpc(self):
        port = "17400"
        tunnel = self.cluster.run_inside(
            [
                self.cluster.folder / "bin/kubectl",
                "port-forward",
                "-n",
                NAMESPACE,
                "svc/sandplane-router",
                f"{port}:7400",
            ],
            stdout=subprocess.DEVNULL,
        )
        try:
            until(
                lambda: socket.create_connection(("127.0.0.1", int(port)), timeout=5).close() is None, what="the tunnel"
            )
            box = self.sandctl(port, "create", "--pool", "python-sandbox-warmpool", "--output", "name").strip()
            out = self.sandctl(port, "exec", box, "--", "python3", "-c", "print(6 * 7)")
            self.sandctl(port, "cp", "-", f"{box}:notes.txt", input="kept\n")
            text = self.sandctl(port, "exec", box, "--", "cat", "notes.txt")
            until(
                lambda: self.kube.get("sandboxclaim", box.rsplit("/", 1)[-1]),
                timeout=60,
                what="the object of the claim",
            )
            self.sandctl(port, "delete", box)
        finally:
            tunnel.terminate()
            tunnel.wait(10)
        assert (out, text) == ("42\n", "kept\n"), (out, text)
        return f"{out.strip()}  (sandbox {box})"

    def sandctl(self, port, command, *args, input=None):
        program = [self.installation.bin / "cli/sandctl", command, f"--server=127.0.0.1:{port}", *args]
        run = subprocess.run(program, input=input, text=True, capture_output=True, timeout=120)
        assert run.returncode == 0, (command, run.stderr)
        return run.stdout

    def leave(self):
        self.cluster.kubectl("delete", "-f", str(POOL), "-f", str(TEMPLATE))
        kinds = "sandboxclaims,sandboxes,sandboxwarmpools,sandboxtemplates,pods,networkpolicies"
        until(lambda: self._only_relay(kinds), timeout=180, what="nothing left")
        return "nothing is left in the namespace"

    def _only_relay(self, kinds):
        """The relay to the router is the installation's, not the tutorial's."""
        left = [
            o
            for o in self.cluster.get(kinds, "-n", "default")["items"]
            if o["metadata"].get("labels", {}).get("app.kubernetes.io/component") != "relay"
        ]
        return not left

    def uninstall(self):
        self.installation.uninstall()
        left = [
            o["metadata"]["name"]
            for o in self.cluster.get("deployments,statefulsets,services", "-n", NAMESPACE)["items"]
        ]
        assert not left, left
        crds = [
            c["metadata"]["name"]
            for c in self.cluster.get("crds")["items"]
            if c["metadata"]["name"].endswith("agents.x-k8s.io")
        ]
        assert len(crds) == 4, "the definitions stay, and with them what users made"
        return "definitions and users' objects stay"


def main():
    end_on_signals()
    cluster = Cluster(os.environ["SANDPLANE_E2E_CLUSTER"], control_plane_only=False)
    os.environ["PATH"] = f"{cluster.folder}/bin:{os.environ['PATH']}"  # the clients call kubectl
    cluster.env["PATH"] = os.environ["PATH"]
    t = Tutorial(cluster)
    steps = Steps("tutorial", t.installation.explain)
    steps.run("put the images on the node", t.installation.load_images)
    steps.run(
        "helm install sandplane, and a name for the router in namespace default",
        t.installation.install,
        "--set",
        "router.aliasNamespaces={default}",
    )
    steps.run("wait until every part is ready", t.installation.until_ready)
    steps.run("the controller's Pod is Running 1/1", t.controller_pod)
    steps.run("helm test", t.installation.test)
    steps.run("kubectl apply the template and the warm pool", t.apply_seed)
    steps.run("the pool is full", t.pool_ready)
    steps.run("the router has two Pods", t.router)
    steps.run("the newest client says hello, moves a file, leaves", t.newest_client)
    steps.run("the first client does, with a warm Pod", t.first_client)
    steps.run("sandctl claims by gRPC, runs a command, moves a file, gives it back", t.by_grpc)
    steps.run("delete pool and template", t.leave)
    steps.run("helm uninstall", t.uninstall)
    steps.run("kubectl apply the plain manifests instead", t.installation.apply_manifests)
    steps.run("wait until every part is ready", t.installation.until_ready)
    steps.run("kubectl apply the template and the warm pool", t.apply_seed)
    steps.run("the pool is full", t.pool_ready)
    steps.run("the newest client says hello, moves a file, leaves", t.newest_client)
    steps.end()
    print(json.dumps({"steps": steps.n, "failed": 0}))


if __name__ == "__main__":
    main()
