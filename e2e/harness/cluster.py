"""The test cluster of tools/cluster, as tests use it: up and down, kubectl, processes inside its network, and who wrote what."""

import ctypes
import dataclasses
import json
import os
import pathlib
import re
import subprocess

ROOT = pathlib.Path(__file__).resolve().parents[2]
TOOL = ROOT / "tools/cluster"
CLONE_NEWNET = 0x40000000
# looked for in the raw line: reads are most of the log, and parsing them is most of the time
A_WRITE = re.compile(rb'"stage":"ResponseComplete".*"verb":"(create|update|patch|delete|deletecollection)"')


def enter_network(namespace):
    """namespace: a descriptor of one, as /proc/thread-self/ns/net is."""
    if ctypes.CDLL(None, use_errno=True).setns(namespace, CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "cannot enter a network namespace")


@dataclasses.dataclass(frozen=True)
class Write:
    """One answered request of the API server that changed something, or tried to."""

    verb: str
    user: str
    agent: str
    resource: str
    subresource: str
    namespace: str
    name: str
    code: int
    at: str


class Cluster:
    def __init__(self, name="test", control_plane_only=True):
        self.name = name
        self.control_plane_only = control_plane_only
        self.folder = pathlib.Path("/var/lib/sandplane-cluster", name)
        self.kubeconfig = self.folder / "kubeconfig"
        self.namespace_file = f"/run/netns/sandplane-{name}"
        self.netns = ["nsenter", f"--net={self.namespace_file}"]
        self.env = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}

    def tool(self, *args, timeout=1800):
        run = subprocess.run([str(TOOL), *args, "--name", self.name], timeout=timeout, text=True, capture_output=True)
        if run.returncode != 0:
            raise RuntimeError(f"tools/cluster {' '.join(args)}: {run.stderr}")
        return run.stdout

    def up(self):
        self.tool("up", *(["--control-plane-only"] if self.control_plane_only else []))

    def down(self):
        self.tool("down")

    def is_up(self):
        return subprocess.run([str(TOOL), "status", "--name", self.name], capture_output=True).returncode == 0

    def stop_part(self, part):
        self.tool("stop", part)

    def start_part(self, part):
        self.tool("start", part)

    def restart_api_server(self):
        """Kills it and starts it again; returns when it is ready."""
        self.tool("restart", "apiserver")

    def load(self, archive, *reference):
        self.tool("load", str(archive), *reference)

    def kubectl(self, *args, input=None, check=True, timeout=120):
        """Runs kubectl and returns what it printed; with check=False the CompletedProcess."""
        command = [*self.netns, str(self.folder / "bin/kubectl"), *args]
        run = subprocess.run(command, input=input, env=self.env, timeout=timeout, text=True, capture_output=True)
        if not check:
            return run
        if run.returncode != 0:
            raise RuntimeError(f"kubectl {' '.join(args)}: {run.stderr}")
        return run.stdout

    def get(self, *args):
        return json.loads(self.kubectl("get", "-o", "json", *args))

    def run_inside(self, argv, **kw):
        """A process in the cluster's network, where the API server is https://127.0.0.1:6443."""
        kw.setdefault("env", self.env)
        return subprocess.Popen([*self.netns, *map(str, argv)], **kw)

    def enter(self):
        """Moves the calling thread, and what it starts, into the cluster's network. Other threads stay where they are."""
        with open(self.namespace_file, "rb") as f:
            enter_network(f.fileno())

    def inside(self):
        """Whether the calling thread is in the cluster's network, by enter() or because the whole process was started there."""
        here, there = os.stat("/proc/thread-self/ns/net"), os.stat(self.namespace_file)
        return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)

    def audit_mark(self):
        """The present end of the audit log, for audit_writes."""
        return (self.folder / "audit.log").stat().st_size

    def audit_writes(self, since=0, **wanted):
        """The writes answered since a mark; keywords keep those whose fields are equal: resource="pods", user=..."""
        found = []
        with (self.folder / "audit.log").open("rb") as f:
            f.seek(since)
            for line in f:
                # the last line may be in the middle of being written
                if line.endswith(b"\n") and A_WRITE.search(line):
                    write = _write(json.loads(line))
                    if all(getattr(write, k) == v for k, v in wanted.items()):
                        found.append(write)
        return found


def _write(entry):
    ref = entry.get("objectRef", {})
    return Write(
        verb=entry["verb"],
        user=entry.get("user", {}).get("username", ""),
        agent=entry.get("userAgent", ""),
        resource=ref.get("resource", ""),
        subresource=ref.get("subresource", ""),
        namespace=ref.get("namespace", ""),
        name=ref.get("name", ""),
        code=entry.get("responseStatus", {}).get("code", 0),
        at=entry["stageTimestamp"],
    )
