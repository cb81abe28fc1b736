"""Polling with a deadline, the only way these tests wait."""

import linecache
import sys
import time

# What is being waited for right now, outermost first: for whoever ends a test that takes too long.
waiting = []


def caller(depth):
    """Where the wait stands, and its line: says what a wait without a name is for."""
    frame = sys._getframe(depth)
    line = linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()
    return f"{frame.f_code.co_filename.rsplit('/', 1)[-1]}:{frame.f_lineno}: {line}"


def until(check, timeout=30.0, what=None, interval=0.05, may_fail=Exception):
    """Calls check until it returns something true and returns that.

    When it gives up it says what it waited for (what, or the line that waits), and the last answer or error. Errors of
    check other than may_fail are the test's and pass.
    """
    what = what or caller(2)
    end = time.monotonic() + timeout
    last = None
    waiting.append(what)
    try:
        while True:
            try:
                last = check()
                if last:
                    return last
            except may_fail as e:
                last = e
            if time.monotonic() > end:
                raise AssertionError(f"{what}: not within {timeout:g} s, last: {last!r}")
            time.sleep(interval)
    finally:
        waiting.pop()


def let_pass(seconds, why):
    """For the few tests whose subject is time itself: a span that something is counted in, a delay that is the fault.

    Not for waiting until something has happened. build_defs/waits names every use.
    """
    waiting.append(f"{seconds:g} s: {why}")
    try:
        time.sleep(seconds)
    finally:
        waiting.pop()
