"""tools/e2e upgrade: scaling, rolling upgrades of every part, helm upgrade and a killed Redis, all under load, without a failed call."""

import json
import os
import pathlib
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from harness.cluster import ROOT, Cluster
from harness.kube import Kube
from harness.until import until

from tutorial.install import NAMESPACE, Installation
from tutorial.load import Load
from tutorial.steps import Steps

TEMPLATE = ROOT / "examples/python-template.yaml"
POOL, REPLICAS = "python-sandbox-warmpool", 3


class Upgrade:
    def __init__(self, cluster):
        self.cluster, self.kube = cluster, Kube(cluster, "default")
        self.installation = Installation(cluster)

    def kubectl(self, *args, **kw):
        return self.cluster.kubectl("-n", NAMESPACE, *args, **kw)

    def service(self, name):
        return self.cluster.get("service", name, "-n", NAMESPACE)["spec"]["clusterIP"]

    def pool(self):
        self.cluster.kubectl("apply", "-f", str(TEMPLATE))
        self.kube.apply(self.kube.pool(POOL, "python-runtime-template", REPLICAS))
        self.kube.pool_has(POOL, REPLICAS, timeout=180)

    def begin_load(self):
        self.kube.apply(self.kube.claim("kept", POOL))
        name = self.kube.until_ready("sandboxclaim", "kept", timeout=60)["status"]["sandbox"]["name"]
        self.load = Load(f"{self.service('sandplane-router')}:7400", f"http://{self.service('sandbox-router-svc')}:8080", "namespaces/default",
                         f"namespaces/default/pools/{POOL}", ("default", name))  # fmt: skip
        self.load.start()
        until(lambda: self.load.made["create"] > 0 and self.load.made["http"] > 0, timeout=60, what="first calls")

    def judge(self):
        """No call has failed so far."""
        made, failed = sum(self.load.made.values()), sum(self.load.failed.values())
        assert not failed, "\n".join(self.load.errors[:10])
        return f"{made} calls made, {failed} failed"

    def scale(self, n):
        for name in ("sandplane-router", "sandplane-claims"):
            self.kubectl("scale", "deployment", name, f"--replicas={n}")
        for name in ("sandplane-router", "sandplane-claims"):
            self.kubectl("rollout", "status", "deployment", name, "--timeout=120s", timeout=150)
        time.sleep(5)  # traffic with the new number
        return self.judge()

    def restart(self, name):
        self.kubectl("rollout", "restart", "deployment", name)
        self.kubectl("rollout", "status", "deployment", name, "--timeout=180s", timeout=200)
        time.sleep(3)
        return self.judge()

    def helm_upgrade(self):
        self.installation.install("--set", "logLevel=debug")  # every Pod is replaced at once
        self.installation.until_ready()
        return self.judge()

    def kill_redis(self):
        pod = self.cluster.get("pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=redis")["items"][0][
            "metadata"
        ]
        self.kubectl("delete", "pod", pod["name"], "--grace-period=0", "--force", "--wait=false")
        until(lambda: self.cluster.get("pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=redis")["items"][0]["metadata"]["uid"] != pod["uid"],
              timeout=60, what="another Redis")  # fmt: skip
        self.installation.until_ready()
        assert self.kube.condition("sandboxclaim", "kept")["status"] == "True", "the claim is lost"
        return f"the claim from before is there; calls that failed meanwhile: {sum(self.load.failed.values())}"

    def end(self):
        self.load.stop()
        return json.dumps({"made": dict(self.load.made), "failed": dict(self.load.failed)})


def main():
    u = Upgrade(Cluster(os.environ["SANDPLANE_E2E_CLUSTER"], control_plane_only=False))
    steps = Steps("upgrade", u.installation.explain)
    steps.run("put the images on the node", u.installation.load_images)
    steps.run("helm install sandplane", u.installation.install)
    steps.run("wait until every part is ready", u.installation.until_ready)
    steps.run(f"a pool of {REPLICAS} gVisor sandboxes", u.pool)
    steps.run("begin calls: create, get, delete, list through gRPC; commands through HTTP", u.begin_load)
    steps.run("4 routers and 4 claims", u.scale, 4)
    steps.run("2 routers and 2 claims", u.scale, 2)
    for name in ("sandplane-router", "sandplane-claims", "sandplane-pools", "agent-sandbox-controller"):
        steps.run(f"rolling upgrade of {name}", u.restart, name)
    steps.run("helm upgrade of everything at once", u.helm_upgrade)
    made, failed = sum(u.load.made.values()), sum(u.load.failed.values())
    steps.run("Redis is killed and comes back (calls may fail meanwhile)", u.kill_redis)
    steps.run("end the calls", u.end)
    steps.run("helm uninstall", u.installation.uninstall)
    steps.end()
    print(f"calls made: {made}, calls failed: {failed}")
    print(json.dumps({"calls_made": made, "calls_failed": failed}))


if __name__ == "__main__":
    main()
