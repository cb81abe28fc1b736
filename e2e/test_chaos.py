"""The short form of tools/chaos claims: faults of a fixed seed, and every promise kept (docs/chaos.md)."""

import json
import subprocess
import sys

from chaos.world import built
from harness.stack import ROOT


def test_promises_are_kept_under_faults():
    binaries, redis, skew = built(ROOT / "out")
    command = [sys.executable, "-B", str(ROOT / "e2e/chaos/claims.py"), "--binaries", binaries, "--redis", redis]
    # what a run leaves elsewhere goes with it
    command += ["--skew", skew, "--seconds", "20", "--seed", "3", "--history", str(ROOT / "out/chaos.jsonl")]
    run = subprocess.run(command, capture_output=True, text=True, timeout=200)
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    result = json.loads(run.stdout.splitlines()[-1])
    assert result["violations"] == 0
    # it did something
    assert result["claims"] > 100 and sum(result["faults"].values()) > 5
