"""Sandplane installed in a whole test cluster, as users install it: images on the node, the chart or the plain manifests."""

import os
import pathlib
import subprocess

from harness.cluster import ROOT
from harness.until import until

NAMESPACE = "agent-sandbox-system"
RUNTIME_IMAGE = "registry.k8s.io/agent-sandbox/python-runtime-sandbox:v0.1.0"  # what the tutorial's template names
IMAGES = ["claims", "pools", "router", "reconciler", "redis", "sandctl", "python-runtime"]
DEPLOYMENTS = ["agent-sandbox-controller", "sandplane-claims", "sandplane-pools", "sandplane-router"]
PARTS = [f"deployment/{d}" for d in DEPLOYMENTS] + ["statefulset/sandplane-redis"]
VALUES = ["--set", "image.registry=localhost", "--set", "image.tag=dev"]


class Installation:
    def __init__(self, cluster):
        self.cluster = cluster
        self.bin = pathlib.Path((ROOT / "out/.built").read_text().split("\n")[0])
        self.helm_program = os.environ["SANDPLANE_HELM"]

    def load_images(self):
        for name in IMAGES:
            reference = [RUNTIME_IMAGE] if name == "python-runtime" else []
            self.cluster.load(self.bin / f"deploy/images/{name}.oci.tar", *reference)
        return ", ".join(IMAGES)

    def helm(self, *args, timeout=300):
        run = subprocess.run(
            [self.helm_program, *args], env=self.cluster.env, text=True, capture_output=True, timeout=timeout
        )
        if run.returncode != 0:
            raise RuntimeError(f"helm {' '.join(args)}: {run.stderr}{run.stdout}")
        return run.stdout

    def install(self, *values, chart=ROOT / "deploy/helm/sandplane"):
        return self.helm(
            "upgrade",
            "--install",
            "sandplane",
            str(chart),
            "--namespace",
            NAMESPACE,
            "--create-namespace",
            *VALUES,
            *values,
        )

    def apply_manifests(self):
        """The way without Helm; the images' registry is the node itself here, which the manifests cannot know."""
        out = []
        for name in ("manifest.yaml", "extensions.yaml"):
            text = (ROOT / "deploy/manifests" / name).read_text()
            for image in ("claims", "pools", "router", "reconciler", "redis"):
                text = self._local(text, f"sandplane-{image}")
            out.append(
                self.cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", input=text, timeout=180)
            )
        return f"{sum(o.count('serverside-applied') for o in out)} objects applied"

    @staticmethod
    def _local(text, image):
        lines = []
        for line in text.split("\n"):
            head, sep, value = line.partition("image: ")
            bare = value.strip().strip("\"'").rsplit("/", 1)[-1].split(":")[0].split("@")[0]
            lines.append(f"{head}image: localhost/{image}:dev" if sep and bare == image else line)
        return "\n".join(lines)

    def until_ready(self, *names, timeout=180):
        """These Deployments, else all parts and Redis, have all their Pods, of the present kind and ready; returns the list of Pods."""

        def look():
            found = self.cluster.get("deployments,statefulsets", "-n", NAMESPACE)["items"]
            found = {o["metadata"]["name"]: o for o in found}
            missing = [f"{n} is not there" for n in names or DEPLOYMENTS if n not in found]
            short = missing + [s for n, o in found.items() if not names or n in names for s in _short(o)]
            if short:
                raise NotReady("; ".join(short + self._pods_not_ready()))
            return True

        until(look, timeout=timeout, what=f"{', '.join(names) or 'all parts'} ready", interval=0.2)
        return self.cluster.kubectl("get", "pods", "-n", NAMESPACE)

    def _pods_not_ready(self):
        """Why they are not, as far as the API server knows; one that ends is not waited for."""
        out = []
        for pod in self.cluster.get("pods", "-n", NAMESPACE)["items"]:
            conditions = [c for c in pod["status"].get("conditions", []) if c["status"] != "True"]
            if pod["metadata"].get("deletionTimestamp") or not conditions:
                continue
            states = [s["state"].get("waiting", {}) for s in pod["status"].get("containerStatuses", [])]
            why = [f"{s['reason']} {s.get('message', '')}" for s in states if s]
            why += [c.get("message") or c.get("reason") or c["type"] for c in conditions]
            out.append(f"{pod['metadata']['name']}: {why[0].strip()}")
        return out

    def explain(self):
        """What the cluster looks like and what the parts said last, for a step that failed."""
        looks = [
            ("get", "sandboxwarmpools,sandboxclaims,sandboxes,pods", "-A", "-o", "wide"),
            ("describe", "sandboxwarmpools,sandboxes,pods", "-n", "default"),
            ("describe", "node"),
            ("get", "events", "-n", "default", "--sort-by=.lastTimestamp"),
            ("get", "events", "-n", NAMESPACE, "--sort-by=.lastTimestamp"),
        ]
        looks += [("logs", "-n", NAMESPACE, part, "--all-pods=true", "--tail=25") for part in PARTS]
        for look in looks:
            run = self.cluster.kubectl(*look, check=False)
            print(f"--- kubectl {' '.join(look)}\n{run.stdout[-8000:]}{run.stderr[-1000:]}", flush=True)

    def test(self):
        # names of Services that have just got their first Pods may be unknown to a router for a moment yet
        until(
            lambda: self.helm("test", "sandplane", "--namespace", NAMESPACE, "--timeout", "120s"),
            timeout=60,
            what="helm test",
            interval=2,
        )

    def uninstall(self):
        return self.helm("uninstall", "sandplane", "--namespace", NAMESPACE, "--wait")


class NotReady(Exception):
    pass


def _short(workload):
    """What a Deployment or StatefulSet still lacks; one that has not been looked at since it was changed lacks all."""
    name, status, want = workload["metadata"]["name"], workload["status"], workload["spec"]["replicas"]
    if status.get("observedGeneration", 0) < workload["metadata"]["generation"]:
        return [f"{name} was changed just now"]
    has = {kind: status.get(kind, 0) for kind in ("replicas", "updatedReplicas", "readyReplicas")}
    return [] if set(has.values()) == {want} else [f"{name} should have {want} Pods, has {has}"]
