"""tools/e2e upgrade: scaling, rolling upgrades, helm upgrade and a killed Redis, all under load, without a failed call.

The sandboxes ask for next to nothing: with those of the tutorial, which hold a quarter of a core each, a node of two cores would
have no room for the Pods that a rolling upgrade starts beside the old ones. What the services ask for is what the chart says.
"""

import json
import os
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from harness.cluster import Cluster
from harness.kube import Kube
from harness.until import until

from tutorial.install import NAMESPACE, Installation
from tutorial.load import PATIENCE_S, Load
from tutorial.steps import Steps, end_on_signals

TEMPLATE, POOL, REPLICAS = "python", "python", 3
POD_SPEC = {
    "runtimeClassName": "gvisor",
    "containers": [
        {
            "name": "python-runtime",
            "image": "localhost/python-runtime:dev",
            "ports": [{"containerPort": 8888}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 8888}, "periodSeconds": 1},
            "resources": {"requests": {"cpu": "10m", "memory": "64Mi"}},
        }
    ],
}
ROUTER, CLAIMS, POOLS, CONTROLLER = (
    "sandplane-router",
    "sandplane-claims",
    "sandplane-pools",
    "agent-sandbox-controller",
)
CALLS = 4  # of each kind, after each change
REDIS_AWAY_S = 60  # how long a caller may have to repeat while Redis is away


class Upgrade:
    def __init__(self, cluster):
        self.cluster, self.kube = cluster, Kube(cluster, "default")
        self.installation, self.load = Installation(cluster), None

    def kubectl(self, *args):
        return self.cluster.kubectl("-n", NAMESPACE, *args)

    def service(self, name):
        return self.cluster.get("service", name, "-n", NAMESPACE)["spec"]["clusterIP"]

    def pool(self):
        self.kube.apply(self.kube.template(TEMPLATE, pod_spec=POD_SPEC), self.kube.pool(POOL, TEMPLATE, REPLICAS))
        self.kube.pool_has(POOL, REPLICAS, timeout=180)

    def begin_load(self):
        self.kube.apply(self.kube.claim("kept", POOL))
        name = self.kube.until_ready("sandboxclaim", "kept", timeout=60)["status"]["sandbox"]["name"]
        target, url = f"{self.service(ROUTER)}:7400", f"http://{self.service('sandbox-router-svc')}:8080"
        self.load = Load(target, url, "namespaces/default", f"namespaces/default/pools/{POOL}", ("default", name))
        self.load.start()
        return self.judge()

    def judge(self):
        """With what has changed, too, calls are answered; none has failed."""
        self.load.more(CALLS)
        return self.load.judge()

    def scale(self, n):
        for name in (ROUTER, CLAIMS):
            self.kubectl("scale", "deployment", name, f"--replicas={n}")
        self.installation.until_ready(ROUTER, CLAIMS)
        return self.judge()

    def restart(self, *names):
        for name in names:
            self.kubectl("rollout", "restart", "deployment", name)
        self.installation.until_ready(*names)
        return self.judge()

    def helm_upgrade(self):
        self.installation.install("--set", "logLevel=debug")  # every Pod is replaced at once
        self.installation.until_ready()
        return self.judge()

    def redis(self):
        return self.cluster.get("pods", "-n", NAMESPACE, "-l", "app.kubernetes.io/component=redis")["items"][0]

    def kill_redis(self):
        """Calls fail while it is away, and are to be repeated; nothing that was acknowledged is lost."""
        self.load.patience_s = REDIS_AWAY_S
        killed = self.redis()["metadata"]
        self.kubectl("delete", "pod", killed["name"], "--grace-period=0", "--force", "--wait=false")

        def another():
            pod = self.redis()
            ready = [c["status"] for c in pod["status"].get("conditions", []) if c["type"] == "Ready"]
            return pod["metadata"]["uid"] != killed["uid"] and ready == ["True"]

        until(another, timeout=120, what="another Redis ready")
        self.installation.until_ready()
        self.load.more(CALLS)
        self.load.patience_s = PATIENCE_S
        self.kube.until_ready("sandboxclaim", "kept", timeout=60)
        return self.judge()

    def end(self):
        self.load.stop()
        return f"{self.load.judge()}: {dict(self.load.made)}; repeated {dict(self.load.repeated)}"

    def close(self):
        if self.load:
            self.load.abandon()


def run(u, short):
    steps = Steps("upgrade, the short form" if short else "upgrade", u.installation.explain)
    steps.run("put the images on the node", u.installation.load_images)
    steps.run("helm install sandplane", u.installation.install)
    steps.run("wait until every part is ready", u.installation.until_ready)
    steps.run(f"a pool of {REPLICAS} gVisor sandboxes", u.pool)
    steps.run("begin calls: create, get, delete, list through gRPC; commands through HTTP", u.begin_load)
    if short:
        steps.run("one more router and claims", u.scale, 3)
        steps.run("rolling upgrade of router and claims", u.restart, ROUTER, CLAIMS)
    else:
        steps.run("4 routers and 4 claims", u.scale, 4)
        steps.run("2 routers and 2 claims", u.scale, 2)
        for name in (ROUTER, CLAIMS, POOLS, CONTROLLER):
            steps.run(f"rolling upgrade of {name}", u.restart, name)
        steps.run("helm upgrade of everything at once", u.helm_upgrade)
    steps.run("Redis is killed and comes back; the claim from before is there", u.kill_redis)
    steps.run("end the calls", u.end)
    if not short:
        steps.run("helm uninstall", u.installation.uninstall)
    steps.end()
    made, repeated, failed = (c.total() for c in (u.load.made, u.load.repeated, u.load.failed))
    print(f"calls made: {made}, repeated: {repeated}, calls failed: {failed}")
    print(json.dumps({"calls_made": made, "calls_repeated": repeated, "calls_failed": failed}))


def main():
    end_on_signals()
    u = Upgrade(Cluster(os.environ["SANDPLANE_E2E_CLUSTER"], control_plane_only=False))
    try:
        run(u, short="--short" in sys.argv[1:])
    finally:
        u.close()


if __name__ == "__main__":
    main()
