"""The Agent Sandbox SDKs as they are published. Their generations exclude each other in one process, so each runs in a
process of its own, which stays: importing them takes longer than what the tests do with them."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import textwrap

from harness.cluster import ROOT

WORKER = ROOT / "e2e/harness/sdk_worker.py"


class SdkError(Exception):
    """What the SDK raised, by the name of its class."""

    def __init__(self, kind, message):
        super().__init__(f"{kind}: {message}")
        self.kind, self.message = kind, message


class Sdk:
    def __init__(self, version, cluster):
        requirements = ROOT / f"e2e/clients/{version}.txt"
        key = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
        cache = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache"))
        folder = cache / f"sandplane/clients-{key}"
        assert (folder / "complete").exists(), f"no {folder}: tools/test k8s installs it"
        env = {**os.environ, "PYTHONPATH": str(folder), "KUBECONFIG": str(cluster.kubeconfig), "NO_PROXY": "*"}
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, code, **names):
        """Runs statements with these names; returns what they assign to `result`."""
        self.process.stdin.write(json.dumps({"code": textwrap.dedent(code), "names": names}) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the SDK's process ended"
        answer = json.loads(line)
        if answer["error"]:
            raise SdkError(*answer["error"])
        return answer["result"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
