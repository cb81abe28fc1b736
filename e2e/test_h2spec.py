"""HTTP/2 by the book: h2spec, which speaks it right and wrong in every way that it knows, against lib/http2.

Not against a router as well: that answers requests early, and what h2spec does wrong behind their heads then meets a stream that
is over.
"""

import contextlib
import re
import subprocess

import pytest
from harness.stack import ROOT


@contextlib.contextmanager
def echo():
    """A server of lib/http2 and nothing else: its port. It ends with its input."""
    bazel_bin = (ROOT / "out/.built").read_text().split("\n")[0]
    with subprocess.Popen(
        [f"{bazel_bin}/lib/http2/testing/http2_echo"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        yield server.stdout.readline().strip()
        server.stdin.close()
        assert server.wait(timeout=20) == 0


def h2spec(port, *sections):
    program = subprocess.run(
        [ROOT / "tools/h2spec", "--there"], text=True, capture_output=True, check=True
    ).stdout.strip()
    return subprocess.run(
        [program, "--host", "127.0.0.1", "--port", port, "--strict", "--timeout", "10", *sections],
        text=True,
        capture_output=True,
        timeout=250,
    )


@pytest.mark.parametrize("part", ["generic", "http2", "hpack"])
def test_h2spec(part):
    with echo() as port:
        done = h2spec(port, part)
    assert done.returncode == 0, done.stdout
    tests, passed, skipped, failed = re.search(
        r"(\d+) tests, (\d+) passed, (\d+) skipped, (\d+) failed", done.stdout
    ).groups()
    assert int(tests) > 0 and (passed, skipped, failed) == (tests, "0", "0"), done.stdout
