"""The short form of tools/chaos claims: faults of a fixed seed, and every promise kept (docs/chaos.md)."""

import json
import subprocess
import sys

from harness.stack import ROOT


def test_promises_are_kept_under_faults():
    binaries, external = (ROOT / "out/.built").read_text().split()
    toy = f"{binaries}/services/reconciler/testing/toy_reconciler"
    services = [f"{binaries}/services/{s}/sandplane-{s}" for s in ("claims", "pools")]
    command = [
        sys.executable,
        "-B",
        str(ROOT / "e2e/chaos/claims.py"),
        "--redis",
        f"{external}/redis/bin/redis-server",
        "--skew",
        f"{binaries}/e2e/chaos/libskew.so",
        "--seconds",
        "20",
        "--seed",
        "3",
    ]
    run = subprocess.run(
        [*command, "--binaries", ",".join([*services, toy])], capture_output=True, text=True, timeout=200
    )
    assert run.returncode == 0, run.stdout[-6000:] + run.stderr[-2000:]
    result = json.loads(run.stdout.splitlines()[-1])
    assert result["violations"] == 0
    # it did something
    assert result["claims"] > 100 and sum(result["faults"].values()) > 5
