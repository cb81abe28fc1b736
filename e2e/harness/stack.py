"""A stack of its own for the tests: two claims, two routers, own ports, own data folder; and what of it is
on the machine."""

import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CGROUPS = pathlib.Path("/sys/fs/cgroup")


@dataclasses.dataclass
class World:
    """What the stack has on this machine, apart from its own services."""

    sandboxes: set  # ids of sandbox folders
    processes: set  # in the sandboxes' control groups
    mounts: set  # below the data folder
    cgroups: set
    strays: list  # control groups without a folder, and folders without a group


class Stack:
    def __init__(self, replicas=2, offset=0, started_by=(), **env):
        """offset: of its ports, for one beside another. started_by: a command that runs the one behind it."""
        grpc_port = int(os.environ.get("SANDPLANE_E2E_GRPC_PORT", "17400")) + offset
        http_port = int(os.environ.get("SANDPLANE_E2E_HTTP_PORT", "18080")) + offset
        self.started_by = list(started_by)
        # below /var/tmp: a socket's path must stay short, and /tmp may be in memory
        self.data = tempfile.mkdtemp(prefix="spe2e-", dir="/var/tmp")
        os.chmod(self.data, 0o755)
        self.replicas, self.grpc_port, self.http_port = replicas, grpc_port, http_port
        self.http_ports = [http_port + i for i in range(replicas)]
        self.env = {
            **os.environ,
            "SANDPLANE_DATA": self.data,
            "SANDPLANE_REPLICAS": str(replicas),
            "SANDPLANE_HTTP_PORT": str(http_port),
            "SANDPLANE_GRPC_PORT": str(grpc_port),
            "SANDPLANE_SERVER": f"127.0.0.1:{grpc_port}",
            **env,
        }

    def tool(self, *args, timeout=300):
        run = subprocess.run(
            [*self.started_by, str(ROOT / "tools/stack"), *args],
            env=self.env,
            timeout=timeout,
            text=True,
            capture_output=True,
        )
        if run.returncode != 0:
            raise RuntimeError(f"tools/stack {' '.join(args)}: {run.stderr}")
        return run.stdout

    def sandctl(self, *args, timeout=120, **kw):
        command = [f"{self.data}/bin/sandctl", *args]
        return subprocess.run(command, env=self.env, timeout=timeout, capture_output=True, **kw)

    def start(self):
        self.tool("start")

    def stop(self):
        try:
            self.tool("stop")
        finally:
            shutil.rmtree(self.data, ignore_errors=True)

    def targets(self, service):
        base = self.grpc_port + {"router": 0, "claims": 1, "pools": 2, "reconciler": 3}[service]
        n = self.replicas if service in ("router", "claims") else 1
        return [f"127.0.0.1:{base + 100 * i}" for i in range(n)]

    # ---- processes of the services ----

    def pids(self, service):
        """Supervised processes of a service, all replicas."""
        found = []
        for folder in sorted(pathlib.Path(self.data, "stack").iterdir()):
            if folder.name == service or folder.name.rsplit("-", 1)[0] == service:
                pid = (folder / "supervise/pid").read_text().strip()
                if pid:
                    found.append(int(pid))
        assert found, f"no process of {service}"
        return found

    def kill(self, pid):
        os.kill(pid, signal.SIGKILL)

    def rss_kib(self):
        out = {}
        for service in ("redis", "claims", "pools", "reconciler", "router"):
            for i, pid in enumerate(self.pids(service)):
                status = pathlib.Path(f"/proc/{pid}/status").read_text()
                out[f"{service}-{i + 1}"] = int(status.split("VmRSS:")[1].split()[0])
        return out

    def redis(self, *args):
        command = [f"{self.data}/bin/redis/bin/redis-cli", "-s", f"{self.data}/redis.sock", *args]
        return subprocess.run(command, check=True, timeout=20, text=True, capture_output=True).stdout

    def redis_keys(self):
        """But for the uids of claims that ended: those go by themselves."""
        return {k for k in self.redis("--scan").split() if ":spent:" not in k}

    # ---- sandboxes ----

    def kill_sandbox(self, sandbox_id, ns="default"):
        """kill -9 of the sandbox's main process, as an out-of-memory killer would."""
        record = json.loads(pathlib.Path(self.data, "sandboxes", f"{ns}.{sandbox_id}", "sandbox.json").read_text())
        self.kill(record["pid"])

    def _groups(self):
        # one folder for this data folder in each hierarchy: named by a hash, found by what lies in it
        names = {p.name for p in pathlib.Path(self.data, "sandboxes").iterdir()}
        own = set()
        for parent in [*CGROUPS.glob("sandplane-*"), *CGROUPS.glob("*/sandplane-*")]:
            children = {c.name for c in parent.iterdir() if c.is_dir()}
            if parent.name == self._group_name():
                own |= {(str(parent), c) for c in children}
        return own, names

    def _group_name(self):
        h = 2166136261
        for b in os.path.realpath(self.data).encode():
            h = ((h ^ b) * 16777619) & 0xFFFFFFFF
        return f"sandplane-{h:08x}"

    def world(self):
        groups, names = self._groups()
        processes = set()
        for parent, child in groups:
            try:
                processes |= set(pathlib.Path(parent, child, "cgroup.procs").read_text().split())
            except OSError:
                pass
        mounts = {
            line.split()[1] for line in pathlib.Path("/proc/mounts").read_text().splitlines() if self.data in line
        }
        in_groups = {child for _, child in groups}
        strays = sorted(in_groups ^ names)
        ids = {n.split(".", 1)[1] for n in names if "." in n}
        return World(sandboxes=ids, processes=processes, mounts=mounts, cgroups=groups, strays=strays)
