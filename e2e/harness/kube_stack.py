"""Sandplane beside a test cluster: Redis, reconciler, pools, claims and router as processes in the cluster's network,
with ports of their own there, so that any number of such stacks (one a cluster) live side by side."""

import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import urllib.request

import yaml

from harness.cluster import ROOT
from harness.until import until

PORTS = {"router": (7400, 7410), "claims": (7401, 7411), "pools": (7402, 7412), "reconciler": (7403, 7413)}
HTTP_PORT = 8080
NAMESPACE, SERVICE_ACCOUNT = "agent-sandbox-system", "agent-sandbox-controller"
WEBHOOK_PORT = 9443


def _built():
    """(bazel-bin, external) of the last tools/* build."""
    lines = (ROOT / "out/.built").read_text().split("\n")
    return pathlib.Path(lines[0]), pathlib.Path(lines[1])


class KubeStack:
    def __init__(self, cluster):
        self.cluster = cluster
        self.bin, self.external = _built()
        self.data = pathlib.Path(tempfile.mkdtemp(prefix="spk8s-", dir="/var/tmp"))
        self.kubeconfig = self.data / "reconciler.kubeconfig"
        self.settings = self.data / "sandbox-config"  # what the ConfigMap agent-sandbox-config is mounted as
        self.processes = {}
        self.flags = {}

    # ---- processes ----

    def command(self, name):
        service = name.split("-")[0]
        if service == "redis":
            (self.data / "redis").mkdir(exist_ok=True)
            return [self.external / "redis/bin/redis-server", "--port", "0", "--unixsocket", self.data / "redis.sock", "--dir",
                    self.data / "redis", "--appendonly", "yes", "--appendfsync", "always", "--save", ""]  # fmt: skip
        if service == "node":
            return [sys.executable, ROOT / "e2e/harness/fake_node.py", "--kubeconfig", self.cluster.kubeconfig]
        replica = 100 * (int(name.split("-")[1]) - 1) if "-" in name else 0
        grpc, admin = (p + replica for p in PORTS[service])
        command = [self.bin / f"services/{service}/sandplane-{service}", f"--redis-address=unix:{self.data}/redis.sock",
                   f"--grpc-address=127.0.0.1:{grpc}", f"--admin-address=127.0.0.1:{admin}"]  # fmt: skip
        if service == "reconciler":
            command += ["--backend=kubernetes", f"--kubeconfig={self.kubeconfig}", f"--config-dir={self.settings}", f"--router=127.0.0.1:{PORTS['router'][0]}",
                        f"--webhook-address=127.0.0.1:{WEBHOOK_PORT + replica}", f"--webhook-url=https://127.0.0.1:{WEBHOOK_PORT + replica}/convert"]  # fmt: skip
        if service == "pools":
            command += ["--read-only=true", f"--reconciler=127.0.0.1:{PORTS['reconciler'][0]}"]
        if service == "router":
            command += [f"--http-address=127.0.0.1:{HTTP_PORT}", f"--claims=127.0.0.1:{PORTS['claims'][0]}",
                        f"--pools=127.0.0.1:{PORTS['pools'][0]}", f"--reconciler=127.0.0.1:{PORTS['reconciler'][0]}"]  # fmt: skip
        return command

    def log_path(self, name):
        return self.data / f"{name}.log"

    def log(self, name):
        return self.log_path(name).read_text() if self.log_path(name).exists() else ""

    def start(self, name, *flags):
        """Starts one process; flags stay for later starts of it."""
        if flags:
            self.flags[name] = list(flags)
        with self.log_path(name).open("ab") as log:
            self.processes[name] = self.cluster.run_inside(
                [*self.command(name), *self.flags.get(name, [])], stdout=log, stderr=log, start_new_session=True
            )
        if name == "redis":
            until((self.data / "redis.sock").exists, what="redis")

    def kill(self, name, sig=signal.SIGKILL, timeout=30):
        process = self.processes.pop(name)
        process.send_signal(sig)
        return process.wait(timeout)

    def stop(self, name):
        """SIGTERM; returns the exit code."""
        return self.kill(name, signal.SIGTERM)

    def restart(self, name):
        self.kill(name)
        self.start(name)

    def ready(self, name):
        service = name.split("-")[0]
        replica = 100 * (int(name.split("-")[1]) - 1) if "-" in name else 0
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{PORTS[service][1] + replica}/readyz", timeout=2) as r:
                return r.status == 200
        except OSError:
            return False

    def wait_ready(self, name, timeout=60):
        until(lambda: self.ready(name), timeout=timeout, what=f"{name} ready:\n{self.log(name)[-2000:]}")

    def metrics(self, name):
        """{series: value} of one service."""
        port = PORTS[name.split("-")[0]][1]
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as r:
            lines = [line for line in r.read().decode().splitlines() if line and not line.startswith("#")]
        return {series: float(value) for series, value in (line.rsplit(" ", 1) for line in lines)}

    def redis(self, *args):
        command = [self.external / "redis/bin/redis-cli", "-s", self.data / "redis.sock", *args]
        return subprocess.run(list(map(str, command)), check=True, timeout=20, text=True, capture_output=True).stdout

    def wait_webhook(self, timeout=60):
        """Until the API server converts: it takes up the webhook's CA a moment after the definitions have it."""
        old = {"apiVersion": "extensions.agents.x-k8s.io/v1alpha1", "kind": "SandboxWarmPool", "metadata": {"name": "probe", "namespace": "default"},
               "spec": {"replicas": 0, "sandboxTemplateRef": {"name": "t"}}}  # fmt: skip
        create = ["create", "--dry-run=server", "-f", "-"]
        until(
            lambda: self.cluster.kubectl(*create, input=json.dumps(old), check=False).returncode == 0,
            timeout=timeout,
            what="conversion",
        )

    # ---- the whole ----

    def install_crds(self):
        """The definitions, with the webhook where ours listens instead of behind a Service."""
        crds = json.loads((self.bin / "api/crds/crds.json").read_text())
        for crd in crds["items"]:
            crd["spec"]["conversion"]["webhook"]["clientConfig"] = {"url": f"https://127.0.0.1:{WEBHOOK_PORT}/convert"}
        self.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=json.dumps(crds))

    def install_rights(self):
        """The reconciler runs as its ServiceAccount, with the rights of deploy/manifests and no others."""
        for name in ("rbac.yaml", "webhook-service.yaml"):
            self.cluster.kubectl("apply", "-f", str(ROOT / "deploy/manifests" / name))
        token = self.data / "token"
        token.write_text(self.cluster.kubectl("create", "token", SERVICE_ACCOUNT, "-n", NAMESPACE, "--duration=12h"))
        config = yaml.safe_load(self.cluster.kubeconfig.read_text())
        config["users"][0]["user"] = {"tokenFile": str(token)}
        config["contexts"][0]["context"]["namespace"] = NAMESPACE
        self.kubeconfig.write_text(yaml.safe_dump(config))

    def up(self, fake_node=True, router=False):
        assert self.cluster.inside(), "run the tests inside the cluster's network"
        self.install_crds()
        self.install_rights()
        names = ["redis", "reconciler", "pools", "claims"] + ["router"] * router + ["node"] * fake_node
        for name in names:
            self.start(name)
        for name in names:
            if name in PORTS:
                self.wait_ready(name)
        self.wait_webhook()

    def down(self):
        for name in list(self.processes):
            try:
                self.kill(name, signal.SIGTERM, timeout=15)
            except subprocess.TimeoutExpired:
                os.kill(self.processes[name].pid, signal.SIGKILL)
        shutil.rmtree(self.data, ignore_errors=True)
