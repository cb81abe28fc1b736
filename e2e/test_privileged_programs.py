"""Unit tests that need root or control groups, on the machine itself: in Bazel they may be skipped, here none may be.

tools/allowed_skips names them, so a skip that is allowed there is one that is run here.
"""

import os
import re
import subprocess

import pytest
from harness.stack import ROOT


def allowed_skips():
    """{target: names of its tests that may be skipped}"""
    found = {}
    for line in (ROOT / "tools/allowed_skips").read_text().splitlines():
        if words := line.split("#")[0].split():
            target, test = words
            found.setdefault(target, set()).add(test)
    return found


ALLOWED = allowed_skips()


@pytest.mark.parametrize("target", sorted(ALLOWED))
def test_as_root(target):
    bazel_bin = (ROOT / "out/.built").read_text().split("\n")[0]
    program = target.removeprefix("//").replace(":", "/")
    # the programs look for what they start below their working folder, as in Bazel's
    done = subprocess.run(
        [f"./{program}"],
        cwd=bazel_bin,
        env={**os.environ, "CMOCKA_MESSAGE_OUTPUT": "STDOUT"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout
    passed = set(re.findall(r"^\[ +OK \] (\S+)$", done.stdout, re.M))
    assert "SKIPPED" not in done.stdout, done.stdout
    # a name that no test has any more would allow what nobody runs
    assert ALLOWED[target] <= passed, done.stdout
