"""tools/e2e reference: the end-to-end tests of the reference itself, all that its Go module carries, against Sandplane installed
by its chart. Runs inside the cluster's network.

Its images cannot be pulled here: the node's own pause, our runtime under the runtime's name, and our runtime again where a busybox
with a shell is asked for. What needs more than that is named below, with the reason, and is counted as not run.
"""

import json
import os
import pathlib
import re
import subprocess
import sys
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from harness.cluster import Cluster

from tutorial.install import Installation
from tutorial.steps import Steps, end_on_signals

BINARIES = ("framework.test", "e2e.test", "extensions.test")
SUBSTITUTES = {
    "deploy/images/python-runtime.oci.tar": (
        "kind.local/python-runtime-sandbox:latest",
        "docker.io/library/busybox:1.36",
    )
}
PAUSE = "registry.k8s.io/pause:3.10"
VOLUMES = 24  # one that was used is not given to anybody again: there is one provisioner, and it is this program
NOT_RUN = {
    "TestRunChromeSandbox": "wants an image with Chrome, which nothing here makes",
    "TestChromeSandboxDensity": "a measurement, and wants an image with Chrome",
    "TestPythonSandboxDensity": "a measurement, and enters the node by Docker",
}
# what may fail for a reason that is no fault of Sandplane's; it runs all the same
KNOWN = {
    "TestRuntimeClassLifecycle": "looks once a second for a pool that is not full after a claim, and a new gVisor Pod is ready sooner",
}
# what its tests read: without a runtime class those that need one skip themselves
SETTINGS = {"SANDBOX_RUNTIME_CLASS": "gvisor", "SANDBOX_POOL_SIZES": "2,4"}
LIMIT_S = 420
A_SUBTEST = re.compile(r"^ +--- (PASS|FAIL|SKIP): (\S+)", re.MULTILINE)


class Reference:
    def __init__(self, cluster, folder, artifacts, pattern):
        self.cluster, self.folder, self.artifacts = cluster, pathlib.Path(folder), pathlib.Path(artifacts)
        self.installation, self.pattern = Installation(cluster), re.compile(pattern)
        self.passed, self.failed, self.skipped, self.known = [], [], [], []
        self.env = {
            **cluster.env,
            **SETTINGS,
            "PATH": f"{cluster.folder}/bin:{os.environ['PATH']}",
            "ARTIFACTS": str(self.artifacts),
            "SANDBOX_REPORT_DIR": str(self.artifacts / "report"),
        }

    def load_images(self):
        for archive, names in SUBSTITUTES.items():
            for name in names:
                self.cluster.load(self.installation.bin / archive, name)
        self.cluster.load(self.cluster.folder / "pause.tar", PAUSE)
        return self.installation.load_images()

    def make_volumes(self):
        folders = [self.artifacts / f"volumes/{i}" for i in range(VOLUMES)]
        for f in folders:
            f.mkdir(parents=True, mode=0o777)
            f.chmod(0o777)
        self.cluster.kubectl("apply", "-f", "-", input=json.dumps(_list(_volume(i, f) for i, f in enumerate(folders))))

    def tests(self):
        for binary in BINARIES:
            out = self._go(binary, "-test.list", ".").stdout
            yield from ((binary, name) for name in out.split() if name.startswith("Test") and self.pattern.search(name))

    def run_all(self):
        for binary, name in self.tests():
            if name in NOT_RUN:
                self.skipped.append(name)
                print(f"    {name}: not run, {NOT_RUN[name]}", flush=True)
                continue
            self.run_one(binary, name)

    def run_one(self, binary, name):
        began = time.monotonic()
        run = self._go(binary, "-test.v", "-test.run", f"^{name}$", "-test.timeout", f"{LIMIT_S}s")
        (self.artifacts / f"{name}.log").write_text(run.stdout + run.stderr)
        verdict = "PASS" if run.returncode == 0 else "KNOWN" if name in KNOWN else "FAIL"
        if f"--- SKIP: {name} " in run.stdout:
            verdict = "SKIP"
        kept = {"PASS": self.passed, "FAIL": self.failed, "SKIP": self.skipped, "KNOWN": self.known}
        kept[verdict].append(name)
        subtests = A_SUBTEST.findall(run.stdout)
        for how, which in subtests:
            kept[how].append(which)
        print(f"    {verdict} {name} ({time.monotonic() - began:.1f} s, {len(subtests)} below it)", flush=True)
        if verdict == "KNOWN":
            print(f"        failed, and is known to: {KNOWN[name]}", flush=True)
        if verdict == "FAIL":
            print(_tail(run.stdout + run.stderr), flush=True)

    def counts(self):
        return {"passed": self.passed, "failed": self.failed, "known": self.known, "skipped": self.skipped}

    def _go(self, binary, *args):
        return subprocess.run(
            [self.folder / binary, *args], cwd=self.artifacts, env=self.env, text=True, capture_output=True, timeout=LIMIT_S + 60
        )  # fmt: skip


def _list(items):
    return {"apiVersion": "v1", "kind": "List", "items": list(items)}


def _volume(i, folder):
    spec = {
        "storageClassName": "folders",
        "capacity": {"storage": "20Gi"},
        "accessModes": ["ReadWriteOnce"],
        "persistentVolumeReclaimPolicy": "Retain",
        "hostPath": {"path": str(folder)},
    }
    return {"apiVersion": "v1", "kind": "PersistentVolume", "metadata": {"name": f"reference-{i}"}, "spec": spec}


def _tail(text):
    """The lines that say why, without the objects that its framework prints."""
    lines = [line[:300] for line in text.split("\n") if re.search(r"Error|FAIL|failed|panic|timed out|_test\.go", line)]
    return "\n".join(f"        {line.strip()}" for line in lines[-25:])


def main():
    end_on_signals()
    folder, artifacts, *pattern = sys.argv[1:]
    cluster = Cluster(os.environ["SANDPLANE_E2E_CLUSTER"], control_plane_only=False)
    r = Reference(cluster, folder, artifacts, *(pattern or ["."]))
    steps = Steps("the reference's own tests", r.installation.explain)
    steps.run("put the images on the node", r.load_images)
    steps.run("helm install sandplane", r.installation.install)
    steps.run("wait until every part is ready", r.installation.until_ready)
    steps.run(f"{VOLUMES} volumes", r.make_volumes)
    steps.run("its tests, one after the other", r.run_all)
    for what, which in (("failed", r.failed), ("failed, as is known", r.known), ("not run, or skipped", r.skipped)):
        print(f"{what}: {', '.join(which) or 'none'}")
    print(json.dumps({k: len(v) for k, v in r.counts().items()}))
    return 1 if r.failed or not r.passed else 0


if __name__ == "__main__":
    sys.exit(main())
