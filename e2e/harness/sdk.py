"""The Agent Sandbox SDKs as they are published. Their generations exclude each other in one process, so each runs in a
process of its own, which stays: importing them takes longer than what the tests do with them."""

import hashlib
import json
import os
import pathlib
import subprocess
import sys
import textwrap
import uuid

from harness.cluster import ROOT

WORKER = ROOT / "e2e/harness/sdk_worker.py"


class SdkError(Exception):
    """What the SDK raised, by the name of its class."""

    def __init__(self, kind, message):
        super().__init__(f"{kind}: {message}")
        self.kind, self.message = kind, message


class GoSdk:
    """The SDK in Go: a program that is built once from the module's pins, and driven in the same way."""

    def __init__(self, cluster):
        source = ROOT / "e2e/clients/go"
        pins = b"".join(sorted((source / name).read_bytes() for name in ("go.mod", "go.sum", "main.go")))
        program = cache_folder() / f"clients-go-{hashlib.sha256(pins).hexdigest()[:16]}/client"
        if not program.exists():
            program.parent.mkdir(parents=True, exist_ok=True)
            new = program.with_suffix(f".{uuid.uuid4().hex}")
            run = subprocess.run(
                ["go", "build", "-trimpath", "-o", str(new), "."], cwd=source, text=True, capture_output=True
            )
            assert run.returncode == 0, run.stderr
            new.rename(program)
        env = {
            **os.environ,
            "KUBECONFIG": str(cluster.kubeconfig),
            "NO_PROXY": "*",
            "SANDBOX_API_URL": "http://127.0.0.1:8080",
        }
        self.process = subprocess.Popen(
            [str(program)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def do(self, what, **arguments):
        answer = ask(self.process, {"do": what, **arguments})
        if answer["error"]:
            raise SdkError("error", answer["error"])
        return answer["result"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)


def cache_folder():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "sandplane"


def ask(process, order):
    """A line of JSON in, a line of JSON out."""
    process.stdin.write(json.dumps(order) + "\n")
    process.stdin.flush()
    line = process.stdout.readline()
    assert line, "the SDK's process ended"
    return json.loads(line)


class Sdk:
    def __init__(self, version, cluster):
        requirements = ROOT / f"e2e/clients/{version}.txt"
        key = hashlib.sha256(requirements.read_bytes()).hexdigest()[:16]
        folder = cache_folder() / f"clients-{key}"
        assert (folder / "complete").exists(), f"no {folder}: tools/test k8s installs it"
        env = {**os.environ, "PYTHONPATH": str(folder), "KUBECONFIG": str(cluster.kubeconfig), "NO_PROXY": "*"}
        self.process = subprocess.Popen(
            [sys.executable, str(WORKER)], env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )

    def run(self, code, **names):
        """Runs statements with these names; returns what they assign to `result`."""
        answer = ask(self.process, {"code": textwrap.dedent(code), "names": names})
        if answer["error"]:
            raise SdkError(*answer["error"])
        return answer["result"]

    def close(self):
        self.process.stdin.close()
        self.process.wait(30)
