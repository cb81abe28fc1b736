"""A stack of its own for the tests: two claims, two routers, own ports, own data folder; and what of it is
on the machine."""

import dataclasses
import os
import pathlib
import signal
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


@dataclasses.dataclass
class World:
    """What the stack has on this machine, apart from its own services."""

    sandboxes: set  # names of sandbox folders
    processes: list  # of sandboxes
    mounts: set
    cgroups: set
    strays: list  # sandbox processes whose sandbox has no folder


def _processes():
    for p in pathlib.Path("/proc").iterdir():
        if p.name.isdigit():
            try:
                yield int(p.name), (p / "cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            except OSError:
                continue


class Stack:
    def __init__(self, port_base=17400, http_base=18080, replicas=2):
        self.data = tempfile.mkdtemp(prefix="sandplane-e2e-", dir=os.environ.get("SANDPLANE_E2E_DIR", "/var/tmp"))
        self.replicas = replicas
        self.env = {
            **os.environ,
            "SANDPLANE_DATA": self.data,
            "SANDPLANE_REPLICAS": str(replicas),
            "SANDPLANE_HTTP_PORT": str(http_base),
            "SANDPLANE_GRPC_PORT": str(port_base),
        }
        self.http_base, self.port_base = http_base, port_base

    def tool(self, *args, timeout=300):
        return subprocess.run([str(ROOT / "tools/stack"), *args], env=self.env, check=True, timeout=timeout, text=True, capture_output=True).stdout

    def start(self):
        self.tool("start")

    def stop(self):
        self.tool("stop")
